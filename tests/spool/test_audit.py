"""The audit log: in the change's own transaction, searched page by page, purged in small batches."""

from __future__ import annotations

from threading import Barrier, Thread
from typing import Any

import pytest
import time_machine

from posthouse.admin import Actor, AdminError, Administration, Face, Items, Role
from posthouse.spool import (
    AuditChange,
    AuditFilter,
    AuditLog,
    AuditOutcome,
    AuditRecord,
    Organizations,
    Queue,
    QueueFilter,
    RevisionConflict,
    Store,
    audit,
    queue,
)
from support.spools import SpoolWorker, deferred, new_message

NOON, DAY = 1_795_000_000.0, 86400.0
ADDED = AuditRecord("alice", "web", "192.0.2.7", "New-AcceptedDomain", "contoso.com", changes=(AuditChange("Name"),))


def record(act: str = "Set-InboundConnector", **fields: Any) -> AuditRecord:
    return AuditRecord(**{"who": "alice", "face": "web", "origin": "192.0.2.7", "act": act, **fields})


def every(store: Store, limit: int = 2, **wanted: Any) -> list[AuditRecord]:
    found: list[AuditRecord] = []
    cursor: str | None = None
    while True:
        page = AuditLog(store).find(AuditFilter(**wanted), limit, cursor)
        found += page.records
        if (cursor := page.cursor) is None:
            return found


def acts(store: Store, **wanted: Any) -> list[str]:
    return [one.act for one in every(store, **wanted)]


def test_a_record_comes_back_as_it_was_with_its_time(store: Store) -> None:
    written = record(
        object="Scanners",
        outcome=AuditOutcome.FAILED,
        reason="no network",
        changes=(AuditChange("SenderIPAddresses", ["192.0.2.0/24"], None), AuditChange("Comment", "a", "jürgen")),
    )
    with time_machine.travel(NOON, tick=False):
        AuditLog(store).append(written)
    (found,) = every(store)
    assert found.at == NOON
    assert found == AuditRecord(**{**{name: getattr(written, name) for name in written.__slots__}, "at": NOON})


@pytest.mark.parametrize("window", [1, 2, 10_000])
def test_a_search_goes_through_all_pages_newest_first(
    store: Store, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    monkeypatch.setattr(audit, "_WINDOW", window)
    with time_machine.travel(NOON, tick=False):  # all at one time: the order is still that of writing
        AuditLog(store).append(*(record(f"Act-{number}", object=str(number % 2)) for number in range(7)))
    assert acts(store) == [f"Act-{number}" for number in reversed(range(7))]
    assert acts(store, object="1") == ["Act-5", "Act-3", "Act-1"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"who": "ALICE"}, ["Set", "New"]),
        ({"who": "token:*"}, ["Remove"]),
        ({"act": "*e*"}, ["Remove", "Set", "New"]),
        ({"act": "new"}, ["New"]),
        ({"object": "scan*"}, ["Set"]),
        ({"outcome": AuditOutcome.REFUSED}, ["Remove"]),
        ({"since": NOON + 1}, ["Remove", "Set"]),
        ({"until": NOON + 1}, ["Set", "New"]),
        ({"since": NOON + 1, "until": NOON + 1, "who": "alice"}, ["Set"]),
        ({"object": "100%"}, []),
    ],
)
def test_what_a_search_finds(store: Store, wanted: dict[str, Any], found: list[str]) -> None:
    log = AuditLog(store)
    with time_machine.travel(NOON, tick=False) as clock:
        log.append(record("New", object="contoso.com"))
        clock.shift(1)
        log.append(record("Set", object="Scanners"))
        clock.shift(1)
        log.append(record("Remove", who="token:ci", object="Printers", outcome=AuditOutcome.REFUSED))
    assert acts(store, **wanted) == found


@pytest.mark.parametrize("cursor", ["", "x", "1.x", ".", "1.5.-1", f"1.5.{1 << 63}"])
def test_a_cursor_that_is_none(store: Store, cursor: str) -> None:
    with pytest.raises(ValueError, match=r"could not convert|invalid literal"):
        AuditLog(store).find(AuditFilter(), 1, cursor)


