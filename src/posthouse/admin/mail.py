"""An administrator's acts on mail: the queue and the message trace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from posthouse.admin.errors import AdminError
from posthouse.spool import Queue, QueueChange, QueueFilter, Store, Trace, TraceEntry, TraceFilter

QueueAct = Literal["retry", "hold", "release", "drop"]

_PAGE = 200


class Mail:
    """What is in one store."""

    def __init__(self, store: Store) -> None:
        self._queue = Queue(store)
        self._trace = Trace(store)

    def trace(self, wanted: TraceFilter) -> Iterator[TraceEntry]:
        """What happened to messages, newest first."""
        cursor: str | None = None
        while True:
            page = self._trace.find(wanted, _PAGE, cursor)
            yield from page.entries
            if page.cursor is None:
                return
            cursor = page.cursor
