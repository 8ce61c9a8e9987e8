"""MAIL and RCPT with their parameters (RFC 5321 4.1.2, 1870, 3461, 4954, 6152, 6531) as values."""

from __future__ import annotations

import re
from typing import Final

from posthouse.mail import Body, Notify, Recipient, Refused, Reply, Ret
from posthouse.smtp.events import Extensions, MailFrom, RcptTo
from posthouse.smtp.grammar import check_forward_path, check_reverse_path, split_path

MAIL_SYNTAX: Final = Reply(501, "5.5.4", "Syntax: MAIL FROM:<address> [parameters]")
RCPT_SYNTAX: Final = Reply(501, "5.5.4", "Syntax: RCPT TO:<address> [parameters]")

_BODIES: Final = {"7BIT": Body.SEVEN_BIT, "8BITMIME": Body.EIGHT_BIT}
_RETS: Final = {ret.value: ret for ret in Ret}
_SIZE: Final = re.compile(r"[0-9]{1,20}")
_KEYWORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_MAX_ENVID: Final = 100  # RFC 3461 4.4
_MAX_ORCPT: Final = 500  # RFC 3461 4.2
_XTEXT: Final = r"(?:[!-*,-<>-~]++|\+[0-9A-Fa-f]{2})+"
_ENVID: Final = re.compile(_XTEXT)
_ORCPT: Final = re.compile(rf"[A-Za-z0-9-]++;{_XTEXT}")
_UTF8_ORCPT: Final = re.compile(r"utf-8;[!-*,-<>-~\u00a0-\ud7ff\ue000-\U0010ffff]++", re.IGNORECASE)  # RFC 6533 3

Parameters = dict[str, str | None]


def parse_mail(argument: str, offered: Extensions) -> MailFrom:
    """MAIL's argument as an event. Raises `Refused`."""
    split = split_path(argument, "FROM:")
    if split is None:
        raise Refused(MAIL_SYNTAX)
    path, text = split
    if not text:
        check_reverse_path(path, smtputf8=False)
        return MailFrom(path)
    given = _parse(text, _mail_keywords(offered))
    smtputf8 = "SMTPUTF8" in given
    if given.get("SMTPUTF8"):
        raise _bad("SMTPUTF8", "it takes no value")
    check_reverse_path(path, smtputf8=smtputf8)
    return MailFrom(path, _size(given), _body(given), smtputf8, _ret(given), _envid(given))


def parse_rcpt(argument: str, offered: Extensions, *, smtputf8: bool) -> RcptTo:
    """RCPT's argument as an event. `smtputf8` is what MAIL said. Raises `Refused`."""
    split = split_path(argument, "TO:")
    if split is None:
        raise Refused(RCPT_SYNTAX)
    path, text = split
    check_forward_path(path, smtputf8=smtputf8)
    if not text:
        return RcptTo(Recipient(path))
    given = _parse(text, ("NOTIFY", "ORCPT") if offered.dsn else ())
    return RcptTo(Recipient(path, _notify(given), _orcpt(given, smtputf8=smtputf8)))


def _mail_keywords(offered: Extensions) -> tuple[str, ...]:
    """SIZE and BODY do no harm after HELO either. AUTH= must be accepted (RFC 4954 5) and is not believed."""
    keywords = ["SIZE", "BODY"]
    if offered.smtputf8:
        keywords.append("SMTPUTF8")
    if offered.dsn:
        keywords += "RET", "ENVID"
    if offered.auth:
        keywords.append("AUTH")
    return tuple(keywords)


def _parse(text: str, known: tuple[str, ...]) -> Parameters:
    given: Parameters = {}
    for word in text.split():
        keyword, equals, value = word.partition("=")
        name = keyword.upper()
        if name not in known:
            raise Refused(Reply(555, "5.5.4", f"Parameter {_shown(keyword)} is not recognized"))
        if name in given:
            raise _bad(name, "it is given twice")
        if equals and not value:
            raise _bad(name, "its value is empty")
        given[name] = value or None
    return given


def _shown(keyword: str) -> str:
    return keyword[:20].upper() if _KEYWORD.fullmatch(keyword) else "name"


def _bad(name: str, why: str) -> Refused:
    return Refused(Reply(501, "5.5.4", f"Bad {name} parameter: {why}"))


def _size(given: Parameters) -> int | None:
    if "SIZE" not in given:
        return None
    value = given["SIZE"] or ""
    if not _SIZE.fullmatch(value):
        raise _bad("SIZE", "it should be a number of octets (RFC 1870)")
    return int(value)


def _body(given: Parameters) -> Body:
    if "BODY" not in given:
        return Body.SEVEN_BIT
    body = _BODIES.get((given["BODY"] or "").upper())
    if body is None:
        raise _bad("BODY", "it should be 7BIT or 8BITMIME")
    return body


def _ret(given: Parameters) -> Ret | None:
    if "RET" not in given:
        return None
    ret = _RETS.get((given["RET"] or "").upper())
    if ret is None:
        raise _bad("RET", "it should be FULL or HDRS")
    return ret


def _envid(given: Parameters) -> str | None:
    if "ENVID" not in given:
        return None
    value = given["ENVID"] or ""
    if len(value) > _MAX_ENVID or not _ENVID.fullmatch(value):
        raise _bad("ENVID", "it should be xtext of at most 100 characters (RFC 3461)")
    return value


def _notify(given: Parameters) -> Notify:
    if "NOTIFY" not in given:
        return Notify.ABSENT
    try:
        notify = Notify.parse(given["NOTIFY"] or "")
    except ValueError:
        notify = Notify.ABSENT
    if notify is Notify.ABSENT:
        raise _bad("NOTIFY", "it should be NEVER, or some of SUCCESS,FAILURE,DELAY")
    return notify


def _orcpt(given: Parameters, *, smtputf8: bool) -> str | None:
    if "ORCPT" not in given:
        return None
    value = given["ORCPT"] or ""
    well_formed = _ORCPT.fullmatch(value) or (smtputf8 and _UTF8_ORCPT.fullmatch(value))
    if len(value) > _MAX_ORCPT or not well_formed:
        raise _bad("ORCPT", "it should be type;xtext of at most 500 characters (RFC 3461)")
    return value
