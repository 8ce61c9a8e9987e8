"""An administrator's acts on mail: the queue and the message trace."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from posthouse.admin.audit import Ledger
from posthouse.admin.errors import AdminError, NotFound
from posthouse.admin.roles import Act, Acts
from posthouse.admin.spelling import cmdlet_spelling
from posthouse.mail import Content
from posthouse.spool import (
    AuditChange,
    AuditRecord,
    Queue,
    QueueChange,
    QueueFilter,
    QueueGroups,
    Store,
    Trace,
    TraceEntry,
    TraceFilter,
    TracePage,
)

QueueAct = Literal["retry", "hold", "release", "drop"]

_PAGE = 500


class Mail:
    """What is in one store."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._ledger = ledger
        self._queue = Queue(store)
        self._trace = Trace(store)
        self._acts: Mapping[QueueAct, tuple[Act, Callable[[QueueFilter, AuditRecord], QueueChange]]] = {
            "retry": (Acts.RETRY, self._queue.retry),
            "hold": (Acts.HOLD, self._queue.hold),
            "release": (Acts.RELEASE, self._queue.release),
            "drop": (Acts.DROP, self._queue.drop),
        }

    def trace(self, wanted: TraceFilter) -> Iterator[TraceEntry]:
        """What happened to each recipient, the newest message first."""
        self._ledger.check(Acts.GET_TRACE)
        return _all(lambda cursor: self._trace.find(wanted, _PAGE, cursor))

    def queue(self, wanted: QueueFilter) -> Iterator[TraceEntry]:
        """What waits or is held, the oldest message first."""
        self._ledger.check(Acts.GET_QUEUE)
        return _all(lambda cursor: self._queue.list(wanted, _PAGE, cursor))

    def trace_page(self, wanted: TraceFilter, limit: int, cursor: str | None = None) -> TracePage:
        """A page of `trace`, from where `cursor` left off."""
        self._ledger.check(Acts.GET_TRACE)
        return _from_cursor(cursor, lambda: self._trace.find(wanted, limit, cursor))

    def queue_page(self, wanted: QueueFilter, limit: int, cursor: str | None = None) -> TracePage:
        """A page of `queue`, from where `cursor` left off."""
        self._ledger.check(Acts.GET_QUEUE)
        return _from_cursor(cursor, lambda: self._queue.list(wanted, limit, cursor))

    def queue_groups(self) -> QueueGroups:
        """What waits for what."""
        self._ledger.check(Acts.GET_QUEUE)
        return self._queue.groups()

    def traced(self, message_id: str) -> tuple[TraceEntry, ...]:
        """All about a message, an entry for each of its recipients."""
        self._ledger.check(Acts.GET_TRACE, message_id)
        entries = self._trace.show(message_id)
        if not entries:
            raise NotFound(f'there is no message "{message_id}" in the trace; search by sender, recipient or time')
        return entries

    def queued(self, message_id: str) -> tuple[TraceEntry, ...]:
        """All about a message of which something is in the queue, an entry for each of its recipients."""
        self._ledger.check(Acts.GET_QUEUE, message_id)
        entries = self._queue.show(message_id)
        if not entries:
            raise NotFound(f'there is no message "{message_id}" in the queue; posthouse trace --id may find it')
        return entries

    def content(self, message_id: str) -> Content:
        """What a queued message says. Others' mail is read here, so that it was is on record."""
        with self._ledger.attempt(Acts.EXPORT_MESSAGE, message_id) as record:
            content = self._queue.content(message_id)
            if content is None:
                raise NotFound(f'there is no message "{message_id}" in the queue')
            self._ledger.write(record())
            return content

    def act(self, act: QueueAct, chosen: QueueFilter) -> QueueChange:
        """Do something to what is chosen in the queue. That messages are named of which none is there, is an error."""
        named, change_queue = self._acts[act]
        with self._ledger.attempt(named, ", ".join(chosen.message_ids)) as record:
            change = change_queue(chosen, record(_parameters(chosen)))
            if chosen.message_ids and not (change.changed or change.in_delivery):
                raise AdminError(
                    f"nothing to {act}: {', '.join(chosen.message_ids)}; posthouse queue list shows what is there"
                )
        return change


def _parameters(chosen: QueueFilter) -> list[AuditChange]:
    given = {field.name: getattr(chosen, field.name) for field in dataclasses.fields(chosen)}
    return [AuditChange(cmdlet_spelling(key), after=value) for key, value in given.items() if value]


def _from_cursor(cursor: str | None, find: Callable[[], TracePage]) -> TracePage:
    try:
        return find()
    except ValueError:
        raise AdminError(f'"{cursor}" is no cursor; give back the one that came with a page') from None


def _all(page: Callable[[str | None], TracePage]) -> Iterator[TraceEntry]:
    cursor: str | None = None
    while True:
        found = page(cursor)
        yield from found.entries
        if found.cursor is None:
            return
        cursor = found.cursor
