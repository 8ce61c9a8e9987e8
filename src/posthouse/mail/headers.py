"""The header of a message as it passes through: found, surveyed, cleaned, and given the lines that a relay adds.

Everything works on the whole block with one regular expression and in linear time: this is the hot path, and the
bytes are a stranger's. Line ends are CRLF, since the engine lets no other in.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import lru_cache

from posthouse.mail import encoded_words
from posthouse.mail.content import Content
from posthouse.mail.message import Client
from posthouse.mail.text import one_line

INTERNAL_PREFIXES = (b"X-MS-Exchange-Organization-", b"X-MS-Exchange-CrossPremises-")
"""Names that only servers of one Exchange organization may use, so a stranger's are removed."""

SUBJECT_LENGTH = 255

_FIELD = rb"[!-9;-~]++[ \t]*+(?::|\Z)|\r?\Z"  # ftext (RFC 5322 2.2), the obsolete space (4.5); or as far as told
_FIRST_FIELD = re.compile(rb"From |" + _FIELD)
_END = re.compile(rb"\n(?![ \t]|" + _FIELD + rb")")
_MBOX_LINE = re.compile(rb"From [^\n]*+\n")
_VALUE = rb"[^\n]*+(?:\n[ \t][^\n]*+)*"
_SURVEYED = re.compile(rb"\n(?i:(received|date|message-id|from|subject)[ \t]*+:)(" + _VALUE + rb")")
_SUBJECT_OCTETS = 4096  # holds 255 characters in the widest encoding
_MESSAGE_ID_LENGTH = 998
_NOT_A_WORD = re.compile(r"[^!-'*-:<-\[\]-~]")  # would end a clause, a comment or the line
_COMMENT = re.compile(r"(?:[ -'*-:<-\[\]-~]++|\([ -'*-:<-\[\]-~]*+\))*")
_NOT_IN_COMMENT = re.compile(r"[^ -'*-:<-\[\]-~]")

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class HeaderFacts:
    """What a relay wants to know of a header. Of a field that comes twice the first counts."""

    received: int
    received_by_us: int
    has_date: bool
    has_message_id: bool
    has_from: bool
    subject: str
    message_id: str


def split(content: bytes) -> int:
    """The offset just past the header and its blank line; the whole length where there is no body (yet).

    The content may be cut anywhere: the offset is that of the whole content, or the whole length while that isn't
    known. The header also ends before the first line that is neither a field nor a folded one, as most readers see
    it; such a header, or none at all, has no blank line: see `well_formed`.
    """
    if content.startswith(b"\r\n"):
        return 2
    if not _FIRST_FIELD.match(content):
        return 0
    end = _END.search(content)
    if end is None:
        return len(content)
    return end.end() + 2 if content.startswith(b"\r\n", end.end()) else end.end()


def block(content: Content) -> bytes:
    """The header with its blank line, read from the first pieces of a content (blocking where they are in a file)."""
    head = b""
    for chunk in content.chunks():
        head += chunk
        if (end := split(head)) < len(head):
            return head[:end]
    return head


def well_formed(block: bytes) -> bytes:
    """The block without mbox's `From ` line and with a blank line at its end; the same object where it is so already.

    Without it a line put before the block, or a body that looks like a field, would be read differently downstream.
    """
    if block.startswith(b"From "):
        block = _MBOX_LINE.sub(b"", block, count=1)
    if block.endswith(b"\r\n\r\n") or block == b"\r\n":
        return block
    return block + b"\r\n" if not block or block.endswith(b"\r\n") else block + b"\r\n\r\n"


def survey(block: bytes, hostname: str) -> HeaderFacts:
    """The facts of a header block in one pass. Never raises."""
    received = by_us = 0
    found: dict[bytes, bytes] = {}
    by_hostname = _by(hostname)
    for match in _SURVEYED.finditer(b"\n" + block):
        name = match[1].lower()
        if name == b"received":
            received += 1
            by_us += by_hostname.search(match[2]) is not None
        else:
            found.setdefault(name, match[2])
    return HeaderFacts(
        received,
        by_us,
        b"date" in found,
        b"message-id" in found,
        b"from" in found,
        _subject(found.get(b"subject", b"")),
        _text(found.get(b"message-id", b""))[:_MESSAGE_ID_LENGTH],
    )


