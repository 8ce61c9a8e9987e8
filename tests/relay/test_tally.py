"""What a worker counts comes into the store, once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from posthouse import observe
from posthouse.relay.tally import TallyKeeper
from posthouse.spool import Store, StoreUnavailable, Tallies, Tally, open_store

NOON = 1_800_000_000 - 1_800_000_000 % 3600


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store(f"sqlite:///{tmp_path / 'posthouse.db'}", tmp_path)
    yield made
    made.close()


def count(messages: int) -> None:
    observe.counters.accepted += messages
    observe.counters.delivered += messages
    observe.counters.delivery_seconds.add(0.2)
    observe.counters.refused("5.7.64")


def test_each_minute_has_what_was_counted_in_it(store: Store) -> None:
    clock = iter([NOON + 60.1, NOON + 120.1, NOON + 180.1])
    keeper = TallyKeeper(store, lambda: next(clock))
    count(2)
    asyncio.run(keeper.write())
    asyncio.run(keeper.write())
    count(3)
    asyncio.run(keeper.write())
    took = (0, 0, 1, *(0,) * 11)
    assert Tallies(store).read(NOON, 60) == {
        NOON: Tally(2, 2, 0, 0, 1, took),
        NOON + 60: Tally(3, 3, 0, 0, 1, took),
    }


def test_what_could_not_be_written_comes_with_the_next(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = TallyKeeper(store, lambda: NOON + 60.1)

    def away(tallies: Tallies, at: float, counted: Tally) -> None:
        raise StoreUnavailable("the disk")

    with monkeypatch.context() as patched:
        patched.setattr(Tallies, "add", away)
        count(2)
        asyncio.run(keeper.write())
    count(3)
    asyncio.run(keeper.write())
    assert Tallies(store).read(NOON, 60)[NOON].accepted == 5
