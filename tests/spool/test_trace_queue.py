"""Searching the trace, and an administrator's acts on the queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from posthouse.spool import (
    EventKind,
    Queue,
    QueueFilter,
    State,
    Store,
    Trace,
    TraceEntry,
    TraceFilter,
    queue,
    trace,
)
from support.spools import SpoolWorker, deferred, delivered, failed, new_message, read

StartWorker = Callable[..., SpoolWorker]
DAY = 86_400.0


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little to a query, so that a test needs little to see several."""
    monkeypatch.setattr(trace, "_FIRST_STEP", 0.001)
    monkeypatch.setattr(queue, "_WINDOW", 3)


def found(store: Store, **fields: Any) -> list[str]:
    """The forward-paths that a search finds."""
    return [entry.forward_path for entry in every_entry(store, TraceFilter(**fields))]


def every_entry(store: Store, wanted: TraceFilter, limit: int = 2) -> Iterator[TraceEntry]:
    cursor: str | None = None
    while True:
        page = Trace(store).find(wanted, limit, cursor)
        yield from page.entries
        if (cursor := page.cursor) is None:
            return


@pytest.fixture
def mail(store: Store, worker: SpoolWorker) -> None:
    """Four messages, oldest first."""
    now = time.time()
    a = new_message("a@contoso.com", sender="Printer@Contoso.com", subject="Invoice 50% off", received_at=now - 3 * DAY)
    b = new_message("b@fabrikam.com", "b_2@fabrikam.com", connector=None, received_at=now - 2 * DAY)
    c = new_message("c@contoso.com", sender="", subject="Undeliverable", received_at=now - DAY)
    d = new_message("d@example.net", received_at=now)
    worker.accept(a, b, c, d)
    worker.settle(delivered(a.message), failed(b.message, 1), deferred(d.message, now + 60))


