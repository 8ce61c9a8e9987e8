"""How the mail is going, at a glance: what waits, and what became of the newest recipients.

Both look at so much at most that they can be asked often.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from posthouse.mail import Reply, message_id, received_time
from posthouse.spool.records import State
from posthouse.spool.schema import HELD, WAITING, message, recipient
from posthouse.spool.store import Store

MOST_COUNTED = 100_000
"""Recipients of the queue. Counting a million takes a good part of a second."""
MOST_LOOKED_AT = 10_000
"""Recipients of the trace."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Recipients that wait and that are held, of the `MOST_COUNTED` oldest; when the oldest message that waits was
    accepted; and how many of those that wait came within the time that was asked about."""

    waiting: int
    held: int
    oldest: float | None
    fresh: int

    @property
    def is_whole(self) -> bool:
        """There is no more than was counted."""
        return self.waiting + self.held < MOST_COUNTED


@dataclass(frozen=True, slots=True)
class Group:
    """Recipients with the same connectors, destination, state and status. `reply` is one of theirs."""

    inbound: str
    outbound: str
    destination: str
    state: State
    reply: Reply | None
    recipients: int
    last: float | None


@dataclass(frozen=True, slots=True)
class Recent:
    """The newest recipients; not `complete` where there were more than are looked at."""

    groups: tuple[Group, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class Use:
    """Of one connector: how many of the newest messages it took or carried, and when the last of them came."""

    messages: int
    last: float


@dataclass(frozen=True, slots=True)
class Used:
    """By Name. Not `complete` where there were more recipients than are looked at."""

    inbound: Mapping[str, Use]
    outbound: Mapping[str, Use]
    complete: bool


class Overview:
    """Blocking."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def queue(self, since: float, until: float) -> Standing:
        """Of now; `fresh` are those that were accepted within that time."""
        key, state = recipient.c.message_id, recipient.c.state
        live = sa.select(key, state).where(state.in_([WAITING, HELD]))  # as the index of the queue says it
        oldest = live.order_by(key).limit(MOST_COUNTED).subquery()
        counts = sa.select(oldest.c.state, sa.func.count(), sa.func.min(oldest.c.message_id)).group_by(oldest.c.state)
        fresh = live.where(state == WAITING, key >= _first_id(since), key < _first_id(until)).limit(MOST_COUNTED)
        with self._store.reading() as connection:
            found = {State(row[0]): (row[1], row[2]) for row in connection.execute(counts)}
            coming = connection.scalar(sa.select(sa.func.count()).select_from(fresh.subquery())) or 0
        waiting, first = found.get(State.WAITING, (0, None))
        return Standing(waiting, found.get(State.HELD, (0, None))[0], first and received_time(first), coming)

    def recent(self, since: float) -> Recent:
        """Of the recipients of messages accepted since then."""
        newest = (
            sa.select(
                sa.func.coalesce(message.c.connector, "").label("inbound"),
                recipient.c.connector.label("outbound"),
                *(recipient.c[name] for name in ("destination", "state", "code", "enhanced", "text", "at")),
            )
            .join_from(recipient, message, recipient.c.message_id == message.c.id)
            .where(recipient.c.message_id >= _first_id(since))
            .order_by(recipient.c.message_id.desc(), recipient.c.place.desc())
            .limit(MOST_LOOKED_AT)
            .subquery()
        )
        same = [newest.c[name] for name in ("inbound", "outbound", "destination", "state", "code", "enhanced")]
        query = sa.select(*same, sa.func.max(newest.c.text), sa.func.count(), sa.func.max(newest.c.at)).group_by(*same)
        with self._store.reading() as connection:
            groups = tuple(_group(row) for row in connection.execute(query))
        return Recent(groups, sum(group.recipients for group in groups) < MOST_LOOKED_AT)

    def used(self, since: float) -> Used:
        """By messages accepted since then."""
        newest = (
            sa.select(
                recipient.c.message_id.label("id"),
                sa.func.coalesce(message.c.connector, "").label("inbound"),
                recipient.c.connector.label("outbound"),
            )
            .join_from(recipient, message, recipient.c.message_id == message.c.id)
            .where(recipient.c.message_id >= _first_id(since))
            .order_by(recipient.c.message_id.desc(), recipient.c.place.desc())
            .limit(MOST_LOOKED_AT)
            .subquery()
        )
        with self._store.reading() as connection:
            seen = connection.scalar(sa.select(sa.func.count()).select_from(newest)) or 0
            inbound, outbound = (_use(connection, newest, name) for name in ("inbound", "outbound"))
        return Used(inbound, outbound, seen < MOST_LOOKED_AT)


def _use(connection: sa.Connection, newest: sa.Subquery, name: str) -> dict[str, Use]:
    by, ids = newest.c[name], newest.c.id
    query = sa.select(by, sa.func.count(ids.distinct()), sa.func.max(ids)).where(by != "").group_by(by)
    return {key: Use(messages, received_time(last)) for key, messages, last in connection.execute(query)}


def _first_id(at: float) -> str:
    return message_id(max(0, int(at * 1000)), 0)


def _group(row: sa.Row[*tuple[Any, ...]]) -> Group:
    inbound, outbound, destination, state, code, enhanced, text, recipients, last = row
    reply = None if code is None else Reply(code, enhanced, text)
    return Group(inbound, outbound, destination, State(state), reply, recipients, last)
