"""A spool that only remembers what it is told, for tests of what stands on it."""

from __future__ import annotations

from collections.abc import Callable

from posthouse.spool import NewMessage, Settlement


class RecordingSpool:
    """Takes settlements as the spool does, and keeps them for the test to look at."""

    def __init__(self) -> None:
        self.settlements: list[Settlement] = []

    def settle(self, settlement: Settlement, done: Callable[[BaseException | None], None] | None = None) -> None:
        self.settlements.append(settlement)
        if done is not None:
            done(None)

    @property
    def last(self) -> Settlement:
        return self.settlements[-1]

    @property
    def dsns(self) -> list[NewMessage]:
        return [dsn for settlement in self.settlements for dsn in settlement.dsns]
