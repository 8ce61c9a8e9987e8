"""What waits, and what became of the newest recipients, at a glance."""

from __future__ import annotations

import time

import pytest

from posthouse.spool import Overview, Queue, QueueFilter, Standing, State, Store, overview
from support.spools import SpoolWorker, deferred, delivered, failed, new_message

HOUR = 3600.0


def test_the_queue_at_a_glance(store: Store, worker: SpoolWorker) -> None:
    now = time.time()
    old, held = new_message(received_at=now - 5 * HOUR), new_message(received_at=now - 4 * HOUR)
    fresh, done = new_message("a@x.example", "b@x.example", received_at=now - 300), new_message(received_at=now - 300)
    worker.accept(old, held, fresh, done)
    worker.settle(delivered(done.message), deferred(held.message, now + HOUR))
    Queue(store).hold(QueueFilter(message_ids=(held.message.id,)))
    found = Overview(store).queue(now - 600, now)
    assert (found.waiting, found.held, found.fresh) == (3, 1, 2)
    assert found.oldest == pytest.approx(now - 5 * HOUR, abs=0.01)


def test_an_empty_queue(store: Store) -> None:
    assert Overview(store).queue(0, time.time()) == Standing(0, 0, None, 0)


def test_recipients_are_put_together_by_what_became_of_them(store: Store, worker: SpoolWorker) -> None:
    now = time.time()
    mail = [new_message(received_at=now - 10) for _ in range(4)]
    before = new_message(connector=None, received_at=now - 2 * HOUR)
    worker.accept(*mail, before)
    worker.settle(delivered(mail[0].message), failed(mail[1].message), failed(mail[2].message))
    recent = Overview(store).recent(now - HOUR)
    found = {(group.inbound, group.outbound, group.state): group for group in recent.groups}
    assert recent.complete
    assert {key: group.recipients for key, group in found.items()} == {
        ("Scanners", "Internet", State.DELIVERED): 1,
        ("Scanners", "Internet", State.FAILED): 2,
        ("Scanners", "", State.WAITING): 1,
    }
    lost = found["Scanners", "Internet", State.FAILED]
    assert (str(lost.reply), lost.destination) == ("550 5.1.1 No such user", "example.net")
    assert found["Scanners", "", State.WAITING].reply is None


def test_a_connectors_messages_are_counted_however_many_recipients_they_have(store: Store, worker: SpoolWorker) -> None:
    now = time.time()
    first, last = new_message("a@x.example", "b@x.example", received_at=now - 20), new_message(received_at=now - 10)
    worker.accept(first, last, new_message(connector=None, received_at=now - 30), new_message(received_at=now - HOUR))
    worker.settle(delivered(first.message))
    used = Overview(store).used(now - 60)
    assert {name: (use.messages, round(now - use.last)) for name, use in used.inbound.items()} == {"Scanners": (2, 10)}
    assert {name: (use.messages, round(now - use.last)) for name, use in used.outbound.items()} == {"Internet": (1, 20)}
    assert used.complete


def test_it_looks_at_so_much_at_most(store: Store, worker: SpoolWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "MOST_LOOKED_AT", 2)
    monkeypatch.setattr(overview, "MOST_COUNTED", 2)
    worker.accept(*(new_message() for _ in range(3)))
    recent = Overview(store).recent(0)
    assert (sum(group.recipients for group in recent.groups), recent.complete) == (2, False)
    used = Overview(store).used(0)
    assert (used.inbound["Scanners"].messages, used.complete) == (2, False)
    assert Overview(store).queue(0, time.time() + 1).waiting == 2
