"""The way of a message: its `Received` fields, oldest first, with the time from one to the next.

A delay is the difference of two clocks. Where they contradict each other, as few of them as possible are taken to be
wrong: the longest run of stamps that can all be right is believed, and among equals the one that needs the least time,
since a wrong clock is more usual than a long wait. What a wrong clock touches is marked, and counts nothing in the
shares.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from posthouse.analysis.received import Received

SKEW_SECONDS = 5.0
"""Clocks that differ by less are as good as clocks get."""

LONGEST_DELAY_SECONDS = 30 * 86_400.0
"""No queue keeps mail so long: it is a clock that was never set."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One server that the message came to.

    `delay` is in seconds since the last hop whose time is known, negative if clocks differ; None if unknown. `skewed`
    tells that it was measured with a wrong clock, here or there; `wrong_clock` that it is this hop's. `share` is the
    part of the whole transit that this hop took, 0 to 1.
    """

    number: int
    received: Received
    delay: float | None
    share: float = 0.0
    skewed: bool = False
    wrong_clock: bool = False

    def to_json(self) -> dict[str, object]:
        """The contract of DESIGN.md section 9, and more."""
        received = self.received
        return {
            "number": self.number,
            "from": str(received.source),
            "from_name": received.source.helo,
            "from_rdns": received.source.rdns,
            "from_ip": received.source.ip,
            "by": received.by,
            "with": received.protocol,
            "tls": received.tls_version,
            "cipher": received.cipher,
            "client_certificate": received.client_certificate,
            "user": received.user,
            "id": received.id,
            "for": received.recipient,
            "via": received.via,
            "time": utc(received.time),
            "local_time": received.time.isoformat() if received.time else None,
            "delay": self.delay,
            "skewed": self.skewed,
            "share": round(self.share, 4),
        }


@dataclass(frozen=True, slots=True)
class _Run:
    """Stamps that can all be right, the last of them, and in `seconds` the time from the first to it."""

    place: int
    at: float
    length: int = 1
    seconds: float = 0.0
    before: _Run | None = None

    def then(self, place: int, at: float) -> _Run:
        return _Run(place, at, self.length + 1, self.seconds + max(at - self.at, 0.0), self)


def hops(received: Iterable[Received]) -> tuple[Hop, ...]:
    """Numbered from 1. The fields are oldest first. The time it takes grows with the square of their number."""
    fields = tuple(received)
    stamps = {place: field.time.timestamp() for place, field in enumerate(fields) if field.time}
    run = _believed(stamps)
    steps = _steps(run)
    made: list[Hop] = []
    last: int | None = None
    for place, field in enumerate(fields):
        known = place in stamps
        made.append(
            Hop(
                place + 1,
                field,
                delay=round(stamps[place] - stamps[last], 3) if known and last is not None else None,
                share=steps.get(place, 0.0) / run.seconds if run and run.seconds else 0.0,
                skewed=known and last is not None and not {place, last} <= steps.keys(),
                wrong_clock=known and place not in steps,
            )
        )
        last = place if known else last
    return tuple(made)


def transit(way: Sequence[Hop]) -> float | None:
    """Seconds from the first hop to the last, of those whose clocks agree; None where there are no two of them."""
    times = [hop.received.time for hop in way if hop.received.time and not hop.wrong_clock]
    return max((times[-1] - times[0]).total_seconds(), 0.0) if len(times) > 1 else None


def utc(time: datetime | None) -> str | None:
    return time.astimezone(UTC).isoformat() if time else None


def _believed(stamps: Mapping[int, float]) -> _Run | None:
    runs: list[_Run] = []
    for place, at in stamps.items():
        possible = [run for run in runs if -SKEW_SECONDS <= at - run.at <= LONGEST_DELAY_SECONDS]
        before = max(
            possible, key=lambda run: (run.length, -run.seconds - max(at - run.at, 0.0), run.place), default=None
        )
        runs.append(before.then(place, at) if before else _Run(place, at))
    return max(runs, key=lambda run: (run.length, -run.seconds, run.place), default=None)


def _steps(run: _Run | None) -> dict[int, float]:
    """Each place of the run, and the seconds since the one before."""
    steps: dict[int, float] = {}
    while run:
        steps[run.place] = run.seconds - (run.before.seconds if run.before else 0.0)
        run = run.before
    return steps
