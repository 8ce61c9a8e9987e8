"""How the relay is: its workers, its queue, the organization in force."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from posthouse.admin.audit import Ledger
from posthouse.admin.roles import Acts
from posthouse.admin.shown import timestamp
from posthouse.net.certificates import CertificateError, Identity, load_pfx
from posthouse.organization import from_document
from posthouse.settings import Settings
from posthouse.spool import Organizations, Queue, QueueFilter, Secrets, SpoolError, State, Store, Workers
from posthouse.spool.workers import SILENT_AFTER


class Health:
    """Of one store, and the workers of all nodes that share it."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._organizations = Organizations(store)
        self._queue = Queue(store)
        self._workers = Workers(store)
        self._secrets = Secrets(store)
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

    def oldest(self) -> float:
        """Seconds that the oldest message waits; 0 where none does."""
        self._ledger.check(Acts.GET_QUEUE)
        found = self._queue.list(QueueFilter(state=State.WAITING), 1, None).entries
        return max(0.0, time.time() - found[0].received_at) if found else 0.0

    def certificates(self, settings: Settings) -> Iterator[tuple[str, Identity]]:
        """Those that are shown: by the listeners, under their address, and by outbound connectors, under their name."""
        from posthouse.relay.listener import identity_file

        self._ledger.check(Acts.GET_QUEUE)
        for listener in settings.listener:
            with suppress(CertificateError, OSError):
                if (file := identity_file(listener, settings.data_dir, settings.hostname)) is not None:
                    yield listener.address, file.identity
        for connector in from_document(self._organizations.load().document or {}).outbound:
            if connector.client_certificate is not None:
                with suppress(CertificateError, SpoolError, KeyError):
                    yield (
                        connector.name,
                        load_pfx(self._secrets.get(connector.client_certificate.secret), None, source=""),
                    )
