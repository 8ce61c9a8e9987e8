"""Numbers over time: a row for each minute in which something happened, with what all workers counted in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from posthouse.spool.schema import tally
from posthouse.spool.store import Store

MINUTE = 60
KEPT = 8 * 86_400
"""Seconds. Nothing shows more than a week, so there are never more than 11,520 rows."""

_COUNTS = tuple(column for column in tally.columns if column is not tally.c.at)
_NO_TIMES = tuple(0 for column in _COUNTS if column.name.startswith("took_"))


@dataclass(frozen=True, slots=True)
class Tally:
    """Messages accepted; recipients delivered to, deferred (each time) and given up; refusals of ours.

    `took` are deliveries by the time since acceptance, those up to each of `DELIVERY_SECONDS`, and longer ones.
    """

    accepted: int = 0
    delivered: int = 0
    deferred: int = 0
    failed: int = 0
    refused: int = 0
    took: tuple[int, ...] = _NO_TIMES

    @classmethod
    def of_numbers(cls, numbers: Sequence[int]) -> Tally:
        """In the order of the columns."""
        plain = len(numbers) - len(_NO_TIMES)
        return cls(*numbers[:plain], took=tuple(numbers[plain:]))

    @property
    def numbers(self) -> tuple[int, ...]:
        return (self.accepted, self.delivered, self.deferred, self.failed, self.refused, *self.took)


class Tallies:
    """Of all workers of all nodes. Blocking."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, at: float, counted: Tally) -> None:
        """To what is there of that minute. What is too old goes. Raises `SpoolError`."""
        minute = int(at // MINUTE) * MINUTE
        with self._store.transaction() as connection:
            dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
            values = {column.name: number for column, number in zip(_COUNTS, counted.numbers, strict=True)}
            row = dialect.insert(tally).values(at=minute, **values)
            sums = {column.name: column + row.excluded[column.name] for column in _COUNTS}
            connection.execute(row.on_conflict_do_update(index_elements=[tally.c.at], set_=sums))
            connection.execute(tally.delete().where(tally.c.at < minute - KEPT))

    def read(self, since: float, step: int) -> dict[int, Tally]:
        """By the start of each span of `step` seconds, as far as something happened in it."""
        start = (tally.c.at - tally.c.at % step).label("start")
        query = sa.select(start, *map(sa.func.sum, _COUNTS)).where(tally.c.at >= int(since)).group_by(start)
        with self._store.reading() as connection:
            return {int(at): Tally.of_numbers([*map(int, sums)]) for at, *sums in connection.execute(query)}
