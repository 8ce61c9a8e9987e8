from __future__ import annotations

import pytest
from bench.guard import compare
from bench.walk import walk


@pytest.mark.parametrize("size", [4 << 10, 64 << 10])
def test_every_message_of_the_walk_goes_all_the_way(size: int) -> None:
    assert walk(40, size) == 40


def test_the_guard_warns_past_15_percent() -> None:
    (dearer,) = compare({"4 KiB": 1_160_000}, {"4 KiB": 1_000_000})
    assert dearer.startswith("WARNING: 4 KiB: 1,160,000 instructions a message, +16.0% since the record of 1,000,000")


@pytest.mark.parametrize("count", [1_149_000, 1_000_000, 860_000])
def test_less_than_that_is_only_told(count: int) -> None:
    (line,) = compare({"4 KiB": count}, {"4 KiB": 1_000_000})
    assert line.endswith("since the record of 1,000,000")


def test_a_gain_is_to_be_recorded() -> None:
    (line,) = compare({"4 KiB": 800_000}, {"4 KiB": 1_000_000})
    assert "-20.0%" in line
    assert line.endswith("keep it by `python -m bench.guard --record`")


def test_without_a_record_there_is_nothing_to_compare() -> None:
    (line,) = compare({"4 KiB": 1_000_000}, {})
    assert "nothing recorded" in line
