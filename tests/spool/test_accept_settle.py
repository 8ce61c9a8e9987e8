"""A message's way through the spool, on both engines."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from posthouse.mail import Body, Envelope, MemoryContent, Notify, Recipient, Reply, Ret
from posthouse.spool import (
    Event,
    EventKind,
    NewMessage,
    Origin,
    Queue,
    QueueFilter,
    Settlement,
    State,
    Store,
    Trace,
    TraceFilter,
)
from support.spools import (
    CLIENT,
    NO_SUCH_USER,
    OK,
    REMOTE,
    TRY_LATER,
    SpoolWorker,
    deferred,
    delivered,
    failed,
    new_message,
    read,
)

StartWorker = Callable[..., SpoolWorker]

ENVELOPE = Envelope(
    "sender@contoso.com",
    (
        Recipient("user@example.net", Notify.SUCCESS | Notify.FAILURE, "rfc822;user+40example.com"),
        Recipient("jürgen@example.net", Notify.NEVER),
        Recipient("third@example.net"),
    ),
    ret=Ret.HDRS,
    envid="QQ314159",
    smtputf8=True,
    body=Body.EIGHT_BIT,
)


def states(store: Store, message_id: str) -> list[State]:
    return [entry.state for entry in Trace(store).show(message_id)]


def test_what_was_accepted_comes_back_as_it_was(store: Store, worker: SpoolWorker) -> None:
    new = new_message(envelope=ENVELOPE, content=MemoryContent((b"Received: x\r\n", b"\r\n\xff\0")), leased=False)
    worker.accept(new)
    [lease] = worker.claim()
    assert lease.message.envelope == ENVELOPE
    assert lease.message.client == CLIENT
    assert (lease.message.id, lease.message.received_at) == (new.message.id, new.message.received_at)
    assert lease.message.connector == "Scanners"
    assert read(lease.message.content) == b"Received: x\r\n\r\n\xff\0"
    assert lease.message.size == new.message.size
    assert lease.message.content.in_memory
    assert [(each.index, each.attempts, each.delay_warned) for each in lease.recipients] == [
        (0, 0, False),
        (1, 0, False),
        (2, 0, False),
    ]


@pytest.mark.parametrize("size", [0, 1, 8192, 8193, 65536, 300_000, 600_000])
def test_content_of_any_size(store: Store, worker: SpoolWorker, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    worker.accept(new_message(content=data[:size], leased=False))
    [lease] = worker.claim()
    assert read(lease.message.content) == data[:size]
    assert read(lease.message.content) == data[:size]


@pytest.mark.parametrize("leased", [True, False])
def test_large_content_is_streamed_through_a_file(store: Store, worker: SpoolWorker, leased: bool) -> None:
    incoming = worker.spool.incoming()
    for _ in range(20):
        incoming.write(b"x" * 100_000)
    content = incoming.finish(b"Received: trace\r\n")
    new = new_message(content=content, leased=leased)
    worker.accept(new)
    incoming.discard()
    expected = b"Received: trace\r\n" + b"x" * 2_000_000
    assert read(new.message.content) == expected
    if not leased:
        [lease] = worker.claim()
        assert not lease.message.content.in_memory
        assert max(map(len, lease.message.content.chunks())) <= 256 << 10
        assert read(lease.message.content) == expected


def test_an_accepted_message_is_leased_to_its_worker(
    store: Store, worker: SpoolWorker, start_worker: StartWorker
) -> None:
    worker.accept(new_message())
    assert start_worker(store).claim() == []


def test_a_message_over_the_budget_is_anybodys(store: Store, worker: SpoolWorker, start_worker: StartWorker) -> None:
    new = new_message(leased=False)
    worker.accept(new)
    [lease] = start_worker(store).claim()
    assert lease.message.id == new.message.id
    assert worker.claim() == []


def test_delivered_recipients_leave_the_queue_and_stay_in_the_trace(store: Store, worker: SpoolWorker) -> None:
    new = new_message("a@example.net", "b@example.net")
    worker.accept(new)
    worker.settle(delivered(new.message, 0))
    assert states(store, new.message.id) == [State.DELIVERED, State.WAITING]
    assert Queue(store).content(new.message.id) is not None
    worker.settle(failed(new.message, 1))
    assert states(store, new.message.id) == [State.DELIVERED, State.FAILED]
    assert Queue(store).content(new.message.id) is None
    first, second = Trace(store).show(new.message.id)
    assert (first.reply, first.remote, first.attempts, first.leased) == (OK, REMOTE, 1, False)
    assert (second.reply, second.outbound_connector, second.destination) == (NO_SUCH_USER, "Internet", "example.net")


def test_a_deferred_recipient_waits_until_its_next_try(store: Store, worker: SpoolWorker) -> None:
    new = new_message()
    worker.accept(new)
    now = time.time()
    worker.settle(deferred(new.message, now + 60, outcome={"at": now}))
    assert worker.claim(now + 59) == []
    [lease] = worker.claim(now + 60)
    [pending] = lease.recipients
    assert (pending.attempts, pending.delay_warned) == (1, False)
    worker.settle(deferred(new.message, now + 120, warned=(0,), outcome={"at": now + 60}))
    [again] = worker.claim(now + 120)
    assert (again.recipients[0].attempts, again.recipients[0].delay_warned) == (2, True)
    [entry] = Trace(store).show(new.message.id)
    assert (entry.reply, entry.attempts, entry.leased) == (TRY_LATER, 2, True)
    assert [event.kind for event in entry.events] == [EventKind.DEFERRED] * 2
    assert entry.events[0].detail == f"{TRY_LATER} ({REMOTE})"


def test_a_postponed_recipient_was_not_tried(store: Store, worker: SpoolWorker) -> None:
    new = new_message()
    worker.accept(new)
    due = time.time() + 60
    worker.settle(Settlement(new.message.id, postponed={0: due}))
    assert worker.claim(due - 1) == []
    [lease] = worker.claim(due)
    assert lease.recipients[0].attempts == 0


def test_what_waits_long_for_its_turn_with_a_connector_can_be_made_due(store: Store, worker: SpoolWorker) -> None:
    news = [new_message() for _ in range(5)]
    worker.accept(*news)
    now = time.time()

    def waits(new: NewMessage, due: float, connector: str = "Sink") -> Settlement:
        return Settlement(new.message.id, postponed={0: due}, waits=Reply(450, "4.4.5", "waits"), connector=connector)

    tried = replace(deferred(news[0].message, now + 60), connector="Sink")
    later = [waits(new, now + 70 + place) for place, new in enumerate(news[1:4])]
    worker.settle(tried, *later, waits(news[4], now + 60, "Elsewhere"))
    assert worker.run(worker.spool.hasten("Sink", 2, now)) == 2
    assert {lease.message.id for lease in worker.claim(now)} == {news[1].message.id, news[2].message.id}
    assert worker.run(worker.spool.hasten("Sink", 2, now)) == 1


def test_recipients_of_one_message_are_leased_by_themselves(store: Store, worker: SpoolWorker) -> None:
    new = new_message("a@example.net", "b@example.net", "c@example.net")
    worker.accept(new)
    now = time.time()
    worker.settle(deferred(new.message, now + 10, 2), deferred(new.message, now + 20, 0), delivered(new.message, 1))
    assert [[each.index for each in lease.recipients] for lease in worker.claim(now + 10)] == [[2]]
    assert [[each.index for each in lease.recipients] for lease in worker.claim(now + 20)] == [[0]]


def test_the_longest_due_are_claimed_first_and_no_more_than_wanted(store: Store, worker: SpoolWorker) -> None:
    now = time.time()
    news = [new_message(received_at=now - age, leased=False) for age in (1, 3, 2)]
    worker.accept(*news)
    assert [lease.message.id for lease in worker.claim(now, 2)] in (
        [news[1].message.id, news[2].message.id],
        [news[2].message.id, news[1].message.id],
    )
    assert [lease.message.id for lease in worker.claim(now, 2)] == [news[0].message.id]


def test_a_dsn_is_stored_with_the_settlement_that_caused_it(store: Store, worker: SpoolWorker) -> None:
    new = new_message()
    dsn = new_message("scanner@contoso.com", sender="", origin=Origin.DSN, leased=False)
    worker.accept(new)
    sent = Event(time.time(), EventKind.DSN_SENT, dsn.message.id, 0)
    worker.settle(failed(new.message, dsns=(dsn,), events=(sent,)))
    [lease] = worker.claim()
    assert (lease.message.id, lease.message.envelope.reverse_path) == (dsn.message.id, "")
    assert Trace(store).show(dsn.message.id)[0].origin is Origin.DSN
    [entry] = Trace(store).show(new.message.id)
    assert entry.events == (sent,)


def test_a_repeated_settlement_changes_nothing(store: Store, worker: SpoolWorker) -> None:
    new = new_message()
    dsn = new_message("scanner@contoso.com", sender="", origin=Origin.DSN)
    worker.accept(new)
    settlement = failed(new.message, dsns=(dsn,))
    worker.settle(settlement)
    worker.settle(settlement)
    worker.settle(settlement, settlement, delivered(new.message))
    assert states(store, new.message.id) == [State.FAILED]
    [entry] = Trace(store).show(new.message.id)
    assert entry.attempts == 1
    assert len(Trace(store).find(TraceFilter()).entries) == 2


def test_a_settlement_for_what_another_worker_leases_is_ignored(
    store: Store, worker: SpoolWorker, start_worker: StartWorker
) -> None:
    new = new_message(leased=False)
    other = start_worker(store)
    worker.accept(new)
    other.claim()
    worker.settle(delivered(new.message))
    assert states(store, new.message.id) == [State.WAITING]
    other.settle(delivered(new.message))
    assert states(store, new.message.id) == [State.DELIVERED]


def test_a_deferred_outcome_without_a_next_try_is_no_settlement() -> None:
    message = new_message().message
    with pytest.raises(ValueError, match="next tries"):
        Settlement(message.id, deferred(message, 1.0).outcomes)


def test_a_held_message_is_not_leased(store: Store, worker: SpoolWorker) -> None:
    new = new_message(leased=False)
    worker.accept(new)
    Queue(store).hold(QueueFilter())
    assert worker.claim() == []
    assert states(store, new.message.id) == [State.HELD]


def test_text_that_an_engine_cannot_hold_is_stored_as_near_as_can_be(store: Store, worker: SpoolWorker) -> None:
    new = new_message(subject="nul \0 and half a pair \ud83d")
    worker.accept(new)
    [entry] = Trace(store).show(new.message.id)
    assert entry.subject == "nul \N{REPLACEMENT CHARACTER} and half a pair ?"


def test_one_impossible_message_does_not_harm_those_beside_it(store: Store, worker: SpoolWorker) -> None:
    twin, good = new_message(), [new_message() for _ in range(3)]
    worker.accept(twin)
    with pytest.raises(Exception, match=r"(?i)unique"):
        worker.accept(good[0], twin, *good[1:])
    assert {entry.message_id for entry in Trace(store).find(TraceFilter()).entries} == {
        new.message.id for new in (twin, *good)
    }


def test_many_at_once(store: Store, worker: SpoolWorker) -> None:
    news = [new_message("a@example.net", "b@example.net", content=b"x" * (100 * n)) for n in range(200)]
    worker.accept(*news)
    worker.settle(*(delivered(new.message) for new in news))
    assert Queue(store).counts() == {State.WAITING: 0, State.HELD: 0}
    assert all(Queue(store).content(new.message.id) is None for new in news[::20])