def test_old_records_are_purged_in_batches(store: Store, worker: SpoolWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_BATCH", 2)
    with time_machine.travel(NOON, tick=False) as clock:
        AuditLog(store).append(*(record("Old") for _ in range(3)))
        clock.shift(1)
        AuditLog(store).append(record("New"))
    worker.spool.housekeep(NOON + 366 * DAY, trace_keep=0, audit_keep=0)
    assert acts(store) == ["New", "Old", "Old", "Old"]
    worker.spool.housekeep(NOON + 365 * DAY + 1, trace_keep=0, audit_keep=365 * DAY)
    assert acts(store) == ["New"]


def test_a_change_that_is_not_made_is_not_on_record(store: Store) -> None:
    organizations = Organizations(store)
    organizations.save({}, records=[ADDED])
    with pytest.raises(RevisionConflict):
        organizations.save({}, records=[ADDED], expected_revision=0)
    assert len(every(store)) == 1


def test_a_record_that_cannot_be_written_undoes_the_change(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(audit, "append", broken)
    with pytest.raises(RuntimeError):
        Organizations(store).save({"a": 1}, put={"password": b"hunter2"}, records=[ADDED])
    assert Organizations(store).load().document is None


def test_a_queue_act_is_on_record_with_what_it_changed(
    store: Store, worker: SpoolWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "_WINDOW", 2)
    mails = [new_message(f"{number}@contoso.com") for number in range(3)]
    worker.accept(*mails)
    worker.settle(*(deferred(mail.message, NOON) for mail in mails))
    Queue(store).hold(QueueFilter(), record("Suspend-Message"))
    Queue(store).retry(QueueFilter(), record("Retry-Queue"))
    changed = [(one.act, one.changes[0].after) for one in every(store)]
    assert changed == [("Suspend-Message", 1), ("Suspend-Message", 2)]


def test_reading_a_message_is_on_record(store: Store, worker: SpoolWorker) -> None:
    mail = new_message("a@contoso.com")
    worker.accept(mail)
    admin = Administration(store, {})
    assert b"".join(admin.mail.content(mail.message.id).chunks())
    with pytest.raises(AdminError, match='there is no message "none" in the queue'):
        admin.mail.content("none")
    told = [(one.act, one.object, one.outcome.value) for one in every(store)]
    assert told == [("Export-Message", "none", "failed"), ("Export-Message", mail.message.id, "ok")]


def test_two_who_change_at_once_are_both_on_record_in_order(store: Store) -> None:
    """None undoes the other's change, and each record's before is the other's after."""
    start = Barrier(2)

    def change(name: str) -> None:
        actor = Actor(name, (Role.ORGANIZATION_MANAGEMENT,), Face.WEB, "192.0.2.7")
        items = Items(Administration(store, {}, actor=actor), "inbound_connector", store.data_dir)
        start.wait()
        for number in range(3):
            items.set("Scanners", {"comment": f"{name} {number}"})
            items.new(f"{name} {number}", {})

    Items(Administration(store, {}), "inbound_connector", store.data_dir).new("Scanners", {"comment": "first"})
    threads = [Thread(target=change, args=(name,)) for name in ("alice", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    connectors = {connector.name: connector for connector in Administration(store, {}).organization().inbound}
    assert len(connectors) == 7
    changes = [one for one in reversed(every(store)) if one.act == "Set-InboundConnector"]
    assert [one.outcome for one in changes] == [AuditOutcome.OK] * 6
    comments = [("first", "first"), *((one.changes[0].before, one.changes[0].after) for one in changes)]
    assert [before for before, _ in comments[1:]] == [after for _, after in comments[:-1]]
    assert connectors["Scanners"].comment == comments[-1][1]
    assert all(one.who == one.changes[0].after.split()[0] for one in changes)


def test_two_first_changes_at_once(store: Store) -> None:
    start = Barrier(2)

    def change(name: str) -> None:
        domains = Items(Administration(store, {}), "accepted_domain", store.data_dir)
        start.wait()
        domains.new(name, {})

    threads = [Thread(target=change, args=(name,)) for name in ("contoso.com", "fabrikam.com")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Administration(store, {}).organization().domain_names == {"contoso.com", "fabrikam.com"}
    assert Organizations(store).revision() == 2
