"""How the mail goes: numbers over time, what is most used, and why recipients did not get theirs."""

from __future__ import annotations

import enum
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from posthouse.admin.audit import Ledger
from posthouse.admin.roles import Acts
from posthouse.mail import Reply
from posthouse.observe import DELIVERY_SECONDS, rows
from posthouse.spool import Group, Overview, State, Store, Tallies, Tally, Used

_DAY = 86_400.0
_MOST_SHOWN = 5


class Period(enum.Enum):
    """How long it is, in seconds."""

    HOUR = 3600
    DAY = 86_400
    WEEK = 7 * 86_400

    @property
    def step(self) -> int:
        """Of each of its parts."""
        return {Period.HOUR: 60, Period.DAY: 900, Period.WEEK: 7200}[self]


@dataclass(frozen=True, slots=True)
class Point:
    """What was counted from `at` on."""

    at: int
    tally: Tally


@dataclass(frozen=True, slots=True)
class Trouble:
    """Recipients that failed, or that wait after a try, with the same status. `reply` is one of theirs."""

    reply: Reply
    failed: int
    waiting: int
    destinations: tuple[str, ...]
    last: float


@dataclass(frozen=True, slots=True)
class Recently:
    """Of the last day, each the most used first. Not `complete`: only the newest recipients were looked at."""

    inbound: tuple[tuple[str, int], ...]
    outbound: tuple[tuple[str, int], ...]
    destinations: tuple[tuple[str, int], ...]
    troubles: tuple[Trouble, ...]
    complete: bool


class Traffic:
    """Of one store. For whoever may see the trace."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._tallies = Tallies(store)
        self._overview = Overview(store)
        self._data_dir: Path = store.data_dir
        self._ledger = ledger

    def over(self, period: Period, until: float | None = None) -> tuple[Point, ...]:
        """Up to now: each part of the period, the oldest first."""
        self._ledger.check(Acts.GET_TRACE)
        step = period.step
        end = int((time.time() if until is None else until) // step) * step + step
        start = end - period.value
        found = self._tallies.read(start, step)
        return tuple(Point(at, found.get(at, Tally())) for at in range(start, end, step))

    def recently(self) -> Recently:
        self._ledger.check(Acts.GET_TRACE)
        recent = self._overview.recent(time.time() - _DAY)
        return Recently(
            inbound=_most(recent.groups, "inbound"),
            outbound=_most(recent.groups, "outbound"),
            destinations=_most(recent.groups, "destination"),
            troubles=_troubles(recent.groups),
            complete=recent.complete,
        )

    def used(self) -> Used:
        """Each connector, by the messages of the last day."""
        self._ledger.check(Acts.GET_TRACE)
        return self._overview.used(time.time() - _DAY)

    def refusals(self) -> tuple[tuple[str, int], ...]:
        """What the workers of this node refused since they started, by enhanced status code."""
        self._ledger.check(Acts.GET_TRACE)
        refused: Counter[str] = Counter()
        for row in rows(self._data_dir):
            refused.update(row.refused)
        return tuple((status, count) for status, count in refused.most_common(_MOST_SHOWN) if count)


def quantile(counts: Sequence[int], share: float) -> float | None:
    """The seconds within which this share of the deliveries was made, as `Tally.took` counts them; None where there was
    none, infinite beyond the longest that is told apart.

    Within a bucket they are taken to be spread evenly, as Prometheus does.
    https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile
    """
    rank, before, lower = share * sum(counts), 0, 0.0
    if not rank:
        return None
    for upper, count in zip(DELIVERY_SECONDS, counts, strict=False):
        if before + count >= rank:
            return lower + (upper - lower) * (rank - before) / count
        before, lower = before + count, upper
    return float("inf")


def _most(groups: Iterable[Group], name: str) -> tuple[tuple[str, int], ...]:
    used: Counter[str] = Counter()
    for group in groups:
        if key := getattr(group, name):
            used[key] += group.recipients
    return tuple(used.most_common(_MOST_SHOWN))


def _troubles(groups: Iterable[Group]) -> tuple[Trouble, ...]:
    """By status, those with the most recipients first."""
    by_status: dict[tuple[int, str], list[Group]] = {}
    for group in groups:
        if group.reply is not None and group.state in (State.FAILED, State.WAITING, State.HELD):
            by_status.setdefault((group.reply.code, group.reply.enhanced), []).append(group)
    troubles = [_trouble(alike) for alike in by_status.values()]
    return tuple(sorted(troubles, key=lambda each: (-each.failed, -each.waiting))[:_MOST_SHOWN])


def _trouble(alike: Sequence[Group]) -> Trouble:
    most = max(alike, key=lambda group: group.recipients)
    assert most.reply is not None
    failed = sum(group.recipients for group in alike if group.state is State.FAILED)
    return Trouble(
        most.reply,
        failed,
        sum(group.recipients for group in alike) - failed,
        tuple(dict.fromkeys(group.destination for group in alike if group.destination)),
        max(group.last or 0.0 for group in alike),
    )
