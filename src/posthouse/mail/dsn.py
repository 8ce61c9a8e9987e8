"""Delivery status notifications: who gets one (RFC 3461), and what it looks like (RFC 3464, 6522, 6533).

A remote server's words and a stranger's addresses end up in here, so each value is cleaned where it is written.
"""

from __future__ import annotations

import binascii
import enum
import re
import textwrap
from collections.abc import Iterable, Sequence

from posthouse.mail import encoded_words
from posthouse.mail.envelope import Body, Envelope, Notify, Recipient, Ret
from posthouse.mail.headers import format_date, split, survey
from posthouse.mail.message import Message
from posthouse.mail.outcome import DsnDuty, Outcome, Status
from posthouse.mail.text import one_line

FULL_LIMIT = 1 << 20
"""Bytes of content returned at most where RET=FULL asks for them; of a larger message the header."""

UNASKED_LIMIT = 50 << 10
"""Bytes of content returned at most where RET is absent: the choice is ours (RFC 3461 4.3)."""

_VALUE_LENGTH = 900  # so that no line passes 998 octets (RFC 5322 2.1.1), however it folds
_NOT_ASCII = re.compile(r"[^ -~]")
_XTEXT_ESCAPE = re.compile(rb"\+([0-9A-Fa-f]{2})")
_NOT_XTEXT = re.compile(rb"[^!-*,-<>-~]")
_NOT_UTF8_XTEXT = re.compile(r"[^!-*,-<>-\[\]-~]")
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_REFERENCE = re.compile(r"<[!-;=?-~]+>")
_LONG_LINE = re.compile(rb"[^\n]{999}")


class DsnKind(enum.StrEnum):
    """What a DSN is about. DELIVERED also tells of recipients whose next hop sends no DSN (`relayed`)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"


_CONDITIONS = {
    DsnKind.FAILED: (Status.FAILED, Notify.FAILURE),
    DsnKind.DELAYED: (Status.DEFERRED, Notify.DELAY),
    DsnKind.DELIVERED: (Status.DELIVERED, Notify.SUCCESS),
}

_OPENINGS = {
    DsnKind.FAILED: ("Undeliverable", "Your message could not be delivered to the recipients below."),
    DsnKind.DELAYED: ("Delayed", "Your message has not been delivered yet to the recipients below."),
    DsnKind.DELIVERED: (
        "Delivered",
        "You asked to be told: your message has been delivered to these recipients.",
    ),
}

_RELAYED = (
    "Relayed",
    "You asked to be told: your message has been handed to the next mail system. You will hear no more from there.",
)


def wanted(notify: Notify, outcome: Outcome, kind: DsnKind) -> bool:
    """Whether a recipient's NOTIFY calls for a DSN of this kind (RFC 3461 4.1, 5.2). Absent, it means FAILURE."""
    status, flag = _CONDITIONS[kind]
    if outcome.status is not status or (status is Status.DELIVERED and outcome.duty is DsnDuty.PASSED):
        return False
    return flag in notify if notify else kind is DsnKind.FAILED


def due(envelope: Envelope, outcomes: Iterable[Outcome], kind: DsnKind) -> tuple[Outcome, ...]:
    """The outcomes that one DSN of this kind is to tell of; none for a null reverse-path (RFC 5321 4.5.5)."""
    if not envelope.reverse_path:
        return ()
    recipients = envelope.recipients
    return tuple(outcome for outcome in outcomes if wanted(recipients[outcome.recipient].notify, outcome, kind))


def returns_content(message: Message, kind: DsnKind) -> bool:
    """Whether the DSN holds the whole message and not only its header (RFC 3461 4.3, 6.2)."""
    envelope = message.envelope
    if kind is not DsnKind.FAILED or envelope.ret is Ret.HDRS:
        return False
    return message.size <= (FULL_LIMIT if envelope.ret is Ret.FULL else UNASKED_LIMIT)


