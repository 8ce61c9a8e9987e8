"""Where content is kept that is too big for a row, and the `Content` that reads it back.

On one machine with SQLite, content above `ROW_LIMIT` goes into files: the writer thread appends it to this worker's
segment, and a message that is too large for memory while it arrives gets a file of its own. Files are made durable
before the commit that refers to them, and removed when no row does any more. (64 KiB: 7,500 messages/s; 2,200 in rows.)
On PostgreSQL, which several machines share, all is in rows; a file only holds a large message while it arrives.
"""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from posthouse.spool.records import StoreUnavailable
from posthouse.spool.turn import FileLock

ROW_LIMIT = 8 << 10
CHUNK = 256 << 10
SEGMENT_SIZE = 32 << 20
_LOCK = "lock"
_BUFFERS = 512  # for one writev; the system's limit is 1024


@dataclass(frozen=True, slots=True)
class FilePiece:
    """A part of a content file. `name` is the file's path below the folder of contents."""

    folder: Path
    name: str
    offset: int
    length: int

    @property
    def path(self) -> Path:
        return self.folder / self.name

    def chunks(self) -> Iterator[bytes]:
        left = self.length
        with self.path.open("rb") as file:
            file.seek(self.offset)
            while left:
                data = file.read(min(left, CHUNK))
                if not data:
                    raise OSError(f"{self.path} is {left} bytes short of what was spooled")
                left -= len(data)
                yield data


@dataclass(frozen=True, slots=True)
class RowPiece:
    """A part of a content that is in a row by itself and is fetched when it is wanted."""

    fetch: Callable[[str, int], bytes]
    message_id: str
    number: int
    length: int

    def chunks(self) -> Iterator[bytes]:
        yield self.fetch(self.message_id, self.number)


class SpooledContent:
    """Content in pieces, some of which may be outside memory.

    A large message that PostgreSQL took moves from the file that it arrived in to rows, by `move`.
    """

    __slots__ = ("pieces",)

    def __init__(self, pieces: Sequence[bytes | FilePiece | RowPiece]) -> None:
        self.pieces = tuple(pieces)

    @property
    def size(self) -> int:
        return sum(len(piece) if isinstance(piece, bytes) else piece.length for piece in self.pieces)

    @property
    def in_memory(self) -> bool:
        return all(isinstance(piece, bytes) for piece in self.pieces)

    def chunks(self) -> Iterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                yield from piece.chunks()

    def move(self, pieces: Sequence[RowPiece]) -> None:
        self.pieces = tuple(pieces)

    def files(self) -> tuple[FilePiece, ...]:
        return tuple(piece for piece in self.pieces if isinstance(piece, FilePiece))


