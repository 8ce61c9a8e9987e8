"""The message trace: what happened to every recipient of every message, for as long as traces are kept."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from posthouse.mail import Client, Reply, message_id, received_time
from posthouse.spool.records import Event, EventKind, Origin, State, TraceEntry, TraceFilter, TracePage
from posthouse.spool.schema import event, message, recipient
from posthouse.spool.store import Store

_WINDOW = 10_000
"""Recipients looked at in one query, so that no reader holds its transaction for long."""
_SEARCH_FOR = 2.0
"""Seconds after which a search gives what it has, with a cursor to go on from."""
_LONGEST_SESSION = 3600.0
"""A message's id is made before its content is in, so it may be older than the acceptance by this much."""

Key = tuple[str, int]


class Trace:
    """Searches the trace. Blocking."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, wanted: TraceFilter, limit: int = 100, cursor: str | None = None) -> TracePage:
        """Up to `limit` entries, newest first, from where `cursor` left off."""
        give_up_at = time.monotonic() + _SEARCH_FOR
        before = parse_cursor(cursor) if cursor else None
        conditions = _conditions(wanted)
        found: list[TraceEntry] = []
        while True:
            with self._store.reading() as connection:
                after = _window_end(connection, before, _id_range(wanted))
                some = _entries(connection, conditions, before, after, limit - len(found))
            found += some
            if len(found) == limit:
                return TracePage(tuple(found), to_cursor(found[-1]))
            if after is None:
                return TracePage(tuple(found), None)
            before = after
            if time.monotonic() > give_up_at:
                return TracePage(tuple(found), _written(before))

    def show(self, message_id: str) -> tuple[TraceEntry, ...]:
        """All about one message, in the order of its recipients; nothing where it isn't known."""
        with self._store.reading() as connection:
            rows = connection.execute(JOINED.where(message.c.id == message_id).order_by(recipient.c.place)).all()
            return with_events(connection, [entry_of(row) for row in rows])


JOINED = sa.select(
    message,
    recipient.c.place,
    recipient.c.forward_path,
    recipient.c.state,
    recipient.c.worker,
    recipient.c.attempts,
    recipient.c.due,
    recipient.c.code,
    recipient.c.enhanced,
    recipient.c.text,
    recipient.c.remote,
    recipient.c.at,
    recipient.c.connector.label("outbound_connector"),
    recipient.c.destination,
).join_from(recipient, message, recipient.c.message_id == message.c.id)

KEY = sa.tuple_(recipient.c.message_id, recipient.c.place)


def to_key(key: Key) -> sa.ColumnElement[Any]:
    return sa.tuple_(sa.literal(key[0], recipient.c.message_id.type), sa.literal(key[1]))


def entry_of(row: sa.Row[*tuple[Any, ...]]) -> TraceEntry:
    """A row of `JOINED`."""
    return TraceEntry(
        message_id=row.id,
        recipient=row.place,
        received_at=row.received_at,
        origin=Origin(row.origin),
        reverse_path=row.reverse_path,
        forward_path=row.forward_path,
        subject=row.subject,
        header_message_id=row.header_message_id,
        size=row.size,
        client=Client(**json.loads(row.client)),
        connector=row.connector,
        reasons=row.reasons,
        state=State(row.state),
        leased=row.worker is not None,
        attempts=row.attempts,
        due=row.due,
        reply=None if row.code is None else Reply(row.code, row.enhanced, row.text),
        remote=row.remote,
        at=row.at,
        outbound_connector=row.outbound_connector,
        destination=row.destination,
    )


def with_events(connection: sa.Connection, entries: Sequence[TraceEntry]) -> tuple[TraceEntry, ...]:
    """The entries, each with its own events and those of its whole message, oldest first."""
    ids = {entry.message_id for entry in entries}
    rows = connection.execute(sa.select(event).where(event.c.message_id.in_(ids)).order_by(event.c.id))
    events: defaultdict[str, list[Event]] = defaultdict(list)
    for row in rows:
        events[row.message_id].append(Event(row.at, EventKind(row.kind), row.detail, row.place))
    return tuple(
        replace(
            entry,
            events=tuple(each for each in events[entry.message_id] if each.recipient in (None, entry.recipient)),
        )
        for entry in entries
    )