def compose(
    message: Message,
    outcomes: Sequence[Outcome],
    *,
    kind: DsnKind,
    dsn_id: str,
    hostname: str,
    at: float,
    retry_until: float | None,
    returned: bytes,
    advice: Iterable[str] = (),
) -> tuple[Envelope, bytes]:
    """A DSN about these outcomes (see `due`): its envelope and its content.

    `returned` is the message's content where `returns_content` says so; otherwise its header will do. `retry_until`
    is until when we go on trying; it is told of a delay only. `advice` says what the replies mean and what to do, a
    text of some lines for each; the same is told once.
    """
    if kind is not DsnKind.DELAYED:
        retry_until = None
    reverse_path = message.envelope.reverse_path
    smtputf8 = not reverse_path.isascii()
    boundary = f"=_{dsn_id}"
    header = returned[: split(returned)]
    facts = survey(header, hostname)
    title, opening = _OPENINGS[kind]
    if kind is DsnKind.DELIVERED and all(outcome.duty is DsnDuty.RELAYED for outcome in outcomes):
        title, opening = _RELAYED
    parts = (
        _text_part(_explanation(message, outcomes, advice, opening, hostname, facts.subject, retry_until)),
        _status_part(message, outcomes, hostname, retry_until, smtputf8=smtputf8),
        _content_part(message, returned) if returns_content(message, kind) else _header_part(header),
    )
    lines = [
        f"From: Mail Delivery System <MAILER-DAEMON@{hostname}>",
        f"To: <{reverse_path}>",
        _field("Subject", encoded_words.encode(_clean(f"{title}: {facts.subject or '(no subject)'}"))),
        f"Date: {format_date(at)}",
        f"Message-ID: <{dsn_id}@{hostname}>",
        *_references(facts.message_id),
        "Auto-Submitted: auto-replied",  # RFC 3834 5
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="{boundary}"',
        "",
        "This is a delivery status notification in MIME format.",
        "",
    ]
    delimiter = f"--{boundary}\r\n".encode()
    content = b"".join(
        (_joined(lines), *(delimiter + part + b"\r\n" for part in parts), f"--{boundary}--\r\n".encode())
    )
    body = Body.SEVEN_BIT if content.isascii() else Body.EIGHT_BIT
    return Envelope("", (Recipient(reverse_path, Notify.NEVER),), smtputf8=smtputf8, body=body), content


def encode_xtext(text: str) -> str:
    """Text as ENVID and ORCPT carry it (RFC 3461 4)."""
    return _NOT_XTEXT.sub(lambda octet: b"+%02X" % ord(octet[0]), text.encode()).decode("ascii")


def decode_xtext(text: str) -> str:
    """The text that an xtext stands for, escapes in lower case included; what is no escape stays as it is."""
    octets = _XTEXT_ESCAPE.sub(lambda escape: bytes.fromhex(escape[1].decode()), text.encode())
    return octets.decode("utf-8", "replace")


def _text_part(text: str) -> bytes:
    """Quoted-printable where the text needs it: the DSN passes hosts without 8BITMIME then."""
    body = text.encode("utf-8", "replace")
    if body.isascii():
        return b"Content-Type: text/plain; charset=us-ascii\r\n\r\n" + body
    fields = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    return fields + binascii.b2a_qp(body)


def _explanation(
    message: Message,
    outcomes: Sequence[Outcome],
    advice: Iterable[str],
    opening: str,
    hostname: str,
    subject: str,
    retry_until: float | None,
) -> str:
    """What a person reads: what happened to which recipient, and who said what."""
    lines = [f"This is the mail system at {hostname}.", "", *textwrap.wrap(opening, 76), ""]
    for outcome in outcomes:
        lines += (_clean(message.envelope.recipients[outcome.recipient].forward_path), *_said(outcome), "")
    for text in dict.fromkeys(advice):
        lines += ("What this means:", *(part for line in text.splitlines() for part in _indented(line)), "")
    if retry_until is not None:
        lines += (f"It is tried again until {format_date(retry_until)}; you need not send it again.", "")
    lines += (
        *textwrap.wrap(f"Subject: {_clean(subject)}", 76, subsequent_indent="  "),
        f"Received: {format_date(message.received_at)}",
        f"Message id at this system: {message.id}",
        "",
    )
    return "\r\n".join(lines)


def _said(outcome: Outcome) -> list[str]:
    remote = _clean(outcome.remote)
    words = f"{remote} said: {_clean(str(outcome.reply))}" if remote else _clean(str(outcome.reply))
    return _indented(words)


def _indented(words: str) -> list[str]:
    return textwrap.wrap(words, 76, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)


def _status_part(
    message: Message, outcomes: Sequence[Outcome], hostname: str, retry_until: float | None, *, smtputf8: bool
) -> bytes:
    """The part for programs. Only a DSN that needs SMTPUTF8 anyway spells addresses in UTF-8 (RFC 6533 4)."""
    content_type = "message/global-delivery-status" if smtputf8 else "message/delivery-status"
    lines = [f"Content-Type: {content_type}", *(["Content-Transfer-Encoding: 8bit"] if smtputf8 else []), ""]
    lines.append(f"Reporting-MTA: dns; {hostname}")
    if message.envelope.envid:
        lines.append(_field("Original-Envelope-Id", _ascii(decode_xtext(message.envelope.envid))))
    lines.append(f"Arrival-Date: {format_date(message.received_at)}")
    for outcome in outcomes:
        recipient = message.envelope.recipients[outcome.recipient]
        lines += ("", *_recipient_fields(recipient, outcome, retry_until, smtputf8=smtputf8))
    return _joined(lines)


