"""Numbers over time, what is most used, and what goes wrong, as an administrator gets them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.admin import Administration, Period, quantile
from posthouse.observe import DELIVERY_SECONDS
from posthouse.spool import Store, Tallies, Tally, open_store
from support.spools import SpoolWorker, delivered, failed, new_message

NOON = 1_800_000_000 // 86_400 * 86_400
COUNTS = st.lists(st.integers(0, 10_000), min_size=14, max_size=14)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store(f"sqlite:///{tmp_path / 'posthouse.db'}", tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize(("period", "parts"), [(Period.HOUR, 60), (Period.DAY, 96), (Period.WEEK, 84)])
def test_a_period_has_all_its_parts_the_current_one_last(store: Store, period: Period, parts: int) -> None:
    Tallies(store).add(NOON, Tally(accepted=3))
    points = Administration(store).traffic.over(period, until=NOON + 30)
    assert len(points) == parts
    assert {after.at - before.at for before, after in pairwise(points)} == {period.step}
    assert [point.tally.accepted for point in points if point.tally.accepted] == [3]
    assert points[-1].tally.accepted == 3


def test_what_is_most_used_and_what_goes_wrong(store: Store) -> None:
    worker = SpoolWorker(store)
    mail = [new_message() for _ in range(3)]
    worker.accept(*mail)
    worker.settle(delivered(mail[0].message), failed(mail[1].message), failed(mail[2].message))
    worker.close()
    found = Administration(store).traffic.recently()
    assert (found.inbound, found.outbound, found.destinations) == (
        (("Scanners", 3),),
        (("Internet", 3),),
        (("example.net", 3),),
    )
    (trouble,) = found.troubles
    assert (str(trouble.reply), trouble.failed, trouble.waiting) == ("550 5.1.1 No such user", 2, 0)


def test_a_quantile_lies_in_its_bucket() -> None:
    assert quantile([0, 0, 4, 0, *[0] * 10], 0.5) == pytest.approx(0.175)
    assert quantile([0] * 14, 0.5) is None
    assert quantile([0] * 13 + [1], 0.5) == math.inf


@given(COUNTS, st.floats(0.01, 1))
def test_as_many_are_within_a_quantile_as_it_says(counts: list[int], share: float) -> None:
    found = quantile(counts, share)
    if found is None:
        assert sum(counts) == 0
        return
    bucket = sum(bound < found - 1e-9 for bound in DELIVERY_SECONDS)
    assert sum(counts[:bucket]) <= share * sum(counts) * (1 + 1e-9) <= sum(counts[: bucket + 1]) * (1 + 1e-6)
    slowest = quantile(counts, 1.0)
    assert slowest is not None
    assert slowest >= found
