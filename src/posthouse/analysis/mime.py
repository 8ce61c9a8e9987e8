"""The texts in a message, of what kind it may be, in any state: only what is needed to read a bounce.

Python's email package isn't used: what it makes of hostile messages is not bounded.
"""

from __future__ import annotations

import binascii
import codecs
import enum
import html
import re
from collections.abc import Iterator

LIMIT = 8 << 20
"""Bytes that are looked at: a bounce with the mail attached."""

_DEPTH = 3  # Exchange and Gmail put multipart/alternative into multipart/related into multipart/report
_PARTS = 32
_HEADER_LENGTH = 64 << 10

_MESSAGE_FIELD = re.compile(rb"(?im)^(?:content-type|received|return-path|mime-version|message-id):")
_TYPE = re.compile(rb"(?im)^content-type:[ \t]*([^\s;]*)([^\n]*(?:\n[ \t][^\n]*)*)")
_BOUNDARY = re.compile(rb"(?i)\bboundary\s*=\s*(?:\"([^\"\n]+)\"|([^\s;\"]+))")
_ENCODING = re.compile(rb"(?im)^content-transfer-encoding:\s*(base64|quoted-printable)")
_BLOCK = re.compile(r"(?i)</?(?:p|div|br|tr|td|li|h\d|table)\b[^<>]*>")
_TAG = re.compile(r"<[^<>]*>")
_HUGE_NUMBER = re.compile(r"&#\d{8,}")
"""No character has such a number, and Python refuses to read very long ones."""


class Kind(enum.Enum):
    DELIVERY_STATUS = enum.auto()
    TEXT = enum.auto()


_KINDS = {
    b"message/delivery-status": Kind.DELIVERY_STATUS,
    b"message/global-delivery-status": Kind.DELIVERY_STATUS,
    b"text/plain": Kind.TEXT,
    b"text/html": Kind.TEXT,
    b"": Kind.TEXT,
}


def leaves(text: str | bytes) -> list[tuple[Kind, str]]:
    """The delivery status first, then the texts; a text that is no message as it is."""
    raw = _octets(text).replace(b"\r\n", b"\n").lstrip(b"\n")
    if not _MESSAGE_FIELD.search(raw[:_HEADER_LENGTH].partition(b"\n\n")[0]):
        return [(Kind.TEXT, _decoded(raw))]
    return sorted(_entity(raw, _DEPTH), key=lambda leaf: leaf[0].value)


def _octets(text: str | bytes) -> bytes:
    """As UTF-8, in which the search is for ASCII only. Windows' shells write UTF-16, with a byte order mark."""
    text = text[:LIMIT]
    if isinstance(text, bytes) and text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = text.decode("utf-16", "replace")
    return text.encode("utf-8", "replace") if isinstance(text, str) else text.removeprefix(codecs.BOM_UTF8)


def _entity(raw: bytes, depth: int) -> Iterator[tuple[Kind, str]]:
    header, _, body = (b"", b"", raw) if raw.startswith(b"\n") else raw.partition(b"\n\n")
    header = header[:_HEADER_LENGTH]
    content_type = _TYPE.search(header)
    name = content_type[1].lower() if content_type else b""
    boundary = _BOUNDARY.search(content_type[2]) if content_type else None
    if boundary and name.startswith(b"multipart/") and depth:
        delimiter = b"\n--" + (boundary[1] or boundary[2])
        for part in (b"\n" + body).split(delimiter, _PARTS)[1:]:
            yield from _entity(part.partition(b"\n")[2], depth - 1)
    elif name in _KINDS:
        yield _KINDS[name], _text(name, header, body)


def _text(name: bytes, header: bytes, body: bytes) -> str:
    encoding = _ENCODING.search(header)
    if encoding:
        body = _unpacked(encoding[1].lower(), body).replace(b"\r\n", b"\n")
    text = _decoded(body)
    if name != b"text/html":
        return text
    return html.unescape(_HUGE_NUMBER.sub(" ", _TAG.sub("", _BLOCK.sub("\n", text))))


def _unpacked(encoding: bytes, body: bytes) -> bytes:
    if encoding == b"quoted-printable":
        return binascii.a2b_qp(body)
    try:
        return binascii.a2b_base64(body)
    except binascii.Error:
        return body


def _decoded(raw: bytes) -> str:
    """Replies are ASCII, and so is what is searched for, whatever the charset is."""
    return raw.decode("utf-8", "replace")
