"""The queue: what waits or is held, and what an administrator can do about it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from posthouse.mail import Content, Reply, received_time
from posthouse.spool import audit
from posthouse.spool.audit import AuditChange, AuditRecord
from posthouse.spool.batch import lock_messages
from posthouse.spool.leases import ContentReader
from posthouse.spool.records import (
    EventKind,
    QueueChange,
    QueueFilter,
    QueueGroup,
    QueueGroups,
    State,
    TraceEntry,
    TracePage,
)
from posthouse.spool.schema import HELD, WAITING, content, event, message, recipient
from posthouse.spool.store import Store
from posthouse.spool.trace import (
    JOINED,
    KEY,
    Key,
    Trace,
    entry_of,
    like,
    parse_cursor,
    sent_by,
    to_cursor,
    to_key,
    with_events,
)

_WINDOW = 1000
"""Recipients that one transaction of an act changes at most, so that the mail does not have to wait for it."""

MOST_GROUPED = 50_000
"""Recipients that `Queue.groups` looks at: of a million it would take a good part of a second."""

_OF_GROUP = ("state", "connector", "destination", "code", "enhanced")
_LIVE = recipient.c.state.in_([WAITING, HELD])
_BY_KEY = (recipient.c.message_id, recipient.c.place)


@dataclass(frozen=True, slots=True)
class _Act:
    """Recipients in the state `of` get the state `to`; the column `now` gets the time of the act."""

    kind: EventKind
    of: tuple[State, ...]
    to: State
    now: str


_RETRY = _Act(EventKind.RETRIED, (State.WAITING,), State.WAITING, "due")
_HOLD = _Act(EventKind.HELD, (State.WAITING,), State.HELD, "due")
_RELEASE = _Act(EventKind.RELEASED, (State.HELD,), State.WAITING, "due")
_DROP = _Act(EventKind.DROPPED, (State.WAITING, State.HELD), State.DROPPED, "at")


class Queue:
    """Lists and changes the queue. Blocking.

    What a worker is delivering at the moment can't be changed: an act leaves it alone, and says how many there were.
    An act's audit record is written with what it changed, with the number of recipients.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reader = ContentReader(store)

    def list(self, wanted: QueueFilter, limit: int = 100, cursor: str | None = None) -> TracePage:
        """Up to `limit` recipients in the queue, oldest messages first, from where `cursor` left off."""
        query = JOINED.where(_LIVE, *_conditions(wanted)).order_by(*_BY_KEY).limit(limit)
        if cursor:
            query = query.where(to_key(parse_cursor(cursor)) < KEY)
        with self._store.reading() as connection:
            entries = with_events(connection, [entry_of(row) for row in connection.execute(query)])
        more = len(entries) == limit
        return TracePage(entries, to_cursor(entries[-1]) if more else None)

    def show(self, message_id: str) -> tuple[TraceEntry, ...]:
        """All recipients of a message that has some in the queue; nothing for another."""
        entries = Trace(self._store).show(message_id)
        return entries if any(not entry.state.is_final for entry in entries) else ()

    def content(self, message_id: str) -> Content | None:
        """The content of a message in the queue; None where it isn't there, or not any more."""
        with self._store.reading() as connection:
            found = self._reader.load(connection, [message_id])[message_id]
        return found if found.pieces else None

    def groups(self) -> QueueGroups:
        """What waits for what, of the oldest `MOST_GROUPED` recipients."""
        columns = (recipient.c[name] for name in ("message_id", *_OF_GROUP, "worker", "due", "text", "remote"))
        oldest = sa.select(*columns).where(_LIVE).order_by(*_BY_KEY).limit(MOST_GROUPED).subquery()
        same = [oldest.c[name] for name in _OF_GROUP]
        query = sa.select(
            *same,
            sa.func.count().label("recipients"),
            sa.func.count(oldest.c.worker).label("leased"),
            sa.func.min(oldest.c.message_id).label("first"),
            sa.func.min(oldest.c.due).label("due"),
            sa.func.max(oldest.c.text).label("text"),
            sa.func.max(oldest.c.remote).label("remote"),
        ).group_by(*same)
        alike: defaultdict[tuple[str, str, str], list[sa.Row[*tuple[Any, ...]]]] = defaultdict(list)
        with self._store.reading() as connection:
            for row in connection.execute(query):
                alike[row.state, row.connector, row.destination].append(row)
        groups = sorted(map(_group, alike.values()), key=lambda group: (-group.recipients, group.destination))
        return QueueGroups(tuple(groups), sum(group.recipients for group in groups) < MOST_GROUPED)

    def counts(self) -> dict[State, int]:
        """Recipients that wait and that are held. Counting a million takes a good part of a second."""
        query = sa.select(recipient.c.state, sa.func.count()).where(_LIVE).group_by(recipient.c.state)
        with self._store.reading() as connection:
            found = {State(state): number for state, number in connection.execute(query)}
        return {state: found.get(state, 0) for state in (State.WAITING, State.HELD)}

    def retry(self, wanted: QueueFilter, record: AuditRecord | None = None) -> QueueChange:
        """What waits for its next try is due now."""
        return self._change(_RETRY, wanted, record)

    def hold(self, wanted: QueueFilter, record: AuditRecord | None = None) -> QueueChange:
        """What waits is kept back until it is released."""
        return self._change(_HOLD, wanted, record)

    def release(self, wanted: QueueFilter, record: AuditRecord | None = None) -> QueueChange:
        """What is held waits again, due now."""
        return self._change(_RELEASE, wanted, record)

    def drop(self, wanted: QueueFilter, record: AuditRecord | None = None) -> QueueChange:
        """What waits or is held is given up, without a word to its sender; its content goes."""
        return self._change(_DROP, wanted, record)

    def _change(self, act: _Act, wanted: QueueFilter, record: AuditRecord | None) -> QueueChange:
        """In windows, each a transaction of its own with its own audit record."""
        changed = in_delivery = 0
        after: sa.ColumnElement[Any] | None = None
        while True:
            with self._store.transaction() as connection:
                end = _window_end(connection, after, wanted)
                window = [condition for condition in (_above(after), _up_to(end)) if condition is not None]
                found = _found(connection, act, [*window, *_conditions(wanted)])
                keys = [(row.message_id, row.place) for row in found if row.worker is None]
                _apply(act, connection, keys)
                if record is not None and keys:
                    audit.append(connection, [_counted(record, len(keys))])
            changed += len(keys)
            in_delivery += len(found) - len(keys)
            if end is None:
                return QueueChange(changed, in_delivery)
            after = end


