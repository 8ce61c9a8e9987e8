"""Limits that workers share: never more than the limit in any window, on both engines."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from posthouse.spool import Allowance, Grant, Share, Store, Wish, Workers, allowances
from posthouse.spool.schema import allowance, connection_share
from support.spools import SpoolWorker

MINUTE = Allowance("outbound Office 365: minute", 1.0, ((62, 30),))
EVEN = Allowance("outbound Office 365: minute", 1.0, ((62, 30), (12, 5)))
START = 1_800_000_000.0

StartWorker = Callable[..., SpoolWorker]


def granted(spans: Allowance, asks: list[tuple[float, int, bool]]) -> list[tuple[float, Grant]]:
    """What a limit by itself gives to wishes that come after so many seconds each, without a store."""
    used: dict[int, int] = {}
    now, grants = START, []
    for pause, wanted, modest in asks:
        now += pause
        wish = Wish(spans, 1, wanted, modest)
        free = spans.free(used, spans.bucket(now))
        permits = wish.portion(free)
        if permits:
            used[spans.bucket(now)] = used.get(spans.bucket(now), 0) + permits
        grants.append((now, Grant(permits, spans.good_until(now) - now, spans.opens_at(used) - now, free - permits)))
    return grants


ASKS = st.lists(st.tuples(st.floats(0, 20), st.integers(1, 40), st.booleans()), min_size=1, max_size=60)


@given(ASKS, st.data())
def test_no_window_holds_more_than_the_limit_whenever_the_permits_are_used(
    asks: list[tuple[float, int, bool]], data: st.DataObject
) -> None:
    uses: list[float] = []
    for now, grant in granted(MINUTE, asks):
        last = now + grant.good_for - 1e-6
        uses += [data.draw(st.sampled_from((now, last)), label="used at") for _ in range(grant.permits)]
    assert max(sum(start <= use < start + 60 for use in uses) for start in [*uses, START]) <= 30


@given(ASKS)
def test_there_is_a_permit_when_it_was_said_to_be_there_and_not_before(asks: list[tuple[float, int, bool]]) -> None:
    for index in range(1, len(asks) + 1):
        pause = granted(EVEN, asks[:index])[-1][1].opens_in
        if pause > 0:
            assert granted(EVEN, [*asks[:index], (pause + 1e-3, 1, False)])[-1][1].permits == 1
            assert granted(EVEN, [*asks[:index], (pause - 1e-3, 1, False)])[-1][1].permits == 0


def test_what_is_used_up_comes_back_as_it_was_used() -> None:
    grants = granted(EVEN, [(0, 9, False), *[(1, 9, False)] * 80])
    assert [round(now - START) for now, grant in grants if grant.permits] == [0, 12, 24, 36, 48, 60, 72]


def test_a_modest_wish_leaves_half_to_others_but_never_goes_empty() -> None:
    assert [Wish(MINUTE, 1, 30).portion(free) for free in (0, 1, 2, 5, 30)] == [0, 1, 1, 3, 15]
    assert Wish(MINUTE, 4, 30).portion(5) == 4
    assert Wish(MINUTE, 6, 30).portion(5) == 5


def take(worker: SpoolWorker, wanted: int, now: float = START) -> Grant:
    [grant] = worker.run(worker.spool.permits([Wish(MINUTE, 1, wanted, modest=False)], now))
    return grant


def test_workers_share_a_limit(store: Store, start_worker: StartWorker) -> None:
    one, two = start_worker(store, "one"), start_worker(store, "two")
    assert take(one, 20).permits == 20
    assert take(two, 20).permits == 10
    assert take(one, 20, START + 61) == Grant(0, good_for=2, opens_in=1, left=0)
    assert take(two, 20, START + 62).permits == 20


def test_what_a_dead_worker_had_in_hand_stays_counted(store: Store, start_worker: StartWorker) -> None:
    one, two = start_worker(store, "one"), start_worker(store, "two")
    take(one, 30)
    Workers(store).void(one.spool.worker_id)
    assert take(two, 1).permits == 0


def test_a_clock_that_is_set_back_does_not_stop_the_mail(store: Store, worker: SpoolWorker) -> None:
    take(worker, 30)
    assert take(worker, 30, START - 3600).permits == 30


def test_many_at_once_get_no_more_than_the_limit(store: Store) -> None:
    barrier = threading.Barrier(4)

    def grab(_: int) -> int:
        barrier.wait()
        total = 0
        for _ in range(10):
            with store.transaction() as connection:
                total += allowances.take(connection, Wish(MINUTE, 1, 2), START).permits
        return total

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(grab, range(4))) == 30


def test_old_counts_are_forgotten(store: Store, worker: SpoolWorker) -> None:
    take(worker, 1)
    with store.transaction() as connection:
        allowances.purge(connection, START + 3 * 86400)
        assert connection.scalar(sa.select(sa.func.count()).select_from(allowance)) == 0


class Sharing:
    """Workers that share connections to one host."""

    def __init__(self, store: Store, most: int) -> None:
        self._store = store
        self._most = most
        self.now = START

    def ask(self, worker: int, *, held: int, wanted: int, connector: str = "Sink") -> Share:
        me = (worker, connector)
        with self._store.transaction() as connection:
            return allowances.share(connection, "host", me, most=self._most, held=held, wanted=wanted, now=self.now)


def test_a_worker_alone_gets_all_connections_and_comes_down_when_another_wants_some(store: Store) -> None:
    sharing = Sharing(store, 3)
    assert sharing.ask(1, held=0, wanted=10) == Share(3, 3)
    assert sharing.ask(2, held=0, wanted=10) == Share(0, 1)
    assert sharing.ask(1, held=3, wanted=10) == Share(3, 2)  # three are open still
    assert sharing.ask(2, held=0, wanted=10) == Share(0, 1)
    assert sharing.ask(1, held=2, wanted=10) == Share(2, 2)
    assert sharing.ask(2, held=0, wanted=10) == Share(1, 1)


def test_connectors_of_one_worker_share_what_their_credential_may_have(store: Store) -> None:
    sharing = Sharing(store, 3)
    assert sharing.ask(1, held=0, wanted=10, connector="Scans") == Share(3, 3)
    assert sharing.ask(1, held=0, wanted=10, connector="Alarms") == Share(0, 2)
    assert sharing.ask(1, held=1, wanted=10, connector="Scans") == Share(1, 1)
    assert sharing.ask(1, held=0, wanted=10, connector="Alarms") == Share(2, 2)


def test_who_wants_no_more_leaves_all_to_the_others(store: Store) -> None:
    sharing = Sharing(store, 3)
    sharing.ask(1, held=0, wanted=1)
    assert sharing.ask(2, held=0, wanted=10) == Share(1, 1)
    assert sharing.ask(1, held=0, wanted=0) == Share(0, 0)
    assert sharing.ask(2, held=1, wanted=10) == Share(3, 3)


def test_workers_take_turns_where_connections_are_fewer_than_they(store: Store) -> None:
    sharing = Sharing(store, 1)
    sharing.ask(1, held=0, wanted=1)
    sharing.ask(2, held=0, wanted=1)
    targets = set()
    for _ in range(2):
        targets.add((sharing.ask(1, held=0, wanted=1).target, sharing.ask(2, held=0, wanted=1).target))
        sharing.now += allowances.TURN
    assert targets == {(1, 0), (0, 1)}


def test_connections_of_a_dead_worker_are_free(store: Store, start_worker: StartWorker) -> None:
    one, two = start_worker(store, "one"), start_worker(store, "two")
    ask = {"most": 3, "held": 0, "wanted": 3, "now": START}
    assert one.run(one.spool.connections("host", "Sink", **ask)).connections == 3
    Workers(store).void(one.spool.worker_id)
    assert two.run(two.spool.connections("host", "Sink", **ask)) == Share(3, 3)
    with store.transaction() as connection:
        assert connection.scalars(sa.select(connection_share.c.worker)).all() == [two.spool.worker_id]


@pytest.mark.parametrize("workers", [[1], [1, 2], [1, 2, 3, 4, 5]])
def test_no_more_connections_than_the_limit_are_ever_granted(store: Store, workers: list[int]) -> None:
    sharing = Sharing(store, 3)
    held = dict.fromkeys(workers, 0)
    for step in range(12):
        for worker in workers:
            got = sharing.ask(worker, held=held[worker], wanted=(step + worker) % 4)
            held[worker] = got.connections if got.connections <= got.target else got.target
            assert sum(held.values()) <= 3
        sharing.now += 2
