"""The bytes between DATA and the dot: unstuffed, with CRLF line ends, behind one interface for small and huge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol


class Content(Protocol):
    """Bytes of a message that can be read as often as wanted."""

    @property
    def size(self) -> int:
        """Bytes in all."""
        ...

    @property
    def in_memory(self) -> bool:
        """False when `chunks` reads a file or a database and so must run outside the event loop."""
        ...

    def chunks(self) -> Iterator[bytes]:
        """The bytes in order, in pieces of a size that the holder chose (at most about 256 KiB from a file)."""
        ...


@dataclass(frozen=True, slots=True)
class MemoryContent:
    """Content held in memory as the pieces it came in, never joined."""

    parts: tuple[bytes, ...]
    size: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", sum(map(len, self.parts)))

    @property
    def in_memory(self) -> bool:
        return True

    def chunks(self) -> Iterator[bytes]:
        return iter(self.parts)


@dataclass(frozen=True, slots=True)
class HeadReplaced:
    """Another content with `head` in place of its first `skipped` bytes."""

    content: Content
    skipped: int
    head: bytes

    @property
    def size(self) -> int:
        return self.content.size - self.skipped + len(self.head)

    @property
    def in_memory(self) -> bool:
        return self.content.in_memory

    def chunks(self) -> Iterator[bytes]:
        yield self.head
        left = self.skipped
        for chunk in self.content.chunks():
            if len(chunk) > left:
                yield chunk[left:]
            left = max(left - len(chunk), 0)
