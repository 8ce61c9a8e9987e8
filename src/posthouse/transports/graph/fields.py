"""What the header of a part of MIME says of it (RFC 2045, 2183, 2231, 2392). Pure."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from typing import Final

from posthouse.mail import encoded_words
from posthouse.mail.text import one_line

_FIELD: Final = re.compile(
    rb"(?im)^content-(type|disposition|transfer-encoding|id)[ \t]*:((?:[^\n]*\n)(?:[ \t][^\n]*\n)*)"
)
_LONGEST: Final = 8 << 10
"""Bytes of a field that are looked at: what Python's email package makes of more isn't linear."""
_BOUNDARY: Final = 70
"""Characters of a boundary (RFC 2046 5.1.1)."""
_NAME: Final = 255


@dataclass(frozen=True, slots=True)
class PartFields:
    """`type` is `text/plain` where none is said (RFC 2045 5.2); `encoding` and `disposition` are in lower case.
    `boundary` is empty where there is none, or one that is too long."""

    type: str
    boundary: bytes
    encoding: str
    disposition: str
    name: str
    content_id: str

    @property
    def is_multipart(self) -> bool:
        return self.type.startswith("multipart/")

    @property
    def is_text(self) -> bool:
        """To be read in the message, not beside it."""
        return self.type.startswith("text/") and self.disposition != "attachment" and not self.name


def part_fields(block: bytes) -> PartFields:
    """Never raises. Of a field that comes twice the first counts."""
    message = Message()
    for match in _FIELD.finditer(block):
        name = f"content-{match[1].decode().lower()}"
        if name not in message:
            message[name] = match[2][:_LONGEST].replace(b"\r\n", b"").decode("utf-8", "replace").strip()
    boundary = _parameter(message.get_boundary).encode("utf-8", "replace")
    return PartFields(
        type=message.get_content_type(),
        boundary=boundary if len(boundary) <= _BOUNDARY else b"",
        encoding=str(message.get("content-transfer-encoding", "")).strip().lower(),
        disposition=message.get_content_disposition() or "",
        name=one_line(encoded_words.decode(_parameter(message.get_filename)))[:_NAME].strip(),
        content_id=str(message.get("content-id", "")).strip().strip("<>"),
    )


def _parameter(read: Callable[[str], str]) -> str:
    """Empty where the email package breaks on its charset or its number (RFC 2231)."""
    with contextlib.suppress(ValueError):
        return read("")
    return ""
