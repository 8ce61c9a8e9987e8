"""How much a script may do: it ends in bounded time and memory, whatever it says.

Steps and sizes are counted, before anything is made; the rest is measured: the processor's time, and the memory that
the process has come to hold.
"""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NoReturn

from posthouse.cmdlets.errors import Place

_CALLS = 16  # of `step` and `charge` for one measurement
_SLOW = "it takes too long; is there a loop without an end, or a regular expression that tries too much?"
_LARGE = "its texts and arrays grow too large"


class LimitReached(Exception):
    """The script was stopped. No `catch` sees it. `place` is the statement that ran, if that is known."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
        self.place: Place | None = None

    def __str__(self) -> str:
        where = f"{self.place.file}:{self.place.line}:{self.place.column}: " if self.place else ""
        return f"{where}the script was stopped: {self.why}"


@dataclass(slots=True)
class Budget:
    """What is left. `size` counts all that was ever made, in characters and elements; `seconds` and `memory` are what
    the process may use on top of what it had used when the script began; `waiting` is how long it may sleep.
    """

    steps: int = 5_000_000
    size: int = 256 << 20
    output: int = 64 << 20
    seconds: float = 30.0
    memory: int = 1 << 30
    waiting: float = 3600.0
    _full: tuple[int, int, int, float] = field(init=False)
    _until: float = field(init=False)
    _up_to: int = field(init=False)
    _calls: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._full = (self.steps, self.size, self.output, self.waiting)
        self.refill()

    def refill(self) -> None:
        """For the next script of a session."""
        self.steps, self.size, self.output, self.waiting = self._full
        used = resource.getrusage(resource.RUSAGE_SELF)
        self._until = used.ru_utime + self.seconds
        self._up_to = used.ru_maxrss + (self.memory >> 10)

    def step(self, count: int = 1) -> None:
        self.steps -= count
        if self.steps < 0:
            raise LimitReached("it takes too many steps; is there a loop without an end?")
        self._measure()

    def charge(self, size: int) -> None:
        """Before something of that size is made."""
        self.size -= size
        if self.size < 0:
            raise LimitReached(_LARGE)
        self._measure()

    def write(self, size: int) -> None:
        self.output -= size
        if self.output < 0:
            raise LimitReached("it writes too much")

    def wait(self, seconds: float) -> None:
        self.waiting -= seconds
        if self.waiting < 0:
            raise LimitReached("it waits too long")
        time.sleep(seconds)

    def _measure(self) -> None:
        self._calls += 1
        if self._calls % _CALLS:
            return
        used = resource.getrusage(resource.RUSAGE_SELF)
        if used.ru_utime > self._until:
            raise LimitReached(_SLOW)
        if used.ru_maxrss > self._up_to:
            raise LimitReached(_LARGE)

    @contextmanager
    def in_time(self) -> Iterator[None]:
        """Around a regular expression, which is one step for us and may take forever; in the main thread only."""

        def stop(*_: object) -> NoReturn:
            raise LimitReached(_SLOW)

        left = self._until - resource.getrusage(resource.RUSAGE_SELF).ru_utime
        before = signal.signal(signal.SIGVTALRM, stop)
        signal.setitimer(signal.ITIMER_VIRTUAL, max(left, 0.001))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)
