"""Numbers over time: what all workers counted, minute by minute."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from posthouse.spool import Store, Tallies, Tally, open_store
from posthouse.spool.tally import KEPT

NOON = 1_800_000_000 - 1_800_000_000 % 3600
TOOK = (0, 2, *(0,) * 12)


def test_workers_add_to_the_same_minute(store: Store, store_url: str) -> None:
    counted = Tally(accepted=1, delivered=2, deferred=3, failed=4, refused=5, took=TOOK)

    def add(at: float) -> None:
        other = open_store(store_url, store.data_dir)
        Tallies(other).add(at, counted)
        other.close()

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(add, [NOON, NOON + 59.9, NOON + 30, NOON + 60]))
    assert Tallies(store).read(NOON, 60) == {
        NOON: Tally(3, 6, 9, 12, 15, (0, 6, *(0,) * 12)),
        NOON + 60: counted,
    }


def test_minutes_are_put_together_in_longer_spans(store: Store) -> None:
    tallies = Tallies(store)
    for minute in (0, 14, 15, 44):
        tallies.add(NOON + 60 * minute, Tally(accepted=1))
    counts = {at - NOON: tally.accepted for at, tally in tallies.read(NOON, 900).items()}
    assert counts == {0: 2, 900: 1, 1800: 1}
    assert Tallies(store).read(NOON + 60 * 15, 900).keys() == {NOON + 900, NOON + 1800}


def test_what_is_older_than_is_shown_goes(store: Store) -> None:
    tallies = Tallies(store)
    tallies.add(NOON, Tally(accepted=1))
    tallies.add(NOON + KEPT, Tally(accepted=1))
    assert len(tallies.read(0, 60)) == 2
    tallies.add(NOON + KEPT + 60, Tally(accepted=1))
    assert min(tallies.read(0, 60)) == NOON + KEPT
