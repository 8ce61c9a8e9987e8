"""A large message as Graph takes it: what fits into one request, and files to be attached one by one. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from posthouse.transports.graph.decoding import decoder
from posthouse.transports.graph.outline import NotSeparable, Outline, Part

_CONTENT_FIELD: Final = re.compile(rb"(?im)^content-[!-9;-~]+[ \t]*:(?:[^\n]*\n)(?:[ \t][^\n]*\n)*")
_EMPTY_TEXT: Final = b"Content-Type: text/plain; charset=us-ascii\r\n\r\n"
_SEALED: Final = "it is signed or encrypted as a whole, and must not be changed"
_ALL_TEXT: Final = "what is left of it without its attachments is still too large"


@dataclass(frozen=True, slots=True)
class File:
    """What is to be attached. `part` is where its content is."""

    part: Part
    name: str

    @property
    def size(self) -> int:
        return self.part.size

    @property
    def is_inline(self) -> bool:
        """Shown by the text, which names its Content-ID (RFC 2392)."""
        return self.part.is_related and bool(self.part.fields.content_id)


@dataclass(frozen=True, slots=True)
class Fragment:
    """A part of a file's content, in pieces. All but the last one have the same length."""

    file: File
    offset: int
    pieces: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Cut:
    """Bytes of the message that others stand for."""

    start: int
    end: int
    instead: bytes = b""


@dataclass(frozen=True, slots=True)
class Separation:
    """`cuts` make the message small; `files` are in the order in which they stand in it."""

    cuts: tuple[_Cut, ...]
    files: tuple[File, ...]

    def rest(self, chunks: Iterable[bytes]) -> bytes:
        """The message without its files."""
        pieces: list[bytes] = []
        cuts = iter(self.cuts)
        cut = next(cuts, None)
        offset = 0
        for chunk in chunks:
            start, end = offset, offset + len(chunk)
            while cut is not None and cut.start < end:
                if start <= cut.start:
                    pieces += (chunk[start - offset : cut.start - offset], cut.instead)
                start = max(start, min(cut.end, end))
                if cut.end > end:
                    break
                cut = next(cuts, None)
            pieces.append(chunk[start - offset :])
            offset = end
        return b"".join(pieces)

    def fragments(self, chunks: Iterable[bytes], length: int) -> Iterator[Fragment]:
        """The files' contents, in one pass over the message. Raises `ValueError` where it isn't the same any more."""
        for file, pieces in _contents(self.files, chunks):
            done = 0
            for fragment in _grouped(pieces, length):
                yield Fragment(file, done, fragment)
                done += sum(map(len, fragment))
            if done != file.size:
                raise ValueError(f"a part has {done} bytes and not {file.size}")


def separate(found: Outline, size: int, limit: int) -> Separation:
    """As few files as possible leave a message of this size, the largest first, until it has at most `limit` bytes.

    Raises `NotSeparable`.
    """
    leaving: list[Part] = []
    for part in sorted(found.parts, key=lambda part: part.length, reverse=True):
        if size <= limit:
            break
        if part.is_attachable and part.size:  # no upload can be empty
            leaving.append(part)
            size -= part.length
    if size > limit:
        raise NotSeparable(_SEALED if found.is_sealed else _ALL_TEXT)
    leaving.sort(key=lambda part: part.start)
    files = tuple(File(part, _name(part, number)) for number, part in enumerate(leaving, 1))
    return Separation(tuple(_cuts(found, leaving)), files)


def _cuts(found: Outline, leaving: Sequence[Part]) -> Iterator[_Cut]:
    starts = {part.start for part in leaving}
    staying = {part.parent for part in found.parts if part.start not in starts} | found.nesting
    for part in leaving:
        if part.parent < 0:
            yield _Cut(0, part.end, _without_content(found.header))
        elif part.parent in staying:
            yield _Cut(part.start, part.end)
        else:  # a multipart has one part at least (RFC 2046 5.1.1)
            staying.add(part.parent)
            yield _Cut(part.head, part.end, _EMPTY_TEXT)


def _without_content(header: bytes) -> bytes:
    """The header of a message that was nothing but a file, for one with an empty text."""
    return _CONTENT_FIELD.sub(b"", header.removesuffix(b"\r\n")) + _EMPTY_TEXT


def _name(part: Part, number: int) -> str:
    if part.fields.name:
        return part.fields.name
    if part.fields.type == "message/rfc822":
        return f"message-{number}.eml"
    return f"attachment-{number}"


def _contents(files: Sequence[File], chunks: Iterable[bytes]) -> Iterator[tuple[File, Iterator[bytes]]]:
    """Each file with its content, which must be used up before the next one is asked for."""
    source = _Source(chunks)
    for file in files:
        yield file, _decoded(file.part, source)


def _grouped(pieces: Iterable[bytes], length: int) -> Iterator[tuple[bytes, ...]]:
    """The same bytes in groups of so many; the last one may have less."""
    group: list[bytes] = []
    room = length
    for piece in pieces:
        while len(piece) > room:
            yield (*group, piece[:room])
            piece, group, room = piece[room:], [], length
        if piece:
            group.append(piece)
            room -= len(piece)
    if group:
        yield tuple(group)


def _decoded(part: Part, source: _Source) -> Iterator[bytes]:
    undo = decoder(part.fields.encoding)
    assert undo is not None
    for piece in source.range(part.body, part.end):
        yield undo.feed(piece)
    yield undo.close()


class _Source:
    """Ranges of a stream, in their order."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._chunk = b""
        self._offset = 0

    def range(self, start: int, end: int) -> Iterator[bytes]:
        while self._offset < end:
            piece = self._chunk[max(start - self._offset, 0) : end - self._offset]
            if piece:
                yield piece
            if self._offset + len(self._chunk) >= end:
                return
            self._offset += len(self._chunk)
            chunk = next(self._chunks, None)
            if chunk is None:
                return
            self._chunk = chunk
