"""The address grammar of MAIL and RCPT: RFC 5321 4.1.2 with RFC 6531's UTF-8, tolerant where real devices are not.

A path is handed over as it was sent, quotes and case included. What it says (`a%b@c`, `"a@b"@c`) is for policy.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from posthouse.mail import Refused, Reply

BAD_LINE: Final = Reply(500, "5.5.2", "A command is one line of text that ends with CRLF")
SOURCE_ROUTE: Final = Reply(550, "5.7.1", "Source routing is refused: send to <mailbox@domain>")
NEEDS_SMTPUTF8: Final = Reply(553, "5.6.7", "A non-ASCII address needs the SMTPUTF8 parameter of MAIL")
BAD_REVERSE_PATH: Final = Reply(501, "5.1.7", "Bad sender address: it should be like <mailbox@domain>, or <>")
BAD_FORWARD_PATH: Final = Reply(501, "5.1.3", "Bad recipient address: it should be like <mailbox@domain>")

_MAX_DOMAIN: Final = 255  # RFC 5321 4.5.3.1.2
_MAX_MAILBOX: Final = 256 - len("<>")
"""Octets of a path (RFC 5321 4.5.3.1.3). A local part of more than 64 is taken: bounce addresses of big senders are."""

_UTF8: Final = r"\u00a0-\ud7ff\ue000-\U0010ffff"  # what RFC 6531 3.3 adds, without C1 controls and stray bytes
_ATOM: Final = rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~\-{_UTF8}]++"
_QUOTED: Final = rf'"(?:[ !#-\[\]-~{_UTF8}]++|\\[ -~])*"'
_EDGE: Final = rf"[A-Za-z0-9_{_UTF8}]"  # `_` is no RFC's, but Windows host names have it
_LABEL: Final = rf"{_EDGE}(?:[A-Za-z0-9_\-{_UTF8}]{{0,61}}{_EDGE})?"
_MAILBOX: Final = re.compile(
    rf"(?:{_ATOM}(?:\.{_ATOM})*|{_QUOTED})"
    rf"@(?:{_LABEL}(?:\.{_LABEL})*|\[(?P<literal>[0-9A-Za-z.:]++)\])"
)

_PATH: Final = re.compile(
    r"""(?: <(?P<path>   (?: [^"<>\\]++  | \\. | "(?:[^"\\]++|\\.)*" )* )>
          |  (?P<bare>   (?: [^"<>\\ ]++ | \\. | "(?:[^"\\]++|\\.)*" )+ ) )
        (?: \ ++ (?P<parameters> .+ ) )?""",
    re.VERBOSE,
)

_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def command_text(line: bytes) -> str:
    """A command line as text, without the spaces at its end. Raises `Refused` for control characters, bare CR and LF.

    Bytes that are no UTF-8 become surrogates, which no address may hold.
    """
    text = line.decode("utf-8", "surrogateescape").rstrip(" \t")
    if not text.isprintable() and _CONTROL.search(text):
        raise Refused(BAD_LINE)
    return text


def split_path(argument: str, keyword: str) -> tuple[str, str] | None:
    """Cut `FROM:<path> parameters` into path and parameters; None where it isn't that.

    A space behind the colon and missing angle brackets are read too: scanners send both.
    """
    if argument[: len(keyword)].upper() != keyword:
        return None
    match = _PATH.fullmatch(argument[len(keyword) :].lstrip(" "))
    if match is None:
        return None
    path, bare, parameters = match.groups()
    return (path if bare is None else bare), parameters or ""


def check_reverse_path(path: str, *, smtputf8: bool) -> None:
    """Raises `Refused` unless `path` is a mailbox or the null reverse-path."""
    if path:
        _check_mailbox(path, smtputf8=smtputf8, otherwise=BAD_REVERSE_PATH)


def check_forward_path(path: str, *, smtputf8: bool) -> None:
    """Raises `Refused` unless `path` is a mailbox or `postmaster` (RFC 5321 4.1.1.3)."""
    if path.lower() != "postmaster":
        _check_mailbox(path, smtputf8=smtputf8, otherwise=BAD_FORWARD_PATH)


def _check_mailbox(path: str, *, smtputf8: bool, otherwise: Reply) -> None:
    if path.startswith("@"):
        raise Refused(SOURCE_ROUTE)  # RFC 5321 appendix C and 3.6.1 let us
    if not smtputf8 and not path.isascii():
        raise Refused(NEEDS_SMTPUTF8)  # RFC 6531 3.5
    match = _MAILBOX.fullmatch(path)
    if match is None or len(path.encode()) > _MAX_MAILBOX:
        raise Refused(otherwise)
    if match["literal"] is not None and not _is_address_literal(match["literal"]):
        raise Refused(otherwise)


def _is_address_literal(text: str) -> bool:
    """RFC 5321 4.1.3: an IPv4 address, or an IPv6 address behind its tag."""
    tag, address = text[:5], text[5:]
    try:
        if tag.upper() == "IPV6:":
            ipaddress.IPv6Address(address)
        else:
            ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


_UNPRINTABLE_NAME: Final = re.compile(r"[^A-Za-z0-9.:_\[\]-]")


def hello_name(argument: str) -> str:
    """What a client calls itself, fit for a trace line: devices say anything, and nobody may be refused for it.

    RFC 5321 4.1.4 lets us not verify the name; whatever no host name or address literal has becomes `?`.
    """
    return _UNPRINTABLE_NAME.sub("?", argument[:_MAX_DOMAIN])
