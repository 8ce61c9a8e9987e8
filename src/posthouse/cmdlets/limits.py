"""How much a script may do: it ends in bounded time and memory, whatever it says."""

from __future__ import annotations

from dataclasses import dataclass, field


class LimitReached(Exception):
    """The script was stopped. No `catch` sees it."""


@dataclass(slots=True)
class Budget:
    """What is left. Memory counts all that was ever made, in characters and elements."""

    steps: int = 1_000_000
    size: int = 256 << 20
    output: int = 64 << 20
    _full: tuple[int, int, int] = field(init=False)

    def __post_init__(self) -> None:
        self._full = (self.steps, self.size, self.output)

    def refill(self) -> None:
        """For the next script of a session."""
        self.steps, self.size, self.output = self._full

    def step(self, count: int = 1) -> None:
        self.steps -= count
        if self.steps < 0:
            raise LimitReached("the script was stopped: it takes too many steps; is there a loop without an end?")

    def charge(self, size: int) -> None:
        """Before something of that size is made."""
        self.size -= size
        if self.size < 0:
            raise LimitReached("the script was stopped: its texts and arrays grow too large")

    def write(self, size: int) -> None:
        self.output -= size
        if self.output < 0:
            raise LimitReached("the script was stopped: it writes too much")