class Incoming:
    """A message's content while it arrives, too large for memory. Made by `Spool.incoming`."""

    __slots__ = ("_contents", "_descriptor", "_name", "_size")

    def __init__(self, contents: ContentFolder) -> None:
        self._contents = contents
        self._name, self._descriptor = contents.new_file()
        self._size = 0

    def write(self, data: bytes) -> None:
        """Raises `StoreUnavailable` where the disk takes no more."""
        try:
            _write_all(self._descriptor, (data,))
        except OSError as error:
            raise unwritable(self._contents.folder, error) from error
        self._size += len(data)

    def finish(self, prefix: bytes = b"") -> SpooledContent:
        """The content for a `NewMessage`: `prefix` (the trace line, the header) stands first, then what was written."""
        self._close()
        piece = FilePiece(self._contents.folder, self._name, 0, self._size)
        return SpooledContent([prefix, piece])

    def discard(self) -> None:
        """Remove the file, unless its content has been handed to `Spool.accept`, which then sees to it."""
        self._close()
        self._contents.discard(self._name)

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class ContentFolder:
    """The content files of this process, in a folder of its own beside those of its siblings and forebears.

    A lock in each folder shows whether its owner lives. Files that no row refers to are removed, in this process's
    folder except those still `in_use`, and in folders of the dead.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._own, self._lock = _claim_folder(folder)
        self._numbers = itertools.count(1)
        self._arriving: set[str] = set()
        self._committing: set[str] = set()
        self._ended_segments: list[str] = []
        self._segment: _Segment | None = None

    def new_file(self) -> tuple[str, int]:
        """Name and descriptor of a new file, `in_use` until it is discarded or its commit is over."""
        name = f"{self._own}/{next(self._numbers)}"
        self._arriving.add(name)
        try:
            return name, os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
        except OSError as error:
            self._arriving.discard(name)
            raise unwritable(self.folder, error) from error

    def discard(self, name: str) -> None:
        if name in self._arriving:
            self._arriving.discard(name)
            (self.folder / name).unlink(missing_ok=True)

    def begin_commit(self, pieces: Iterable[FilePiece]) -> None:
        """From now on the files belong to the commit, not to whoever wrote them."""
        names = {piece.name for piece in pieces} & self._arriving
        self._committing |= names
        self._arriving -= names

    def end_commit(self, pieces: Iterable[FilePiece], *, remove: bool) -> None:
        """`remove` them where it is certain that no row refers to them."""
        for piece in pieces:
            if piece.name in self._committing:
                if remove:
                    piece.path.unlink(missing_ok=True)
                self._committing.discard(piece.name)

    def append(self, parts: Iterable[bytes]) -> FilePiece:
        """Append to the segment; for the writer thread only. Durable after `sync`.

        Raises `OSError` or `StoreUnavailable`.
        """
        segment = self._segment
        if segment is None or segment.size >= SEGMENT_SIZE:
            segment = self._next_segment()
        return segment.append(self.folder, parts)

    def sync(self) -> None:
        """Make what was appended durable. Raises `OSError`."""
        if self._segment is not None:
            self._segment.sync()

    def end_segment(self) -> None:
        """The next `append` begins another one: this one is full, unused, or a failure left its end unclear."""
        segment, self._segment = self._segment, None
        if segment is not None:
            self._ended_segments.append(segment.name)
            with suppress(OSError):
                segment.close()

    def end_batch(self) -> None:
        """What was appended is committed or given up: from now on only rows keep an ended segment."""
        self._arriving.difference_update(self._ended_segments)
        self._ended_segments.clear()

    @property
    def segment(self) -> str | None:
        """The name of the segment under way, if there is one."""
        return self._segment.name if self._segment is not None else None

    def sync_files(self, pieces: Iterable[FilePiece]) -> None:
        """Make the files of a large message durable. Raises `OSError`."""
        for piece in pieces:
            _sync_path(piece.path)
            _sync_path(piece.path.parent)

    def remove_unused(self, used: Callable[[list[str]], set[str]]) -> None:
        """Remove the files among ours and the dead's that `used` doesn't return. Not for the event loop's thread."""
        for folder in self._folders():
            # In this order: a file that is listed and not in use is either referred to by now or never will be.
            names = [f"{folder}/{path.name}" for path in (self.folder / folder).iterdir() if path.name != _LOCK]
            unused = [name for name in names if name not in self._arriving and name not in self._committing]
            left = used(unused)
            for name in set(unused) - left:
                (self.folder / name).unlink(missing_ok=True)
            if folder != self._own and not left:
                shutil.rmtree(self.folder / folder, ignore_errors=True)

    def close(self) -> None:
        self.end_segment()
        self._lock.close()

    def _folders(self) -> Iterator[str]:
        """Our own folder and those whose owner is dead, each locked while it is looked at."""
        for path in self.folder.iterdir():
            if path.name == self._own:
                yield path.name
                continue
            with suppress(OSError):
                lock = FileLock(path / _LOCK)
                try:
                    if lock.try_acquire() and lock.is_current:
                        yield path.name
                finally:
                    lock.close()

    def _next_segment(self) -> _Segment:
        if self._segment is not None:
            self.sync()
            self.end_segment()
        name, descriptor = self.new_file()
        self._segment = _Segment(name, descriptor)
        _sync_path(self.folder / self._own)
        return self._segment


class _Segment:
    """An append-only file."""

    __slots__ = ("_descriptor", "_durable", "name", "size")

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self.size = 0
        self._durable = 0
        self._descriptor = descriptor

    def append(self, folder: Path, parts: Iterable[bytes]) -> FilePiece:
        length = _write_all(self._descriptor, parts)
        piece = FilePiece(folder, self.name, self.size, length)
        self.size += length
        return piece

    def sync(self) -> None:
        if self._durable < self.size:
            _sync(self._descriptor)
            self._durable = self.size

    def close(self) -> None:
        os.close(self._descriptor)


_BINARY = getattr(os, "O_BINARY", 0)
_sync = getattr(os, "fdatasync", os.fsync)


def _sync_path(path: Path) -> None:
    """Make a file, or a folder's entries, durable. Windows can't open a folder, and needs no such call."""
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY | _BINARY if os.name != "nt" else os.O_RDWR | _BINARY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, parts: Iterable[bytes]) -> int:
    """Write the parts in as few calls as the system allows. Returns the bytes written."""
    left = [part for part in parts if part]
    total = sum(map(len, left))
    while left:
        written = os.writev(descriptor, left[:_BUFFERS]) if hasattr(os, "writev") else os.write(descriptor, left[0])
        while left and written >= len(left[0]):
            written -= len(left.pop(0))
        if written:
            left[0] = left[0][written:]
    return total


def _claim_folder(folder: Path) -> tuple[str, FileLock]:
    """Make a folder of our own below `folder` and lock it, before anybody takes it for a dead one's."""
    while True:
        name = secrets.token_hex(6)
        own = folder / name
        try:
            own.mkdir(mode=0o700, parents=True)
            _sync_path(folder)
            lock = FileLock(own / _LOCK)
        except FileNotFoundError:
            continue  # swept away as it was made
        except OSError as error:
            raise unwritable(folder, error) from error
        if lock.try_acquire() and lock.is_current:
            return name, lock
        lock.close()


def unwritable(folder: Path, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"{folder} can't be written: {error.strerror or error}. Nothing was stored; make room there."
    )