def like(column: sa.ColumnElement[str], pattern: str) -> sa.ColumnElement[bool]:
    """Equal without case; `*` at the start or end of the pattern stands for anything."""
    core = pattern.removeprefix("*").removesuffix("*").lower()
    start, end = "%" * pattern.startswith("*"), "%" * (pattern.endswith("*") and len(pattern) > 1)
    return sa.func.lower(column).like(f"{start}{_escaped(core)}{end}", escape="\\")


def sent_by(pattern: str) -> sa.ColumnElement[bool]:
    """That the reverse-path is like this; `<>` is the null one, as the trace shows it."""
    return like(message.c.reverse_path, "" if pattern == "<>" else pattern)


def _entries(
    connection: sa.Connection,
    conditions: Sequence[sa.ColumnElement[bool]],
    before: Key | None,
    after: Key | None,
    limit: int,
) -> tuple[TraceEntry, ...]:
    """The newest that meet the conditions, older than `before`, not older than `after`."""
    query = JOINED.where(*conditions)
    if before is not None:
        query = query.where(to_key(before) > KEY)
    if after is not None:
        query = query.where(to_key(after) <= KEY)
    query = query.order_by(recipient.c.message_id.desc(), recipient.c.place.desc()).limit(limit)
    return with_events(connection, [entry_of(row) for row in connection.execute(query)])


def _window_end(connection: sa.Connection, before: Key | None, ids: Sequence[sa.ColumnElement[bool]]) -> Key | None:
    """The last key of the window that begins below `before`; None if it is the last window."""
    query = sa.select(recipient.c.message_id, recipient.c.place).where(*ids)
    if before is not None:
        query = query.where(to_key(before) > KEY)
    query = query.order_by(recipient.c.message_id.desc(), recipient.c.place.desc()).offset(_WINDOW - 1).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else (row.message_id, row.place)


def _conditions(wanted: TraceFilter) -> list[sa.ColumnElement[bool]]:
    conditions = _id_range(wanted)
    if wanted.since is not None:
        conditions.append(message.c.received_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(message.c.received_at <= wanted.until)
    if wanted.sender:
        conditions.append(sent_by(wanted.sender))
    if wanted.recipient:
        conditions.append(like(recipient.c.forward_path, wanted.recipient))
    if wanted.state is not None:
        conditions.append(recipient.c.state == wanted.state.value)
    if wanted.subject:
        conditions.append(sa.func.lower(message.c.subject).contains(wanted.subject.lower(), autoescape=True))
    if wanted.message_id and not _is_our_id(wanted.message_id):
        conditions.append(message.c.header_message_id == wanted.message_id)
    if wanted.connector:
        connectors = (message.c.connector, recipient.c.connector)
        conditions.append(sa.or_(*(like(column, wanted.connector) for column in connectors)))
    return conditions


def _id_range(wanted: TraceFilter) -> list[sa.ColumnElement[bool]]:
    """What the filter says about ids, which is what the table is sorted by."""
    column = recipient.c.message_id
    conditions: list[sa.ColumnElement[bool]] = []
    if _is_our_id(wanted.message_id):
        conditions.append(column == wanted.message_id)
    if wanted.since is not None:
        conditions.append(column >= message_id(max(0, int((wanted.since - _LONGEST_SESSION) * 1000)), 0))
    if wanted.until is not None:
        conditions.append(column < message_id(int(wanted.until * 1000) + 1, 0))
    return conditions


def _is_our_id(text: str) -> bool:
    try:
        received_time(text)
    except ValueError:
        return False
    return True


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def to_cursor(entry: TraceEntry) -> str:
    return _written((entry.message_id, entry.recipient))


def _written(key: Key) -> str:
    return f"{key[0]}.{key[1]}"


def parse_cursor(cursor: str) -> Key:
    """Raises `ValueError` for what no search gave out."""
    identity, _, place = cursor.rpartition(".")
    return identity, int(place)
