"""What a worker counts, for whoever looks: plain numbers, which it writes once a second to its place in a file of the
data directory.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_left
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

COUNTS = (
    *("accepted", "delivered", "deferred", "failed"),
    *("sessions", "sessions_open", "connections", "connections_open"),
)
_OTHER = "other"
_REFUSALS = (
    *("4.3.1", "4.3.2", "4.5.3", "4.7.0", "5.1.1", "5.1.3", "5.1.7", "5.3.4", "5.4.6", "5.6.11"),
    *("5.7.0", "5.7.1", "5.7.3", "5.7.51", "5.7.64", "5.7.68", _OTHER),
)
"""Enhanced status codes (RFC 3463) of our own refusals; a fixed number, whatever clients do."""
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
_WORKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

DELIVERY_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)

_FILE = "counters"
_HISTOGRAMS = (_SECONDS, _WORKS, DELIVERY_SECONDS)
_ROW = struct.Struct(f"<{len(COUNTS) + len(_REFUSALS)}q{sum(len(bounds) + 2 for bounds in _HISTOGRAMS)}d")


class Buckets:
    """How often a value was up to each of `bounds`, or beyond; and the sum of all."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Counters:
    """Each number has one thread that changes it. What is open goes down again, the others don't."""

    __slots__ = (*COUNTS, "commit_seconds", "commit_works", "delivery_seconds", "refusals")

    def __init__(self) -> None:
        self.accepted = self.delivered = self.deferred = self.failed = 0
        self.sessions = self.sessions_open = 0
        self.connections = self.connections_open = 0
        self.refusals = dict.fromkeys(_REFUSALS, 0)
        self.commit_seconds = Buckets(_SECONDS)
        self.commit_works = Buckets(_WORKS)
        self.delivery_seconds = Buckets(DELIVERY_SECONDS)

    def refused(self, status: str) -> None:
        """Something was refused with that enhanced status code."""
        self.refusals[status if status in self.refusals else _OTHER] += 1

    def committed(self, seconds: float, works: int) -> None:
        """A transaction of the store, with so many works in it."""
        self.commit_seconds.add(seconds)
        self.commit_works.add(works)

    def publish(self, data_dir: Path, worker: int) -> None:
        """To that worker's place in the file, if there is one: nothing that is counted is worth a failure."""
        histograms = (self.commit_seconds, self.commit_works, self.delivery_seconds)
        row = _ROW.pack(
            *(getattr(self, name) for name in COUNTS),
            *self.refusals.values(),
            *(number for histogram in histograms for number in (*histogram.counts, histogram.sum)),
        )
        with suppress(OSError), (data_dir / _FILE).open("r+b", buffering=0) as file:
            file.seek(worker * _ROW.size)
            file.write(row)


counters = Counters()


@dataclass(frozen=True, slots=True)
class Histogram:
    """`counts` are those up to each of `bounds`, the last one all there are."""

    bounds: tuple[float, ...]
    counts: tuple[float, ...]
    sum: float


@dataclass(frozen=True, slots=True)
class Row:
    """What a worker has counted since it started."""

    counts: Mapping[str, int]
    refused: Mapping[str, int]
    commit_seconds: Histogram
    commit_works: Histogram
    delivery_seconds: Histogram


def prepare(data_dir: Path, workers: int) -> None:
    """Begin at zero, with a place for each worker."""
    fresh = data_dir / f"{_FILE}.{os.getpid()}"
    fresh.write_bytes(bytes(workers * _ROW.size))
    fresh.replace(data_dir / _FILE)


def rows(data_dir: Path) -> list[Row]:
    """Of all workers. None where no `serve` has begun."""
    try:
        content = (data_dir / _FILE).read_bytes()
    except OSError:
        return []
    whole = len(content) - len(content) % _ROW.size
    return [_row(cells) for cells in _ROW.iter_unpack(content[:whole])]


def _row(cells: tuple[float, ...]) -> Row:
    numbers = iter(cells)
    return Row(
        {name: int(next(numbers)) for name in COUNTS},
        {status: int(next(numbers)) for status in _REFUSALS},
        *(
            Histogram(bounds, tuple(accumulate(next(numbers) for _ in range(len(bounds) + 1))), next(numbers))
            for bounds in _HISTOGRAMS
        ),
    )