def remove(block: bytes, prefixes: tuple[bytes, ...]) -> bytes:
    """The block without the fields whose names begin with one of the prefixes; the same object where there is none."""
    text, count = _fields_with(prefixes).subn(b"", b"\n" + block)
    return text[1:] if count else block


def received_line(
    *,
    client: Client,
    hostname: str,
    message_id: str,
    recipient: str | None,
    at: float,
    tls: str,
    connector: str | None,
) -> bytes:
    """Our trace line (RFC 5321 4.4). `recipient` is None where there are several: one must not see the others.

    The client's name is unknown, since DNS is not asked for it: the mail need not wait for that.
    """
    literal = f"IPv6:{client.ip}" if ":" in client.ip else client.ip
    lines = [
        f"Received: from {_word(client.helo) or 'unknown'} (unknown [{literal}])",
        f"by {hostname} with {client.protocol} id {message_id}",
    ]
    if tls:
        lines.append(f"(using {_comment(tls)})")
    if connector:
        lines.append(f"(connector {_comment(connector)})")
    if recipient:
        lines.append(f"for <{recipient}>")
    return ("\r\n\t".join(lines) + f";\r\n\t{format_date(at)}\r\n").encode("utf-8", "replace")


def format_date(at: float) -> str:
    """A Unix time as RFC 5322 3.3 writes it, in UTC."""
    return _date(int(at))


def completed(facts: HeaderFacts, *, reverse_path: str, hostname: str, message_id: str, at: float) -> bytes:
    """The fields that a submission server adds where they are missing (RFC 6409 8); empty where none is.

    Mail from the null reverse-path with no From is the system's.
    """
    lines = ""
    if not facts.has_date:
        lines += f"Date: {format_date(at)}\r\n"
    if not facts.has_message_id:
        lines += f"Message-ID: <{message_id}@{hostname}>\r\n"
    if not facts.has_from:
        lines += f"From: <{reverse_path or f'MAILER-DAEMON@{hostname}'}>\r\n"
    return lines.encode("utf-8", "replace")


@lru_cache(maxsize=64)
def _by(hostname: str) -> re.Pattern[bytes]:
    return re.compile(rb"(?i)\sby\s+" + re.escape(hostname.encode("utf-8", "replace")) + rb"(?![\w.-])")


@lru_cache(maxsize=16)
def _fields_with(prefixes: tuple[bytes, ...]) -> re.Pattern[bytes]:
    return re.compile(rb"\n(?i:" + b"|".join(map(re.escape, prefixes)) + rb")" + _VALUE)


@lru_cache(maxsize=64)
def _date(seconds: int) -> str:
    year, month, day, hour, minute, second, weekday, *_ = time.gmtime(seconds)
    return f"{_WEEKDAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04} {hour:02}:{minute:02}:{second:02} +0000"


def _subject(value: bytes) -> str:
    return encoded_words.decode(_text(value[:_SUBJECT_OCTETS]))[:SUBJECT_LENGTH]


def _text(value: bytes) -> str:
    """A field's value unfolded (RFC 5322 2.2.3), without what no database or terminal should take."""
    return one_line(value.replace(b"\r\n", b"").decode("utf-8", "replace")).strip()


def _word(text: str) -> str:
    return _NOT_A_WORD.sub("?", text)


@lru_cache(maxsize=256)
def _comment(text: str) -> str:
    """Text for inside a comment: no backslash, no control character, and parentheses only where they match."""
    text = encoded_words.encode(text)
    return text if _COMMENT.fullmatch(text) else _NOT_IN_COMMENT.sub("?", text)
