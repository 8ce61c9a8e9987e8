"""How much accepted mail a worker keeps in its hands; what is over it waits in the store until there is room."""

from __future__ import annotations

from posthouse.mail import Content

MEMORY_LIMIT = 64 << 20
"""Bytes of content in memory for hand-over."""
MESSAGE_LIMIT = 10_000


class Budget:
    """Counts the messages leased to this worker and the memory of their contents."""

    def __init__(self, memory_limit: int = MEMORY_LIMIT, message_limit: int = MESSAGE_LIMIT) -> None:
        self._memory_limit = memory_limit
        self._message_limit = message_limit
        self._memory = 0
        self._messages = 0

    @property
    def room(self) -> int:
        """How many more messages may be leased."""
        return 0 if self._memory >= self._memory_limit else self._message_limit - self._messages

    def reserve(self, content: Content, *, force: bool = False) -> bool:
        """Count a message in, unless that would pass a limit; `force` for what is leased already."""
        memory = content.size if content.in_memory else 0
        full = self._messages >= self._message_limit or self._memory + memory > self._memory_limit
        if full and not force:
            return False
        self._messages += 1
        self._memory += memory
        return True

    def release(self, content: Content) -> None:
        """Count a message out: it is settled, or was never spooled."""
        self._messages -= 1
        self._memory -= content.size if content.in_memory else 0
