"""Where the parts of a message are (RFC 2046 5.1), found in one pass without holding more than a piece of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from posthouse.mail import headers
from posthouse.transports.graph.decoding import Decoder, decoder
from posthouse.transports.graph.fields import PartFields, part_fields

_DEPTH: Final = 10
_PARTS: Final = 1000
_HEADER: Final = 256 << 10
_PADDING: Final = 64
"""Blanks allowed behind a boundary (RFC 2046 5.1.1 sets no limit)."""
_FIXED: Final = ("multipart/signed", "multipart/encrypted")
_WHOLE: Final = ("application/pkcs7-mime", "application/x-pkcs7-mime", "application/ms-tnef")
"""S/MIME and Outlook's Rich Text: as the whole of a message they are not a file in it, but the message itself."""


class NotSeparable(Exception):
    """The message can't be taken apart. The text is a clause: why."""


@dataclass(frozen=True, slots=True)
class Part:
    """One that has no parts itself. It goes from `start`, the line end before its delimiter line, to `end`, the line
    end before the next one; in between begin its header, at `head`, and its body. `size` is the decoded body's.
    `parent` numbers its multipart, -1 is none; `is_related`: that is a multipart/related (RFC 2387).
    `is_attachable`: it can leave the message and come back as a file that is attached to it."""

    start: int
    head: int
    body: int
    end: int
    size: int
    parent: int
    is_related: bool
    fields: PartFields
    is_attachable: bool

    @property
    def length(self) -> int:
        """Bytes of the message that it takes."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Outline:
    """`nesting` are the multiparts that have another one in them. `is_sealed`: something is signed or encrypted."""

    header: bytes
    parts: tuple[Part, ...]
    nesting: frozenset[int]
    is_sealed: bool


@dataclass(frozen=True, slots=True)
class _Multipart:
    number: int
    boundary: bytes
    type: str


_NONE: Final = _Multipart(-1, b"", "")


@dataclass(slots=True)
class _Open:
    """The part that is being read."""

    start: int
    head: int
    body: int
    fields: PartFields
    is_attachable: bool
    decoder: Decoder | None
    size: int = 0


class _Outliner:
    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.header = b""
        self.nesting: set[int] = set()
        self.is_sealed = False
        self._data = b""
        self._offset = 0  # of the data in the message
        self._start = 0  # of the delimiter line of the part whose header is awaited
        self._stack: list[_Multipart] = []
        self._multiparts = 0
        self._delimiter: re.Pattern[bytes] | None = None
        self._in_header = True
        self._open: _Open | None = None

    def feed(self, data: bytes) -> None:
        self._data += data
        while self._take_header() if self._in_header else self._take_body():
            pass

    def close(self) -> None:
        if self._in_header:
            self._begin(len(self._data))
        while self._take_body(is_over=True):
            if self._in_header and not self._take_header():
                self._begin(len(self._data))
        self._finish(self._offset + len(self._data), self._data)

    def _take_header(self) -> bool:
        """Whether there was a whole one."""
        end = headers.split(self._data)
        if end > _HEADER:
            raise NotSeparable("the header of one of its parts is too long")
        if end == len(self._data):
            return False
        self._begin(end)
        return True

    def _begin(self, end: int) -> None:
        """A part begins whose header ends there. The blank line's CRLF may be that of a delimiter."""
        block = self._data[:end]
        if not self.header:
            self.header = block
        fields = part_fields(block)
        head, body = self._offset, self._offset + end
        self._in_header = False
        self._consume(max(end - 2, 0))
        self.is_sealed = self.is_sealed or fields.type in (*_FIXED, *_WHOLE)
        if fields.is_multipart and fields.boundary and len(self._stack) < _DEPTH:
            self._push(fields)
            self._open = None
        else:
            attachable = self._is_attachable(fields)
            undo = decoder(fields.encoding) if attachable else None
            self._open = _Open(self._start, head, body, fields, attachable, undo)

    def _push(self, fields: PartFields) -> None:
        if self._stack:
            self.nesting.add(self._stack[-1].number)
        self._stack.append(_Multipart(self._multiparts, fields.boundary, fields.type))
        self._multiparts += 1
        self._require_few(self._multiparts)
        self._compile()

    def _compile(self) -> None:
        boundaries = b"|".join(re.escape(each.boundary) for each in self._stack)
        pattern = rb"\r\n--(%s)(--)?[ \t]{0,%d}(?=\r\n)" % (boundaries, _PADDING)
        self._delimiter = re.compile(pattern) if self._stack else None

    def _is_attachable(self, fields: PartFields) -> bool:
        """Text belongs into the message; what is signed or encrypted must stay as it is, and so must alternatives."""
        if fields.is_text or fields.is_multipart or decoder(fields.encoding) is None:
            return False
        if not self._stack:
            return fields.type not in _WHOLE
        if any(each.type in _FIXED for each in self._stack) or fields.type == "application/ms-tnef":
            return False
        return self._stack[-1].type != "multipart/alternative" or fields.disposition == "attachment"

    def _take_body(self, *, is_over: bool = False) -> bool:
        """Whether a delimiter was found. What may be the beginning of one is kept."""
        data = self._data + b"\r\n" if is_over else self._data
        found = self._delimiter.search(data) if self._delimiter else None
        if found is None:
            longest = max((len(each.boundary) for each in self._stack), default=0)
            kept = longest + _PADDING + 8 if self._stack else 0
            if not is_over and len(self._data) > kept:
                self._read(len(self._data) - kept)
            return False
        start = self._offset + found.start()
        self._finish(start, data[: found.start()])
        self._consume(min(found.end() + 2, len(self._data)))
        while self._stack[-1].boundary != found[1]:
            self._stack.pop()
        if found[2]:
            self._stack.pop()
        else:
            self._in_header = True
            self._start = start
        self._compile()
        return True

    def _read(self, length: int) -> None:
        """So many bytes belong to the part (or to nothing that is read)."""
        if self._open is not None:
            self._count(self._open, self._data[:length])
        self._consume(length)

    def _count(self, part: _Open, data: bytes) -> None:
        if part.decoder is not None:
            skipped = max(part.body - self._offset, 0)
            part.size += len(part.decoder.feed(data[skipped:]))

    def _finish(self, end: int, data: bytes) -> None:
        """The open part, if there is one, ends there, after these last bytes."""
        part, self._open = self._open, None
        if part is None:
            return
        self._count(part, data)
        if part.decoder is not None:
            part.size += len(part.decoder.close())
        parent = self._stack[-1] if self._stack else _NONE
        self.parts.append(
            Part(
                start=part.start,
                head=part.head,
                body=part.body,
                end=end,
                size=part.size,
                parent=parent.number,
                is_related=parent.type == "multipart/related",
                fields=part.fields,
                is_attachable=part.is_attachable,
            )
        )
        self._require_few(len(self.parts))

    def _require_few(self, count: int) -> None:
        if count > _PARTS:
            raise NotSeparable(f"it has more than {_PARTS} parts")

    def _consume(self, length: int) -> None:
        self._data = self._data[length:]
        self._offset += length


def outline(chunks: Iterable[bytes]) -> Outline:
    """Raises `NotSeparable`."""
    outliner = _Outliner()
    for chunk in chunks:
        outliner.feed(chunk)
    outliner.close()
    return Outline(outliner.header, tuple(outliner.parts), frozenset(outliner.nesting), outliner.is_sealed)
