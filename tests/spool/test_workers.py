"""Leases outlive no worker: what belonged to a dead one is anybody's."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from posthouse.spool import Organizations, State, Store, Trace, Workers
from support.spools import SpoolWorker, deferred, delivered, new_message

StartWorker = Callable[..., SpoolWorker]


@pytest.fixture
def other(store: Store, start_worker: StartWorker) -> SpoolWorker:
    return start_worker(store, node="there")


def test_a_worker_has_a_row_while_it_lives(store: Store, start_worker: StartWorker) -> None:
    worker = SpoolWorker(store, "here")
    [row] = Workers(store).list()
    assert (row.id, row.node) == (worker.spool.worker_id, "here")
    worker.close()
    assert Workers(store).list() == ()
    assert start_worker(store).spool.worker_id > row.id, "an id is never used again"


def test_a_worker_that_ends_gives_its_leases_back(store: Store, other: SpoolWorker) -> None:
    worker = SpoolWorker(store)
    new = new_message()
    worker.accept(new)
    worker.close()
    assert [lease.message.id for lease in other.claim()] == [new.message.id]


def test_a_reaped_worker_is_voided(store: Store, worker: SpoolWorker, other: SpoolWorker) -> None:
    mine, others = new_message(), new_message()
    worker.accept(mine)
    other.accept(others)
    Workers(store).void(worker.spool.worker_id)
    assert [lease.message.id for lease in other.claim()] == [mine.message.id]
    assert [row.id for row in Workers(store).list()] == [other.spool.worker_id]


def test_a_starting_supervisor_voids_its_own_node(store: Store, worker: SpoolWorker, other: SpoolWorker) -> None:
    mine, others = new_message(), new_message()
    worker.accept(mine)
    other.accept(others)
    Workers(store).void_node("here")
    assert [lease.message.id for lease in other.claim()] == [mine.message.id]


def test_a_silent_worker_of_another_node_is_voided(store: Store, worker: SpoolWorker, other: SpoolWorker) -> None:
    new = new_message()
    worker.accept(new)
    now = time.time()
    for seconds in (10, 20):
        other.run(other.spool.heartbeat(now + seconds, 0))
        assert other.claim() == []
    other.run(other.spool.heartbeat(now + 31, 0))
    assert [lease.message.id for lease in other.claim()] == [new.message.id]


def test_nobody_is_voided_by_a_worker_that_was_silent_itself(
    store: Store, worker: SpoolWorker, other: SpoolWorker
) -> None:
    """After the store was away for a minute, all look dead to the first that comes back."""
    worker.accept(new_message())
    now = time.time()
    other.run(other.spool.heartbeat(now + 60, 0))
    worker.run(worker.spool.heartbeat(now + 61, 0))
    other.run(other.spool.heartbeat(now + 70, 0))
    assert other.claim() == []


def test_a_silent_sibling_is_its_supervisors_to_judge(store: Store, start_worker: StartWorker) -> None:
    worker, sibling = start_worker(store), start_worker(store)
    worker.accept(new_message())
    for seconds in (14, 28, 42):
        sibling.run(sibling.spool.heartbeat(time.time() + seconds, 0))
    assert sibling.claim() == []


def test_a_voided_worker_that_lives_enters_itself_again(store: Store, worker: SpoolWorker) -> None:
    identity = worker.spool.worker_id
    Workers(store).void(identity)
    worker.run(worker.spool.heartbeat(time.time(), 3))
    [row] = Workers(store).list()
    assert (row.id, row.revision) == (identity, 3)


def test_what_a_voided_worker_accepted_goes_on_when_it_dies(
    store: Store, worker: SpoolWorker, other: SpoolWorker
) -> None:
    """Its row is gone already: nobody knows of its leases by that."""
    identity, new = worker.spool.worker_id, new_message()
    Workers(store).void(identity)
    worker.accept(new)
    Workers(store).void(identity)
    assert [lease.message.id for lease in other.claim()] == [new.message.id]


def test_what_a_voided_worker_delivered_counts_unless_another_has_it(
    store: Store, worker: SpoolWorker, other: SpoolWorker
) -> None:
    free, taken = new_message(), new_message()
    worker.accept(free, taken)
    Workers(store).void(worker.spool.worker_id)
    other.claim(limit=1)
    worker.settle(delivered(free.message), deferred(taken.message, 0.0))
    states = {Trace(store).show(new.message.id)[0].state for new in (free, taken)}
    leased = [entry for new in (free, taken) for entry in Trace(store).show(new.message.id) if entry.leased]
    assert len(leased) == 1
    assert State.WAITING in states


def test_the_heartbeat_tells_the_stored_revision(store: Store, worker: SpoolWorker) -> None:
    assert worker.run(worker.spool.heartbeat(time.time(), 0)) == 0
    revision = Organizations(store).save({"accepted_domain": []})
    assert worker.run(worker.spool.heartbeat(time.time(), 0)) == revision
    assert worker.run(worker.spool.revision()) == revision
