"""How much accepted mail a worker keeps in its hands; what is over it waits in the store until there is room."""

from __future__ import annotations

from posthouse.mail import Content

MEMORY_LIMIT = 64 << 20
"""Bytes of content in memory for hand-over."""
RECIPIENT_LIMIT = 10_000
"""Leased at once: each may become a delivery of its own."""


class Budget:
    """Counts the recipients leased to this worker and the memory of their messages' contents."""

    def __init__(self, memory_limit: int = MEMORY_LIMIT, recipient_limit: int = RECIPIENT_LIMIT) -> None:
        self._memory_limit = memory_limit
        self._recipient_limit = recipient_limit
        self._memory = 0
        self._recipients = 0

    @property
    def room(self) -> int:
        """How many more recipients may be leased."""
        return 0 if self._memory >= self._memory_limit else self._recipient_limit - self._recipients

    def reserve(self, content: Content, recipients: int, *, force: bool = False) -> bool:
        """Count recipients of a message in, unless that would pass a limit; `force` for what is leased already."""
        memory = content.size if content.in_memory else 0
        full = self._recipients + recipients > self._recipient_limit or self._memory + memory > self._memory_limit
        if full and not force:
            return False
        self._recipients += recipients
        self._memory += memory
        return True

    def release(self, content: Content, recipients: int) -> None:
        """Count them out: they are settled, or were never spooled."""
        self._recipients -= recipients
        self._memory -= content.size if content.in_memory else 0
