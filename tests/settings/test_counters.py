"""What workers count, and others see."""

from __future__ import annotations

from pathlib import Path

import pytest

from posthouse.observe import Counters, prepare, rows


def published(data_dir: Path, worker: int, **counts: int) -> Counters:
    counters = Counters()
    for name, number in counts.items():
        setattr(counters, name, number)
    counters.publish(data_dir, worker)
    return counters


def test_each_worker_has_a_place_of_its_own(tmp_path: Path) -> None:
    prepare(tmp_path, 2)
    published(tmp_path, 0, accepted=1)
    second = published(tmp_path, 1, accepted=5)
    second.refused("5.7.64")
    second.refused("5.9.9")
    second.publish(tmp_path, 1)
    here, there = rows(tmp_path)
    assert (here.counts["accepted"], there.counts["accepted"]) == (1, 5)
    assert {status: times for status, times in there.refused.items() if times} == {"5.7.64": 1, "other": 1}


@pytest.mark.parametrize(("seconds", "bound"), [(0.0, 0.001), (0.001, 0.001), (0.0011, 0.0025), (99.0, None)])
def test_a_transaction_is_counted_up_to_the_bounds_that_hold_it(
    tmp_path: Path, seconds: float, bound: float | None
) -> None:
    prepare(tmp_path, 1)
    counters = published(tmp_path, 0)
    counters.committed(seconds, 3)
    counters.publish(tmp_path, 0)
    (row,) = rows(tmp_path)
    histogram = row.commit_seconds
    counted = dict(zip((*histogram.bounds, None), histogram.counts, strict=True))
    assert counted[bound] == counted[None] == 1
    assert sum(counted.values()) == len(counted) - list(counted).index(bound)
    assert (histogram.sum, row.commit_works.sum) == (seconds, 3)


def test_a_successor_begins_anew(tmp_path: Path) -> None:
    prepare(tmp_path, 1)
    published(tmp_path, 0, sessions=2, sessions_open=1)
    published(tmp_path, 0, sessions=1)
    (row,) = rows(tmp_path)
    assert (row.counts["sessions"], row.counts["sessions_open"]) == (1, 0)


def test_a_start_begins_anew(tmp_path: Path) -> None:
    prepare(tmp_path, 1)
    published(tmp_path, 0, accepted=1)
    prepare(tmp_path, 2)
    assert [row.counts["accepted"] for row in rows(tmp_path)] == [0, 0]


@pytest.mark.parametrize("content", [None, b"", b"123"])
def test_a_file_that_is_none_stops_nobody(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "counters").write_bytes(content)
    assert rows(tmp_path) == []
    published(tmp_path, 0, accepted=1)
