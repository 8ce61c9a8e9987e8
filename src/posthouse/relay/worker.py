"""One worker process: its listeners and sessions, its deliveries, and its part of the store."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from typing import Any

from posthouse import observe
from posthouse.mail import message_id
from posthouse.net.dns import Resolver
from posthouse.net.verification import Verifier
from posthouse.relay import processor
from posthouse.relay.budget import Budget
from posthouse.relay.census import Census
from posthouse.relay.dispatcher import Dispatcher
from posthouse.relay.exits import Exits
from posthouse.relay.in_force import InForce, Watch
from posthouse.relay.listener import OpenListener, identity_file
from posthouse.relay.passwords import Passwords
from posthouse.relay.rate_limits import RateLimits
from posthouse.relay.scheduler import Scheduler
from posthouse.relay.session import Hearing
from posthouse.relay.settling import Settler
from posthouse.relay.tally import TallyKeeper
from posthouse.settings import Settings
from posthouse.spool import Organizations, Secrets, Spool, SpoolError, Workers, open_store
from posthouse.transports.tokens import SharedTokens, TokenSource

REGISTERED = b"registered "
"""Followed by the worker's id in the store."""
READY = b"ready"
ALIVE = b"alive"
DRAIN_SECONDS = 25.0
"""For transactions and deliveries under way when the worker is told to stop: within the supervisor's patience."""
_TICK = 1.0
_HOUSEKEEPING = 60.0

log = observe.logger


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the supervisor gives a worker.

    `addresses` are the listeners' real ones, in the settings' order. `dead` are the ids of workers that died, whose
    leases nobody has given back yet.
    """

    settings: Settings
    node: str
    number: int
    addresses: tuple[tuple[str, int], ...]
    dead: tuple[int, ...] = ()


def main(assignment: Assignment, census: Census | None, reports: Connection) -> None:
    """The process. Ends with the supervisor, whatever way that goes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor decides what Ctrl-C means
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a fork inherits the supervisor's; there is nothing to drain yet
    processor.keep_to_one(assignment.number, assignment.settings.worker_count)
    observe.configure(assignment.settings.log, worker=str(assignment.number))
    threading.Thread(target=_end_with_supervisor, name="lifeline", daemon=True).start()
    try:
        worker = Worker(assignment, census or Census(assignment.number + 1), reports)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(worker.run())
    except SpoolError as error:
        log.error("store unavailable", reason=str(error), hint="the supervisor tries again")
        sys.exit(1)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it exists: about twice as fast."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _end_with_supervisor() -> None:
    """A worker without a supervisor is replaced by nobody and holds the data directory: end at once, as in a crash."""
    supervisor = parent_process()
    if supervisor is not None:
        wait([supervisor.sentinel])
        os._exit(1)