def _recipient_fields(
    recipient: Recipient, outcome: Outcome, retry_until: float | None, *, smtputf8: bool
) -> Iterable[str]:
    """RFC 3464 2.3. Original-Recipient only if the sender gave one (RFC 3461 6.3)."""
    if recipient.orcpt:
        yield _field("Original-Recipient", _original_recipient(recipient.orcpt))
    yield _field("Final-Recipient", _typed_address(recipient.forward_path, smtputf8=smtputf8))
    yield f"Action: {_action(outcome)}"
    yield f"Status: {_status(outcome)}"
    remote = _ascii(outcome.remote).partition(" ")[0]
    if remote:
        yield _field("Remote-MTA", f"dns; {remote}")
    yield _field("Diagnostic-Code", f"{'smtp' if remote else 'x-posthouse'}; {_ascii(str(outcome.reply))}")
    yield f"Last-Attempt-Date: {format_date(outcome.at)}"
    if retry_until is not None and outcome.status is Status.DEFERRED:
        yield f"Will-Retry-Until: {format_date(retry_until)}"


def _original_recipient(orcpt: str) -> str:
    """ORCPT with its xtext undone, but for type utf-8, whose own escapes are the 7-bit form (RFC 6533 3)."""
    kind, _, address = orcpt.partition(";")
    return _ascii(f"{kind}; {address if kind.lower() == 'utf-8' else decode_xtext(address)}")


def _typed_address(address: str, *, smtputf8: bool) -> str:
    if address.isascii():
        return f"rfc822; {_ascii(address)}"
    if smtputf8:
        return f"utf-8; {_clean(address)}"
    return "utf-8; " + _NOT_UTF8_XTEXT.sub(lambda character: f"\\x{{{ord(character[0]):X}}}", address)


def _action(outcome: Outcome) -> str:
    if outcome.status is Status.DELIVERED:
        return "relayed" if outcome.duty is DsnDuty.RELAYED else "delivered"
    return "delayed" if outcome.status is Status.DEFERRED else "failed"


def _status(outcome: Outcome) -> str:
    """The enhanced status code; without one, the class that fits the outcome, and nothing known beyond (RFC 3463)."""
    if _ENHANCED.fullmatch(outcome.reply.enhanced):
        return outcome.reply.enhanced
    return {Status.DELIVERED: "2.0.0", Status.DEFERRED: "4.0.0", Status.FAILED: "5.0.0"}[outcome.status]


def _header_part(header: bytes) -> bytes:
    """RFC 6522 4: quoted-printable only where the header isn't plain."""
    if header.isascii() and b"\0" not in header and not _LONG_LINE.search(header):
        return b"Content-Type: text/rfc822-headers\r\n\r\n" + header
    fields = b"Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    return fields + binascii.b2a_qp(header)


def _content_part(message: Message, content: bytes) -> bytes:
    """Content that isn't ASCII stays 8bit: nothing else is allowed inside a message/rfc822 (RFC 2046 5.2.1)."""
    if content.isascii():
        return b"Content-Type: message/rfc822\r\n\r\n" + content
    content_type = b"message/global" if message.envelope.smtputf8 else b"message/rfc822"
    return b"Content-Type: %s\r\nContent-Transfer-Encoding: 8bit\r\n\r\n%s" % (content_type, content)


def _references(message_id: str) -> tuple[str, ...]:
    """So that mail programs show the DSN beside the message; only for a Message-ID that is one."""
    if len(message_id) > _VALUE_LENGTH or not _REFERENCE.fullmatch(message_id):
        return ()
    return (f"In-Reply-To: {message_id}", f"References: {message_id}")


def _field(name: str, value: str) -> str:
    """A folded field. Words are never broken, so a value is at most `_VALUE_LENGTH` long."""
    lines = textwrap.wrap(f"{name}: {value}", 76, subsequent_indent=" ", break_long_words=False, break_on_hyphens=False)
    return "\r\n".join(lines)


def _clean(text: str) -> str:
    return one_line(text).strip()[:_VALUE_LENGTH]


def _ascii(text: str) -> str:
    return _NOT_ASCII.sub("?", _clean(text))


def _joined(lines: Sequence[str]) -> bytes:
    return ("\r\n".join(lines) + "\r\n").encode("utf-8", "replace")
