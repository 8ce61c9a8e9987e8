"""How the relay is: its workers, its queue, the organization in force."""

from __future__ import annotations

import time
from typing import Any

from posthouse.admin.audit import Ledger
from posthouse.admin.roles import Acts
from posthouse.admin.shown import timestamp
from posthouse.spool import Organizations, Queue, Store, Workers
from posthouse.spool.workers import SILENT_AFTER


class Health:
    """Of one store, and the workers of all nodes that share it."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._organizations = Organizations(store)
        self._queue = Queue(store)
        self._workers = Workers(store)
        self._ledger = ledger

    def report(self) -> dict[str, Any]:
        self._ledger.check(Acts.GET_QUEUE)
        alive_since = time.time() - SILENT_AFTER
        return {
            "revision": self._organizations.revision(),
            "queue": {state.value: number for state, number in self._queue.counts().items()},
            "workers": [
                {
                    "node": worker.node,
                    "pid": worker.pid,
                    "started": timestamp(worker.started_at),
                    "heartbeat": timestamp(worker.heartbeat_at),
                    "alive": worker.heartbeat_at > alive_since,
                    "revision": worker.revision,
                }
                for worker in self._workers.list()
            ],
        }
