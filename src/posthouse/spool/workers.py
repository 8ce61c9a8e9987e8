"""Who holds leases: one row per worker process with its heartbeat, and what happens to the leases of the dead."""

from __future__ import annotations

import time

import sqlalchemy as sa

from posthouse.spool.allowances import void_shares
from posthouse.spool.records import Worker
from posthouse.spool.schema import WAITING, recipient, worker
from posthouse.spool.store import Store

SILENT_AFTER = 30.0
"""Seconds without a heartbeat after which a worker of another node counts as dead."""


class Workers:
    """The workers of all nodes. Blocking."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self) -> tuple[Worker, ...]:
        with self._store.reading() as connection:
            return tuple(Worker(*row) for row in connection.execute(sa.select(worker).order_by(worker.c.id)))

    def void(self, worker_id: int) -> None:
        """A worker that has been reaped: its leases are anybody's."""
        with self._store.transaction() as connection:
            void(connection, worker.c.id == worker_id)

    def void_node(self, node: str) -> None:
        """All workers of a node: for its supervisor, when it starts."""
        with self._store.transaction() as connection:
            void(connection, worker.c.node == node)


def register(connection: sa.Connection, node: str, pid: int, revision: int) -> int:
    """Enter a worker. Its id is never used again."""
    now = time.time()
    values = {"node": node, "pid": pid, "started_at": now, "heartbeat_at": now, "revision": revision}
    return connection.execute(worker.insert().values(values).returning(worker.c.id)).scalar_one()


def beat(connection: sa.Connection, me: Worker) -> None:
    """Record a heartbeat, and void the other nodes' silent workers.

    Only a worker whose own last heartbeat is recent may call others silent: after the store itself was away, all look
    dead. A worker that was voided although it lives enters itself again.
    """
    last = connection.scalar(sa.select(worker.c.heartbeat_at).where(worker.c.id == me.id))
    values = {"heartbeat_at": me.heartbeat_at, "revision": me.revision}
    if last is None:
        values |= {"id": me.id, "node": me.node, "pid": me.pid, "started_at": me.started_at}
        connection.execute(worker.insert().values(values))
        return
    connection.execute(worker.update().where(worker.c.id == me.id).values(values))
    silent = sa.and_(worker.c.node != me.node, worker.c.heartbeat_at < me.heartbeat_at - SILENT_AFTER)
    if me.heartbeat_at - last < SILENT_AFTER / 2 and connection.scalar(sa.select(sa.exists().where(silent))):
        void(connection, silent)


def retire(connection: sa.Connection, worker_id: int) -> None:
    """A worker's own last act."""
    void(connection, worker.c.id == worker_id)


def void(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    """Forget workers, and give back what is leased to anybody unknown.

    That may be more than theirs: a worker that had been voided although it lived has gone on to lease what it accepted.
    """
    connection.execute(sa.delete(worker).where(which))
    known = sa.exists().where(worker.c.id == recipient.c.worker)
    orphaned = sa.and_(recipient.c.state == WAITING, recipient.c.worker.is_not(None), ~known)
    connection.execute(recipient.update().where(orphaned).values(worker=None))
    void_shares(connection)
