"""The writer thread: takes whatever waits, writes it in one transaction, and tells each waiter. Group commit.

While one commit is on its way the next batch gathers, so the batch grows with the load. No message waits for a timer;
settlements do, since nobody waits for them: for a message to share their commit with. A batch costs one wake-up of this
thread at most, and one of the event loop.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from posthouse.observe import counters, logger
from posthouse.spool.batch import Accept, Settle, Work, Writing
from posthouse.spool.records import Settlement, SpoolError, StoreUnavailable, StoreUncertain
from posthouse.spool.store import PATIENCE, Store, WriteSession

_RETRY_PAUSE = 1.0
"""Seconds until settlements that the store did not take are tried again, if nothing else comes before."""

_SETTLE_PAUSE = 0.01
"""Seconds that settlements wait for a message whose commit they can share: nobody waits for them."""

Told = tuple[Work, BaseException | None]


class Writer:
    """Answers in the event loop `loop`."""

    def __init__(self, store: Store, writing: Writing, loop: asyncio.AbstractEventLoop) -> None:
        self._store = store
        self._session = WriteSession(store)
        self._writing = writing
        self._loop = loop
        self._waiting: deque[Work] = deque()
        self._settling: deque[Settle] = deque()
        self._gathering = threading.Lock()
        self._told: deque[Told] = deque()
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._idle = False
        self._dozing = False
        self._failing = False
        self._close_by: float | None = None
        self._thread = threading.Thread(target=self._run, name="spool-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, work: Work) -> None:
        """Hand in a work; from any thread, without waiting."""
        work.submitted = time.monotonic()
        if isinstance(work, Settle):
            self._settling.append(work)
            wakes = self._idle
        else:
            self._waiting.append(work)
            wakes = self._idle or self._dozing
        if wakes:  # the thread looks once more after it has set one of them, so that no work is overlooked
            self._idle = self._dozing = False
            self._wake.put(None)

    def refuse_overdue(self) -> None:
        """Refuse what has waited for a locked or silent store for too long. In the event loop, about once a second."""
        overdue: list[Work] = []
        limit = time.monotonic() - PATIENCE
        with self._gathering:
            while self._waiting and self._waiting[0].submitted < limit:
                overdue.append(self._waiting.popleft())
        if overdue:
            error = StoreUnavailable(f"The store {self._store.name} has not answered for {PATIENCE:.0f} s.")
            _tell(deque((work, error) for work in overdue))

    def close(self, timeout: float) -> bool:
        """Write what was handed in and end the thread. False if the store did not take all of it in time. Blocking."""
        self._close_by = time.monotonic() + timeout
        self._wake.put(None)
        self._thread.join(timeout)
        return not (self._waiting or self._settling)

    # The thread

    def _run(self) -> None:
        _run_in_pauses()
        while not self._is_over():
            self._await_work()
            self._serve()
        self._session.close()

    def _is_over(self) -> bool:
        if self._close_by is None:
            return False
        return not (self._waiting or self._settling) or time.monotonic() >= self._close_by

    def _await_work(self) -> None:
        """Until there is a message or an act, or settlements have waited for one long enough."""
        self._idle = True
        if not (self._waiting or self._settling or self._is_over()):
            self._wake.get()
        self._idle = False
        self._dozing = True
        if not (self._waiting or self._is_over()):
            with suppress(queue.Empty):
                self._wake.get(timeout=_RETRY_PAUSE if self._failing else _SETTLE_PAUSE)
        self._dozing = False

    def _serve(self) -> None:
        """One batch, gathered only when this process's turn has come, so that it is as large as can be."""
        try:
            with self._session.turn():
                works = self._placed(self._gather())
                if works:
                    self._commit(works)
        except StoreUnavailable as error:
            self._give_back(self._gather(), error)
        self._writing.end_batch()
        told, self._told = self._told, deque()
        if told:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(_tell, told)

    def _gather(self) -> list[Work]:
        works: list[Work] = []
        with self._gathering:
            for source in (self._settling, self._waiting):
                works.extend(source.popleft() for _ in range(len(source)))
        return works

    def _placed(self, works: list[Work]) -> list[Work]:
        """Large contents are put into files first. Where that fails, only their messages suffer."""
        try:
            self._writing.place(works)
        except StoreUnavailable as error:
            self._give_back([work for work in works if self._writing.is_for_segment(work)], error)
            return [work for work in works if not self._writing.is_for_segment(work)]
        return works

    def _commit(self, works: Sequence[Work]) -> None:
        """Write the works, and remember what to tell. One that the store rightly refuses does not harm the others."""
        began = time.monotonic()
        try:
            self._write_twice(works)
        except SpoolError as error:
            self._give_back(works, error)
        except Exception as error:  # noqa: BLE001 whatever it is, the waiter hears of it and the thread goes on
            if len(works) > 1:
                for work in works:
                    self._commit([work])
                return
            logger.exception("the store refused a value")
            self._told.extend((work, error) for work in works)
        else:
            counters.committed(time.monotonic() - began, len(works))
            self._failing = False
            self._told.extend((work, None) for work in works)

    def _write_twice(self, works: Sequence[Work]) -> None:
        """A connection may have been lost while nothing went on: the second attempt has a new one."""
        try:
            self._write(works)
        except StoreUnavailable:
            self._write(works)

    def _write(self, works: Sequence[Work]) -> None:
        with self._session.transaction() as transaction:
            self._writing.write(works, transaction)

    def _give_back(self, works: Sequence[Work], error: SpoolError) -> None:
        """Nothing was stored, or nobody knows. Settlements are kept, the others are told."""
        if not self._failing:
            logger.error("store unavailable", reason=str(error))
        self._failing = True
        self._settling.extendleft(work for work in reversed(works) if isinstance(work, Settle))
        others = [work for work in works if not isinstance(work, Settle)]
        self._told.extend((work, error) for work in others)
        if isinstance(error, StoreUncertain):
            self._settling.extend(_returned(work) for work in others if isinstance(work, Accept))


def _run_in_pauses() -> None:
    """The calling thread's waking up doesn't interrupt the event loop's, which shares its processor (sched(7))."""
    if sys.platform == "linux":
        with suppress(OSError):  # a sandbox may forbid it
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _tell(told: deque[Told]) -> None:
    """In the event loop: every waiter learns what became of its work, whatever others make of theirs."""
    try:
        while told:
            work, error = told.popleft()
            work.tell(error)
    finally:
        if told:
            asyncio.get_running_loop().call_soon(_tell, told)


def _returned(work: Accept) -> Settle:
    """Should the message have been stored after all, it is leased to us, and nobody here delivers it."""
    message = work.new.message
    due = dict.fromkeys(range(len(message.envelope.recipients)), message.received_at)
    return Settle(Settlement(message.id, postponed=due), None)