def _group(rows: Sequence[sa.Row[*tuple[Any, ...]]]) -> QueueGroup:
    """Of rows that differ by their answers only."""
    usual = max(rows, key=lambda row: (row.code is not None, row.recipients))
    return QueueGroup(
        state=State(usual.state),
        connector=usual.connector,
        destination=usual.destination,
        recipients=sum(row.recipients for row in rows),
        leased=sum(row.leased for row in rows),
        received_at=received_time(min(row.first for row in rows)),
        due=min(row.due for row in rows),
        reply=None if usual.code is None else Reply(usual.code, usual.enhanced, usual.text),
        remote=usual.remote,
    )


def _found(
    connection: sa.Connection, act: _Act, conditions: Sequence[sa.ColumnElement[bool]]
) -> Sequence[sa.Row[*tuple[Any, ...]]]:
    """Those that the act is for, leased ones too: to ask for the others only leads SQLite to the wrong index."""
    states = recipient.c.state.in_([state.value for state in act.of])
    query = sa.select(*_BY_KEY, recipient.c.worker).where(_LIVE, states, *conditions).order_by(*_BY_KEY)
    return connection.execute(query.with_for_update()).all()


def _apply(act: _Act, connection: sa.Connection, keys: list[Key]) -> None:
    if not keys:
        return
    now = time.time()
    update = recipient.update().values({"state": act.to.value, act.now: now})
    update = update.where(recipient.c.message_id == sa.bindparam("key"), recipient.c.place == sa.bindparam("number"))
    connection.execute(update, [{"key": key, "number": number} for key, number in keys])
    happened = {"at": now, "kind": act.kind.value, "detail": ""}
    connection.execute(event.insert(), [{"message_id": key, "place": number, **happened} for key, number in keys])
    if act.to.is_final:
        _drop_content(connection, sorted({key for key, _ in keys}))


def _counted(record: AuditRecord, changed: int) -> AuditRecord:
    return replace(record, changes=(*record.changes, AuditChange("RecipientsChanged", after=changed)))


def _drop_content(connection: sa.Connection, ids: list[str]) -> None:
    lock_messages(ids, connection)
    live = sa.exists().where(recipient.c.message_id == content.c.message_id, _LIVE)
    connection.execute(content.delete().where(content.c.message_id.in_(ids), ~live))


def _window_end(
    connection: sa.Connection, after: sa.ColumnElement[Any] | None, wanted: QueueFilter
) -> sa.ColumnElement[Any] | None:
    """The last key of the window that begins above `after`; None if it is the last window."""
    conditions = [condition for condition in (_above(after), _among(wanted)) if condition is not None]
    query = sa.select(*_BY_KEY).where(_LIVE, *conditions).order_by(*_BY_KEY).offset(_WINDOW - 1).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else to_key((row.message_id, row.place))


def _above(key: sa.ColumnElement[Any] | None) -> sa.ColumnElement[bool] | None:
    return None if key is None else key < KEY


def _up_to(key: sa.ColumnElement[Any] | None) -> sa.ColumnElement[bool] | None:
    return None if key is None else key >= KEY


def _among(wanted: QueueFilter) -> sa.ColumnElement[bool] | None:
    return recipient.c.message_id.in_(wanted.message_ids) if wanted.message_ids else None


def _conditions(wanted: QueueFilter) -> list[sa.ColumnElement[bool]]:
    among = _among(wanted)
    conditions = [] if among is None else [among]
    if wanted.sender:
        of_sender = sa.exists().where(message.c.id == recipient.c.message_id, sent_by(wanted.sender))
        conditions.append(of_sender.correlate(recipient))
    if wanted.recipient:
        conditions.append(like(recipient.c.forward_path, wanted.recipient))
    if wanted.state is not None:
        conditions.append(recipient.c.state == wanted.state.value)
    if wanted.connector is not None:
        conditions.append(recipient.c.connector == wanted.connector)
    if wanted.destination is not None:
        conditions.append(recipient.c.destination == wanted.destination)
    return conditions
