"""The spool as a worker sees it: accept, claim, settle."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TypeVar, cast

from posthouse.spool import allowances, leases, organizations, workers
from posthouse.spool.allowances import Grant, Share, Wish
from posthouse.spool.audit import purge_audit
from posthouse.spool.batch import Accept, Act, Done, Settle, Writing, row_pieces
from posthouse.spool.contents import ContentFolder, FilePiece, Incoming, SpooledContent
from posthouse.spool.housekeeping import files_in_rows, purge
from posthouse.spool.records import (
    Lease,
    NewMessage,
    Settlement,
    StoreUnavailable,
    StoreUncertain,
    Worker,
)
from posthouse.spool.store import FreeSpace, Store, Transaction, WriteSession
from posthouse.spool.writer import Writer

_CLOSE_WITHIN = 10.0
_LOOK_EVERY = 1.0
_PURGE_PAUSE = 0.05

T = TypeVar("T")


class Spool:
    """One worker's side of the store: made after the fork, used from one event loop.

    `store = open_store(url, data_dir)`, then `Spool(store, min_free)`; `await start(node)` registers the worker.
    """

    def __init__(self, store: Store, min_free: int = 0) -> None:
        self._store = store
        self._free_space = FreeSpace(store.data_dir, min_free)
        self._contents = ContentFolder(store.content_folder)
        self._reader = leases.ContentReader(store)
        self._writing = Writing(self._contents if store.is_sqlite else None)
        self._large = ThreadPoolExecutor(max_workers=2, thread_name_prefix="spool-large")
        self._closing = False

    @property
    def worker_id(self) -> int:
        return self._writing.worker_id

    async def start(self, node: str, revision: int = 0) -> None:
        """Register the worker of `node`, and begin to write. Raises `StoreUnavailable`."""
        self._loop = asyncio.get_running_loop()
        self._writer = Writer(self._store, self._writing, self._loop)
        self._writer.start()
        pid, now = os.getpid(), time.time()
        identity = await self._act(lambda tx: workers.register(tx.connection, node, pid, revision))
        self._writing.worker_id = identity
        self._worker = Worker(identity, node, pid, now, now, revision)
        self._look()

    async def close(self) -> None:
        """Write what was handed in, for up to 10 s, and give this worker's leases back."""
        self._closing = True
        await asyncio.to_thread(self._large.shutdown)
        self._writer.submit(Act(partial(_retire, self.worker_id), _ignore))
        await asyncio.to_thread(self._writer.close, _CLOSE_WITHIN)
        self._contents.close()

    def incoming(self) -> Incoming:
        """A file for the content of a message too large for memory. Raises `StoreUnavailable`."""
        self._free_space.check()
        return Incoming(self._contents)

    def accept(self, new: NewMessage, done: Done) -> None:
        """Make a message durable, then call `done`: with None, `StoreUnavailable` or `StoreUncertain`."""
        try:
            self._free_space.check()
        except StoreUnavailable as error:
            self._loop.call_soon(done, error)
            return
        content = new.message.content
        if isinstance(content, SpooledContent) and content.files():
            self._contents.begin_commit(content.files())
            self._large.submit(self._accept_large, new, content, done)
        else:
            self._writer.submit(Accept(new, done))

    def settle(self, settlement: Settlement, done: Done | None = None) -> None:
        """Record outcomes, however often it takes until the store has them; then call `done(None)`."""
        self._writer.submit(Settle(settlement, done))

    async def claim(self, now: float, limit: int) -> list[Lease]:
        """Lease up to `limit` recipients that are due and nobody's. Raises `StoreUnavailable` or `StoreUncertain`."""
        claimed: list[Lease] = []

        def claim(transaction: Transaction) -> None:
            claimed[:] = leases.claim(transaction.connection, self.worker_id, now, limit, self._reader)

        try:
            await self._act(claim)
        except StoreUncertain:
            for lease in claimed:  # should they be ours after all, nobody here delivers them
                back = {each.index: now for each in lease.recipients}
                self.settle(Settlement(lease.message.id, postponed=back))
            raise
        return claimed

    async def permits(self, wishes: Sequence[Wish], now: float) -> list[Grant]:
        """Take permits of limits that all workers share: none of a limit where one before it has none to give. Raises
        `StoreUnavailable` or `StoreUncertain`."""
        return await self._act(lambda tx: allowances.take_all(tx.connection, wishes, now))

    async def connections(self, key: str, connector: str, *, most: int, held: int, wanted: int, now: float) -> Share:
        """Ask for connections out of `most` that all workers share, for a connector's mail: up to `held` are open here,
        `wanted` are so many in all. Raises `StoreUnavailable` or `StoreUncertain`."""
        me = (self.worker_id, connector)
        return await self._act(
            lambda tx: allowances.share(tx.connection, key, me, most=most, held=held, wanted=wanted, now=now)
        )

    async def hasten(self, connector: str, most: int, now: float) -> int:
        """Make mail due that was to wait longer for its turn with the connector: up to `most` recipients, those that
        were due first. Returns how many. Raises `StoreUnavailable` or `StoreUncertain`."""
        return await self._act(lambda tx: leases.hasten(tx.connection, connector, most, now))

    async def heartbeat(self, now: float, revision: int) -> int:
        """Say, every 10 s or so and after a change, that this worker lives, with that revision of the organization in
        force. Voids silent workers of other nodes. Returns the stored revision."""
        self._worker = replace(self._worker, heartbeat_at=now, revision=revision)
        return await self._act(lambda tx: _beat(tx, self._worker))

    async def revision(self) -> int:
        """The stored organization's revision: cheap enough to ask every half second."""
        return await self._act(lambda tx: organizations.revision(tx.connection))

    def housekeep(self, now: float, *, trace_keep: float, audit_keep: float) -> None:
        """Purge traces and audit records older than so many seconds (0: keep all), remove files whose content is done.

        Blocking: for a thread, every minute or so. Raises `StoreUnavailable`.
        """
        for purge_some, keep in ((purge, trace_keep), (purge_audit, audit_keep)):
            while keep and not self._closing and purge_some(self._store, now - keep):
                time.sleep(_PURGE_PAUSE)
        try:
            self._contents.remove_unused(self._files_in_rows)
        except OSError as error:
            raise self._store.unavailable(error) from error
        self._writer.submit(Act(self._end_unused_segment, _ignore))
        self._writer.submit(Act(lambda tx: allowances.purge(tx.connection, now), _ignore))

    async def _act(self, run: Callable[[Transaction], T]) -> T:
        future: asyncio.Future[T] = self._loop.create_future()
        self._writer.submit(Act(run, partial(_resolve, future)))
        return await future

    def _look(self) -> None:
        self._writer.refuse_overdue()
        if not self._closing:
            self._loop.call_later(_LOOK_EVERY, self._look)

    def _accept_large(self, new: NewMessage, content: SpooledContent, done: Done) -> None:
        """In a thread of its own, so that a large message doesn't hold up the small ones."""
        finished = partial(self._end_large, content.files(), done)
        try:
            if self._store.is_sqlite:
                self._contents.sync_files(content.files())
                self._writer.submit(Accept(new, finished))
                return
            with closing(WriteSession(self._store)) as session, session.transaction() as transaction:
                self._writing.write([Accept(new, done)], transaction)
            content.move(row_pieces(content, new.message.id, self._reader.fetch))
        except Exception as error:  # noqa: BLE001 whatever it is, the session hears of it
            told = self._store.unavailable(error) if isinstance(error, OSError) else error
            self._loop.call_soon_threadsafe(finished, told)
        else:
            self._loop.call_soon_threadsafe(finished, None)

    def _end_large(self, pieces: tuple[FilePiece, ...], done: Done, error: BaseException | None) -> None:
        stored = error is None or isinstance(error, StoreUncertain)
        self._contents.end_commit(pieces, remove=not (stored and self._store.is_sqlite))
        done(error)

    def _files_in_rows(self, names: list[str]) -> set[str]:
        with self._store.reading() as connection:
            return files_in_rows(connection, names)

    def _end_unused_segment(self, transaction: Transaction) -> None:
        """A segment that holds only what is done need not wait until it is full. In the writer thread."""
        segment = self._contents.segment
        if segment is not None and not files_in_rows(transaction.connection, [segment]):
            self._contents.end_segment()


def _beat(transaction: Transaction, me: Worker) -> int:
    workers.beat(transaction.connection, me)
    return organizations.revision(transaction.connection)


def _retire(worker_id: int, transaction: Transaction) -> None:
    workers.retire(transaction.connection, worker_id)


def _ignore(result: object, error: BaseException | None) -> None:
    """Nobody waits for this act."""


def _resolve(future: asyncio.Future[T], result: T | None, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(cast("T", result))
