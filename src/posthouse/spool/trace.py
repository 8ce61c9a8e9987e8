"""The message trace: what happened to every recipient of every message, for as long as traces are kept."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from posthouse.mail import Client, Reply, message_id, received_time
from posthouse.spool.records import Event, EventKind, Origin, State, TraceEntry, TraceFilter, TracePage
from posthouse.spool.schema import event, message, recipient
from posthouse.spool.store import Store

_FIRST_STEP = 60.0
"""Seconds of mail that a search looks through first; each step reaches back twice as far as the one before."""
_SEARCH_FOR = 0.25
"""Seconds after which a search gives what it has, with a cursor to go on from: for whoever waits for a page, and for
SQLite's log, which grows as long as somebody reads."""
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
        found: list[TraceEntry] = []
        with self._store.reading() as connection:
            oldest, newest = _span(connection, wanted)
            before = (newest, _MOST_PLACES)
            if cursor:
                before = min(before, parse_cursor(cursor))
            at, step = received_time(before[0]), _FIRST_STEP
            while True:
                began = time.monotonic()
                at -= step
                reach = max(oldest, message_id(max(0, int(at * 1000)), 0))
                found += _entries(connection, wanted, reach, before, limit - len(found))
                if len(found) == limit:
                    return TracePage(tuple(found), to_cursor(found[-1]))
                if reach == oldest:
                    return TracePage(tuple(found), None)
                before = (reach, 0)
                step *= 2
                if (now := time.monotonic()) + 2 * (now - began) > give_up_at:
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

_NOTHING = message_id(0, 0)
"""The id of the oldest and the newest message where there is none."""
_MOST_PLACES = 1 << 30
"""More recipients than a message has."""


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


class _AsciiLike(FunctionElement[bool]):
    """LIKE without regard to the case of ASCII letters. Both engines have it of their own; to fold any other letter
    SQLite has to ask Python for each row (`store.py`), which takes three times as long."""

    type = sa.Boolean()
    inherit_cache = True


@compiles(_AsciiLike, "sqlite")
def _like(element: _AsciiLike, compiler: Any, **options: Any) -> str:
    return f"{_processed(element, compiler, ' LIKE ', options)} ESCAPE '\\'"


@compiles(_AsciiLike, "postgresql")
def _ilike(element: _AsciiLike, compiler: Any, **options: Any) -> str:
    return f"{_processed(element, compiler, ' ILIKE ', options)} ESCAPE '\\'"


def _processed(element: _AsciiLike, compiler: Any, operator: str, options: dict[str, Any]) -> str:
    return operator.join(compiler.process(clause, **options) for clause in element.clauses)


def like(column: sa.ColumnElement[str], pattern: str) -> sa.ColumnElement[bool]:
    """Equal without case; `*` at the start or end of the pattern stands for anything."""
    core = pattern.removeprefix("*").removesuffix("*").lower()
    start, end = "%" * pattern.startswith("*"), "%" * (pattern.endswith("*") and len(pattern) > 1)
    wanted = f"{start}{_escaped(core)}{end}"
    return _AsciiLike(column, sa.literal(wanted)) if core.isascii() else sa.func.lower(column).like(wanted, escape="\\")


def sent_by(pattern: str) -> sa.ColumnElement[bool]:
    """That the reverse-path is like this; `<>` is the null one, as the trace shows it."""
    return like(message.c.reverse_path, "" if pattern == "<>" else pattern)


def _span(connection: sa.Connection, wanted: TraceFilter) -> tuple[str, str]:
    """The ids of the oldest and the newest message that may be wanted."""
    ids = _id_range(wanted)
    oldest, newest = (sa.select(end(message.c.id)).where(*ids) for end in (sa.func.min, sa.func.max))
    row = connection.execute(sa.select(oldest.scalar_subquery(), newest.scalar_subquery())).one()
    return row[0] or _NOTHING, row[1] or _NOTHING


def _entries(
    connection: sa.Connection, wanted: TraceFilter, reach: str, before: Key, limit: int
) -> tuple[TraceEntry, ...]:
    """The newest, older than `before`, of messages not older than `reach`.

    SQLite scans the table by which it sorts, within one lower and one upper bound, and looks into the other table for
    each row that it has found. So the sort is by the table that tells more about what is wanted.
    """
    of_message = wanted.sender or wanted.subject or wanted.message_id or wanted.connector or wanted.client
    scanned = message.c.id if of_message and not wanted.recipient else recipient.c.message_id
    query = (
        JOINED.where(*_conditions(wanted), scanned >= reach, scanned <= before[0])
        .where(sa.or_(scanned < before[0], recipient.c.place < before[1]))
        .order_by(scanned.desc(), recipient.c.place.desc())
        .limit(limit)
    )
    rows = connection.execute(query).all()
    return with_events(connection, [entry_of(row) for row in rows]) if rows else ()


def _conditions(wanted: TraceFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
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
        conditions.append(like(message.c.subject, f"*{wanted.subject}*"))
    if wanted.message_id and not _is_our_id(wanted.message_id):
        conditions.append(message.c.header_message_id == wanted.message_id)
    if wanted.connector:
        connectors = (message.c.connector, recipient.c.connector)
        conditions.append(sa.or_(*(like(column, wanted.connector) for column in connectors)))
    if wanted.client:
        conditions.append(_came_from(wanted.client))
    return conditions


def _id_range(wanted: TraceFilter) -> list[sa.ColumnElement[bool]]:
    """What the filter says about ids, which are what the tables are sorted by."""
    column = message.c.id
    conditions: list[sa.ColumnElement[bool]] = []
    if _is_our_id(wanted.message_id):
        conditions.append(column == wanted.message_id)
    if wanted.since is not None:
        conditions.append(column >= message_id(max(0, int((wanted.since - _LONGEST_SESSION) * 1000)), 0))
    if wanted.until is not None:
        conditions.append(column < message_id(max(0, int(wanted.until * 1000)) + 1, 0))
    return conditions


def _came_from(pattern: str) -> sa.ColumnElement[bool]:
    """That the client's address is like this: the first value of its JSON."""
    start = json.dumps({"ip": pattern.removesuffix("*")})
    return like(message.c.client, f"{start[:-2]}*" if pattern.endswith("*") else f"{start[:-1]}, *")


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
    received_time(identity)
    return identity, int(place)
