"""How the mail is going, at a glance: what waits, and what became of the newest recipients.

Both look at so much at most that they can be asked often.
"""

from __future__ import annotations

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
    """Recipients that wait and that are held, each up to `MOST_COUNTED`; when the oldest message that waits was
    accepted; and how many of those that wait came within the time that was asked about."""

    waiting: int
    held: int
    oldest: float | None
    fresh: int


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


class Overview:
    """Blocking."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def queue(self, since: float, until: float) -> Standing:
        """Of now; `fresh` are those that were accepted within that time."""
        ids = recipient.c.message_id
        waiting = sa.select(ids).where(recipient.c.state == WAITING)
        fresh = waiting.where(ids >= _first_id(since), ids < _first_id(until))
        held = sa.select(ids).where(recipient.c.state == HELD)
        with self._store.reading() as connection:
            counts = [connection.scalar(_counted(query)) or 0 for query in (waiting, held, fresh)]
            oldest = connection.scalar(waiting.order_by(ids).limit(1))
        return Standing(counts[0], counts[1], oldest and received_time(oldest), counts[2])

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


def _counted(query: sa.Select[*tuple[Any, ...]]) -> sa.Select[int]:
    return sa.select(sa.func.count()).select_from(query.limit(MOST_COUNTED).subquery())


def _first_id(at: float) -> str:
    return message_id(max(0, int(at * 1000)), 0)


def _group(row: sa.Row[*tuple[Any, ...]]) -> Group:
    inbound, outbound, destination, state, code, enhanced, text, recipients, last = row
    reply = None if code is None else Reply(code, enhanced, text)
    return Group(inbound, outbound, destination, State(state), reply, recipients, last)
