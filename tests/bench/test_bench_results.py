from __future__ import annotations

from pathlib import Path

from bench.results import Part, Spread, load, quantile, ratios, save
from hypothesis import given
from hypothesis import strategies as st


def test_a_spread_is_shown_as_its_median_with_lowest_and_highest() -> None:
    assert Spread.of([484, 515, 561]).text(0) == "515 [484–561]"
    assert Spread.of([3.1, 2.95]).text(1, "×") == "3.0× [3.0–3.1]"
    assert Spread.of([1234.4, 1234.4]).text(0) == "1,234"


def test_ratios_are_those_of_each_round() -> None:
    assert ratios([10, 30], [5, 10]) == [2, 3]
    assert ratios([10, 30], [5]) == [2], "a relay that was left out of the second round"
    assert ratios([10], [0]) == []


def test_a_quantile_is_a_value_that_was_measured() -> None:
    assert quantile([*range(1, 101)], 0.99) == 99
    assert quantile([7, 3, 5], 0.5) == 5
    assert quantile([4], 0.99) == 4


@given(st.lists(st.integers(), min_size=1), st.floats(0, 1))
def test_that_share_of_all_is_at_or_below_a_quantile(values: list[int], share: float) -> None:
    limit = quantile(values, share)
    assert limit in values
    assert sum(value <= limit for value in values) >= share * len(values)


def test_each_round_adds_its_figures_and_a_file_keeps_them(tmp_path: Path) -> None:
    part = Part("2026-11-24", 2, {"memory": "24 GiB"}, {"Python": "3.11"})
    part.add("4 KiB", "postfix", rate=500, cpu=3.1)
    part.add("4 KiB", "postfix", rate=520, cpu=3.0)
    assert part.cases == {"4 KiB": {"postfix": {"rate": [500, 520], "cpu": [3.1, 3.0]}}}

    save(tmp_path / "docs" / "performance.json", {"throughput": part})
    assert load(tmp_path / "docs" / "performance.json") == {"throughput": part}
    assert load(tmp_path / "none.json") == {}