class Worker:
    def __init__(self, assignment: Assignment, census: Census, reports: Connection) -> None:
        settings = assignment.settings
        self._assignment = assignment
        self._settings = settings
        self._census = census
        self._reports = reports
        self._store = open_store(settings.store_url, settings.data_dir, make=False)  # gone, it mustn't come back empty
        self._spool = Spool(self._store, min_free=settings.limits.min_free)
        self._budget = Budget()
        self._verifier: Verifier | None = None
        self._passwords = Passwords()
        self._rate_limits = RateLimits(self._spool, time.time, time.monotonic)
        self._exits = Exits(
            hostname=settings.hostname,
            mailboxes=settings.data_dir / "mailboxes",
            resolver=Resolver(settings.delivery.nameservers),
            secrets=Secrets(self._store),
            tokens=SharedTokens(TokenSource(self._store)),
        )
        self._watch = Watch(settings, self._spool, Organizations(self._store), self._prepare, time.time)
        settler = Settler(
            spool=self._spool,
            budget=self._budget,
            in_force=lambda: self._watch.current,
            hostname=settings.hostname,
            new_id=new_id,
            clock=time.time,
        )
        self._dispatcher = Dispatcher(
            organization=lambda: self._watch.current.organization,
            transport=self._exits.transport,
            settler=settler,
            spool=self._spool,
            clock=time.time,
            elapsed=time.monotonic,
        )
        self._scheduler = Scheduler(self._spool, self._budget, self._dispatcher.take, time.time)
        self._tally = TallyKeeper(self._store, time.time)
        self._listeners = [self._listener(index) for index in range(len(settings.listener))]
        self._stop = asyncio.Event()

    async def run(self) -> None:
        asyncio.get_running_loop().set_exception_handler(_log_defect)
        await self._spool.start(self._assignment.node)
        self._reports.send_bytes(REGISTERED + str(self._spool.worker_id).encode())
        for dead in self._assignment.dead:
            await asyncio.to_thread(Workers(self._store).void, dead)
        await self._watch.refresh()
        for listener in self._listeners:
            await listener.open()
        self._on_signals()
        claiming = asyncio.ensure_future(unending(self._scheduler.run))
        unended = (self._watch.run, self._tick, self._housekeep, self._tally.run)
        chores = [asyncio.ensure_future(unending(chore)) for chore in unended]
        self._reports.send_bytes(READY)
        await self._stop.wait()
        claiming.cancel()  # what it still claims is given back with the other leases
        await self._drain()
        for chore in chores:
            chore.cancel()
        await asyncio.gather(claiming, *chores, return_exceptions=True)
        await self._tally.write()
        await self._exits.close()
        await self._spool.close()
        self._passwords.close()

    async def _prepare(self, in_force: InForce) -> None:
        roots = in_force.organization.trusted_roots
        if self._verifier is None or roots != self._watch.current.organization.trusted_roots:
            self._verifier = Verifier(roots)
        await self._exits.prepare(in_force.organization, self._verifier)
        self._dispatcher.limit(in_force.organization)
        for listener in self._listeners:
            listener.prepare(self._verifier)

    def _listener(self, index: int) -> OpenListener:
        settings = self._settings
        listener = settings.listener[index]
        hearing = Hearing(
            listener=listener,
            hostname=settings.hostname,
            worker=self._assignment.number,
            census=self._census,
            spool=self._spool,
            passwords=self._passwords,
            rate_limits=self._rate_limits,
            in_force=lambda: self._watch.current,
            new_id=new_id,
            clock=time.time,
            elapsed=time.monotonic,
            budget=self._budget,
            take=self._dispatcher.take_fresh,
        )
        identity = identity_file(listener, settings.data_dir, settings.hostname)
        return OpenListener(self._assignment.addresses[index], identity, hearing)

    def _on_signals(self) -> None:
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):  # Windows: the supervisor's terminate() is a kill there
            loop.add_signal_handler(signal.SIGTERM, self._stop.set)

    async def _tick(self) -> None:
        """Each second: tell that this loop turns, and what it counted; hang up on idle clients, see to certificates."""
        while True:
            await asyncio.sleep(_TICK)
            with suppress(OSError):
                self._reports.send_bytes(ALIVE)
            observe.counters.publish(self._settings.data_dir, self._assignment.number)
            for listener in self._listeners:
                listener.hang_up_idle()
                listener.refresh_certificate()

    async def _housekeep(self) -> None:
        while True:
            await asyncio.sleep(_HOUSEKEEPING)
            limits = self._watch.current.limits
            housekeep = partial(self._spool.housekeep, trace_keep=limits.trace_keep, audit_keep=limits.audit_keep)
            try:
                await asyncio.to_thread(housekeep, time.time())
            except SpoolError as error:
                log.error("housekeeping put off", reason=str(error))

    async def _drain(self) -> None:
        """Accept nothing new, let transactions and deliveries under way end, keep the rest in the store."""
        for listener in self._listeners:
            listener.stop_accepting()
        self._dispatcher.drain()
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await asyncio.gather(self._dispatcher.drained(), *(listener.drained() for listener in self._listeners))


async def unending(chore: Callable[[], Awaitable[None]]) -> None:
    """Do it until cancelled, whatever breaks in it."""
    while True:
        try:
            await chore()
        except Exception as error:
            log.error("defect", where=chore.__qualname__, error=repr(error), exc_info=error)
            await asyncio.sleep(_TICK)


def _log_defect(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An exception that nobody caught ends its session or delivery, never the worker; it is a defect of ours."""
    error = context.get("exception")
    log.error("defect", where=str(context.get("message", "")), error=repr(error), exc_info=error)


def new_id() -> str:
    return message_id(time.time_ns() // 1_000_000, secrets.randbits(77))