@pytest.mark.usefixtures("mail", "small_windows")
class TestSearch:
    def test_everything_newest_first(self, store: Store) -> None:
        assert found(store) == [
            "d@example.net",
            "c@contoso.com",
            "b_2@fabrikam.com",
            "b@fabrikam.com",
            "a@contoso.com",
        ]

    @pytest.mark.parametrize(
        ("pattern", "expected"),
        [
            ("printer@contoso.com", ["a@contoso.com"]),
            ("*@CONTOSO.com", ["d@example.net", "b_2@fabrikam.com", "b@fabrikam.com", "a@contoso.com"]),
            ("printer*", ["a@contoso.com"]),
            ("*rinte*", ["a@contoso.com"]),
            ("rinter@contoso.com", []),
            ("<>", ["c@contoso.com"]),
        ],
    )
    def test_by_sender(self, store: Store, pattern: str, expected: list[str]) -> None:
        assert found(store, sender=pattern) == expected

    def test_by_recipient(self, store: Store) -> None:
        assert found(store, recipient="b*") == ["b_2@fabrikam.com", "b@fabrikam.com"]
        assert found(store, recipient="*") == found(store)
        assert found(store, recipient="b_*") == ["b_2@fabrikam.com"], "an underscore is no wildcard"

    def test_by_subject(self, store: Store) -> None:
        assert found(store, subject="50% o") == ["a@contoso.com"]
        assert found(store, subject="undeliver") == ["c@contoso.com"]
        assert found(store, subject="*") == [], "an asterisk in a subject is one"

    def test_by_subject_in_other_letters(self, store: Store, worker: SpoolWorker) -> None:
        worker.accept(new_message("e@contoso.com", subject="ÜBERSICHT"))
        assert found(store, subject="ÜBER") == ["e@contoso.com"]
        assert found(store, subject="übersicht") == ["e@contoso.com"]

    def test_by_state(self, store: Store) -> None:
        assert found(store, state=State.FAILED) == ["b_2@fabrikam.com"]

    def test_by_time(self, store: Store) -> None:
        now = time.time()
        assert found(store, since=now - 2.5 * DAY, until=now - 0.5 * DAY) == [
            "c@contoso.com",
            "b_2@fabrikam.com",
            "b@fabrikam.com",
        ]
        assert found(store, until=now - 4 * DAY) == []
        assert found(store, since=0.0) == found(store)
        assert found(store, since=-DAY, until=-1.0) == []

    def test_by_connector(self, store: Store) -> None:
        assert found(store, connector="scanners") == ["d@example.net", "c@contoso.com", "a@contoso.com"]
        assert found(store, connector="Internet") == ["d@example.net", "b_2@fabrikam.com", "a@contoso.com"]

    def test_by_the_clients_address(self, store: Store, worker: SpoolWorker) -> None:
        assert found(store, client="192.0.2.7") == found(store)
        assert found(store, client="192.0.2.*", recipient="d@*") == ["d@example.net"]
        assert found(store, client="192.0.2.") == []
        assert found(store, client="*") == found(store)
        assert found(store, client='7", "helo": "scanner') == []

    def test_by_message_id(self, store: Store) -> None:
        [entry] = every_entry(store, TraceFilter(recipient="d@example.net"))
        assert found(store, message_id=entry.message_id) == ["d@example.net"]
        assert found(store, message_id="<1@scanner>") == found(store)
        assert found(store, message_id="<2@scanner>") == []

    def test_a_cursor_from_elsewhere_is_none(self, store: Store) -> None:
        for cursor in ("nonsense", "nonsense.0", f"{trace.to_cursor(next(every_entry(store, TraceFilter())))}x"):
            with pytest.raises(ValueError, match=r"no message id|invalid literal"):
                Trace(store).find(TraceFilter(), 10, cursor)

    def test_an_entry_has_its_events(self, store: Store) -> None:
        [entry] = every_entry(store, TraceFilter(recipient="d@example.net"))
        assert [event.kind for event in entry.events] == [EventKind.DEFERRED]
        assert entry.reasons == "Scanners: 192.0.2.7 is in 192.0.2.0/24"

    def test_a_long_search_gives_what_it_has_and_goes_on(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(trace, "_SEARCH_FOR", -1.0)
        monkeypatch.setattr(trace, "_FIRST_STEP", DAY)
        page = Trace(store).find(TraceFilter(recipient="a@contoso.com"))
        assert page.entries == ()
        assert page.cursor is not None
        assert found(store, recipient="a@contoso.com") == ["a@contoso.com"]


def test_old_traces_are_purged_but_not_the_queue(store: Store, worker: SpoolWorker) -> None:
    now = time.time()
    done, waiting, held, young = (
        new_message(received_at=now - 31 * DAY),
        new_message(received_at=now - 31 * DAY),
        new_message(received_at=now - 31 * DAY, leased=False),
        new_message(received_at=now - 29 * DAY),
    )
    worker.accept(done, waiting, held, young)
    Queue(store).hold(QueueFilter(message_ids=(held.message.id,)))
    worker.settle(deferred(done.message, now))
    worker.claim()
    worker.settle(delivered(done.message), delivered(young.message))
    worker.spool.housekeep(now, trace_keep=30 * DAY, audit_keep=0)
    left = {entry.message_id for entry in every_entry(store, TraceFilter())}
    assert left == {new.message.id for new in (waiting, held, young)}


def test_keeping_traces_for_ever(store: Store, worker: SpoolWorker) -> None:
    old = new_message(received_at=time.time() - 3000 * DAY)
    worker.accept(old)
    worker.settle(delivered(old.message))
    worker.spool.housekeep(time.time(), trace_keep=0, audit_keep=0)
    assert len(list(every_entry(store, TraceFilter()))) == 1


def queued(store: Store, **fields: Any) -> list[str]:
    page = Queue(store).list(QueueFilter(**fields), limit=100)
    assert page.cursor is None
    return [entry.forward_path for entry in page.entries]


@pytest.fixture
def waiting(store: Store, worker: SpoolWorker) -> list[str]:
    """Ids of eight messages in the queue: seven deferred for an hour, the last leased."""
    news = [new_message(f"{n}@example.net", sender=f"{n % 2}@contoso.com") for n in range(8)]
    worker.accept(*news)
    worker.settle(*(deferred(new.message, time.time() + 3600) for new in news[:7]))
    return [new.message.id for new in news]


EVERYTHING = QueueFilter()


@pytest.mark.usefixtures("small_windows")
class TestQueue:
    def test_list_oldest_first_in_pages(self, store: Store, waiting: list[str]) -> None:
        cursor, seen = None, []
        while True:
            page = Queue(store).list(EVERYTHING, 3, cursor)
            seen += [entry.message_id for entry in page.entries]
            if (cursor := page.cursor) is None:
                break
        assert seen == waiting

    def test_list_what_is_wanted(self, store: Store, waiting: list[str]) -> None:
        assert queued(store, sender="1@*") == ["1@example.net", "3@example.net", "5@example.net", "7@example.net"]
        assert queued(store, recipient="2*") == ["2@example.net"]
        assert queued(store, message_ids=(waiting[4],)) == ["4@example.net"]
        assert queued(store, state=State.HELD) == []

    def test_list_what_waits_for_one_destination(self, store: Store, waiting: list[str]) -> None:
        tried = [f"{number}@example.net" for number in range(7)]
        assert queued(store, connector="Internet", destination="example.net") == tried
        assert queued(store, connector="Internet", destination="elsewhere.net") == []
        assert queued(store, connector="", destination="") == ["7@example.net"], "which was never tried"

    def test_what_waits_for_what(self, store: Store, waiting: list[str]) -> None:
        Queue(store).hold(QueueFilter(message_ids=(waiting[0], waiting[1])))
        found = Queue(store).groups()
        assert [(each.state, each.destination, each.recipients, each.leased) for each in found.groups] == [
            (State.WAITING, "example.net", 5, 0),
            (State.HELD, "example.net", 2, 0),
            (State.WAITING, "", 1, 1),
        ]
        tried, _, untried = found.groups
        assert (str(tried.reply), tried.remote) == ("451 4.7.1 Try again later", "mx.example.net [192.0.2.25]")
        assert tried.due > time.time() + 3500
        assert (untried.reply, untried.connector) == (None, "")
        assert abs(tried.received_at - time.time()) < 3600
        assert found.complete

    @pytest.mark.usefixtures("waiting")
    def test_of_a_long_queue_the_oldest_are_grouped(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(queue, "MOST_GROUPED", 3)
        found = Queue(store).groups()
        assert ([group.recipients for group in found.groups], found.complete) == ([3], False)

    def test_why_one_waits(self, store: Store, waiting: list[str]) -> None:
        [entry] = Queue(store).show(waiting[0])
        assert str(entry.reply) == "451 4.7.1 Try again later"
        assert entry.due > time.time() + 3500
        [leased] = Queue(store).show(waiting[7])
        assert leased.leased

    def test_what_is_done_is_not_in_the_queue(self, store: Store, worker: SpoolWorker, waiting: list[str]) -> None:
        worker.settle(delivered(new := new_message().message))
        assert Queue(store).show(new.id) == ()
        assert Queue(store).content(new.id) is None

    def test_content_can_be_read(self, store: Store, waiting: list[str]) -> None:
        content = Queue(store).content(waiting[0])
        assert content is not None
        assert read(content) == b"Subject: x\r\n\r\nbody\r\n"

    def test_retry_makes_all_due_but_what_is_being_delivered(
        self, store: Store, worker: SpoolWorker, waiting: list[str]
    ) -> None:
        change = Queue(store).retry(EVERYTHING)
        assert (change.changed, change.in_delivery) == (7, 1)
        assert sorted(lease.message.id for lease in worker.claim()) == waiting[:7]

    def test_retry_some(self, store: Store, worker: SpoolWorker, waiting: list[str]) -> None:
        change = Queue(store).retry(QueueFilter(message_ids=(waiting[1], waiting[6]), sender="1@contoso.com"))
        assert (change.changed, change.in_delivery) == (1, 0)
        [lease] = worker.claim()
        assert lease.message.id == waiting[1]

    def test_hold_and_release(self, store: Store, worker: SpoolWorker, waiting: list[str]) -> None:
        assert Queue(store).hold(QueueFilter(sender="0@contoso.com")).changed == 4
        assert Queue(store).counts() == {State.WAITING: 4, State.HELD: 4}
        Queue(store).retry(EVERYTHING)
        assert len(worker.claim()) == 3
        change = Queue(store).release(EVERYTHING)
        assert (change.changed, change.in_delivery) == (4, 0)
        assert sorted(lease.message.id for lease in worker.claim()) == waiting[:8:2]
        [entry] = Trace(store).show(waiting[0])
        assert [event.kind for event in entry.events] == [EventKind.DEFERRED, EventKind.HELD, EventKind.RELEASED]

    def test_drop(self, store: Store, worker: SpoolWorker, waiting: list[str]) -> None:
        Queue(store).hold(QueueFilter(message_ids=(waiting[0],)))
        change = Queue(store).drop(QueueFilter(sender="0@contoso.com"))
        assert (change.changed, change.in_delivery) == (4, 0)
        assert found(store, state=State.DROPPED) == ["6@example.net", "4@example.net", "2@example.net", "0@example.net"]
        assert Queue(store).content(waiting[0]) is None
        assert Queue(store).content(waiting[1]) is not None

    def test_what_is_being_delivered_is_not_dropped(
        self, store: Store, worker: SpoolWorker, waiting: list[str]
    ) -> None:
        change = Queue(store).drop(QueueFilter(message_ids=(waiting[7],)))
        assert (change.changed, change.in_delivery) == (0, 1)


def test_a_message_keeps_its_content_while_one_recipient_of_it_is_queued(store: Store, worker: SpoolWorker) -> None:
    new = new_message("a@example.net", "b@example.net")
    worker.accept(new)
    worker.settle(deferred(new.message, time.time() + 60, 0))
    Queue(store).drop(EVERYTHING)
    assert Queue(store).content(new.message.id) is not None
    worker.settle(delivered(new.message, 1))
    assert Queue(store).content(new.message.id) is None
