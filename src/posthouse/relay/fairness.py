"""Whose mail goes next where mail has to wait: senders take turns, so a flood delays nobody but its sender. Pure."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Generic, TypeVar

from posthouse.organization import Priority

T = TypeVar("T")

COST = {Priority.HIGH: 1, Priority.NORMAL: 4, Priority.LOW: 16}
"""What a turn costs a sender: one of high priority gets four for each of a normal one. Nobody waits for ever."""

_CLOCKS = 1000
"""Senders whose clocks are kept without a look at those that have run down."""

_by_order = attrgetter("order")


@dataclass(frozen=True, slots=True)
class Waiting(Generic[T]):
    """`order` is that of the sender's own mail: message ids sort by time. `weight` is how much it weighs here."""

    order: str
    weight: float
    item: T


@dataclass(slots=True)
class _Line(Generic[T]):
    """A sender's mail that waits, and when its turn is, in turns of all."""

    turn: float
    cost: int
    waiting: list[Waiting[T]] = field(default_factory=list[Waiting[T]])


class FairQueue(Generic[T]):
    """A line for each sender, in which the oldest mail is first. They take turns, as their priorities have it.

    This is weighted fair queuing by turns: a sender's next turn is its `cost` after its last one, and not before the
    present, so that nobody saves up turns while having no mail.
    """

    def __init__(self) -> None:
        self._lines: dict[Hashable, _Line[T]] = {}
        self._now = 0.0
        self._count = 0
        self.weight = 0.0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[T]:
        return (each.item for line in self._lines.values() for each in line.waiting)

    def put(self, sender: Hashable, priority: Priority, order: str, item: T, weight: float = 0.0) -> None:
        line = self._lines.get(sender)
        if line is None:
            cost = COST[priority]
            line = self._lines[sender] = _Line(self._now + cost, cost)
        insort(line.waiting, Waiting(order, weight, item), key=_by_order)
        self._count += 1
        self.weight += weight

    def waiting(self, sender: Hashable) -> int:
        line = self._lines.get(sender)
        return len(line.waiting) if line else 0

    def first(self, may_go: Callable[[T], bool]) -> T | None:
        """The first, in the order of turns, that may go; it stays where it is."""
        for line in sorted(self._lines.values(), key=attrgetter("turn")):
            for each in line.waiting:
                if may_go(each.item):
                    return each.item
        return None

    def take(self, sender: Hashable, item: T) -> None:
        """It goes: its sender has had its turn."""
        line = self._lines[sender]
        self._now = max(self._now, line.turn)
        line.turn = self._now + line.cost
        self.remove(sender, item)

    def remove(self, sender: Hashable, item: T) -> None:
        line = self._lines[sender]
        self._remove(sender, next(n for n, each in enumerate(line.waiting) if each.item is item))

    def displace(self) -> T:
        """The newest mail of the sender that would need longest for what it has here: so a flood makes room first."""
        sender, line = max(self._lines.items(), key=lambda pair: len(pair[1].waiting) * pair[1].cost)
        return self._remove(sender, len(line.waiting) - 1)

    def _remove(self, sender: Hashable, index: int) -> T:
        waiting = self._lines[sender].waiting
        gone = waiting.pop(index)
        self._count -= 1
        self.weight = self.weight - gone.weight if self._count else 0.0
        if not waiting:
            del self._lines[sender]
        return gone.item


class Clocks:
    """When mail that was sent back to the store is due again: a sender's alone as fast as it could go, that of many
    twice as fast in all. Rather too early than too late: what finds no permit then takes its place by its age."""

    def __init__(self) -> None:
        self._last: dict[Hashable, float] = {}
        self._look_at = _CLOCKS

    def due(self, sender: Hashable, now: float, earliest: float, interval: float) -> float:
        """After the sender's last one, and not before `earliest`. Each `interval` one mail may go."""
        if len(self._last) >= self._look_at:
            self._last = {one: last for one, last in self._last.items() if last > now}
            self._look_at = max(_CLOCKS, 2 * len(self._last))
        at = self._last[sender] = max(earliest, self._last.get(sender, 0.0)) + interval * max(1, len(self._last) / 2)
        return at
