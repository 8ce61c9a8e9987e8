"""An administrator's acts on mail: the queue and the message trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from posthouse.admin.errors import AdminError
from posthouse.spool import Queue, QueueChange, QueueFilter, Store, Trace, TraceEntry, TraceFilter, TracePage

QueueAct = Literal["retry", "hold", "release", "drop"]

_PAGE = 500


class Mail:
    """What is in one store."""

    def __init__(self, store: Store) -> None:
        self._queue = Queue(store)
        self._trace = Trace(store)
        self._acts: Mapping[QueueAct, Callable[[QueueFilter], QueueChange]] = {
            "retry": self._queue.retry,
            "hold": self._queue.hold,
            "release": self._queue.release,
            "drop": self._queue.drop,
        }

    def trace(self, wanted: TraceFilter) -> Iterator[TraceEntry]:
        """What happened to each recipient, the newest message first."""
        return _all(lambda cursor: self._trace.find(wanted, _PAGE, cursor))

    def queue(self, wanted: QueueFilter) -> Iterator[TraceEntry]:
        """What waits or is held, the oldest message first."""
        return _all(lambda cursor: self._queue.list(wanted, _PAGE, cursor))

    def queued(self, message_id: str) -> tuple[TraceEntry, ...]:
        """All about a message of which something is in the queue, an entry for each of its recipients."""
        entries = self._queue.show(message_id)
        if not entries:
            raise AdminError(f'there is no message "{message_id}" in the queue; posthouse trace --id may find it')
        return entries

    def act(self, act: QueueAct, chosen: QueueFilter) -> QueueChange:
        """Do something to what is chosen in the queue. That messages are named of which none is there, is an error."""
        change = self._acts[act](chosen)
        if chosen.message_ids and not (change.changed or change.in_delivery):
            raise AdminError(
                f"nothing to {act}: {', '.join(chosen.message_ids)}; posthouse queue list shows what is there"
            )
        return change


def _all(page: Callable[[str | None], TracePage]) -> Iterator[TraceEntry]:
    cursor: str | None = None
    while True:
        found = page(cursor)
        yield from found.entries
        if found.cursor is None:
            return
        cursor = found.cursor
