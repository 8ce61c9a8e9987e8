"""`posthouse serve`: starts the workers, replaces those that die or hang, and ends them in order."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType

from posthouse import observe
from posthouse.relay import worker
from posthouse.relay.census import Census
from posthouse.relay.companion import Companion
from posthouse.relay.house import allow_open_files, hold_data_dir, node_name
from posthouse.relay.listener import identity_file, reserve_address
from posthouse.settings import Settings
from posthouse.spool import Organizations, Workers, open_store

DRAIN_SECONDS = 30.0
_HANG_SECONDS = 30.0
_RESTART_PAUSE = 1.0

log = observe.logger


def serve(settings: Settings, beside: Sequence[str] = ()) -> int:
    """Run the relay in the foreground until SIGTERM or SIGINT. Returns the exit status: 1 if it never got ready.

    `beside` is the command line of a program to run beside it.

    Raises `StartError` with one line for the user when the data directory, the store or a port can't be had.
    """
    allow_open_files()
    with ExitStack() as stack:
        stack.enter_context(hold_data_dir(settings.data_dir))
        node = node_name(settings.data_dir)
        observe.prepare(settings.data_dir, settings.worker_count)
        with closing(open_store(settings.store_url, settings.data_dir)) as store:
            Workers(store).void_node(node)
            revision = Organizations(store).revision()
        for listener in settings.listener:
            identity_file(listener, settings.data_dir, settings.hostname)
        reserved = [
            stack.enter_context(reserve_address(listener.host, listener.port)) for listener in settings.listener
        ]
        if revision == 0:
            log.warning("no organization yet", hint="nothing is accepted before: posthouse apply FILE")
        crew = Crew(settings, node, [sock.getsockname()[:2] for sock in reserved], beside)
        return crew.run()


@dataclass(slots=True)
class Member:
    """A worker process as its supervisor sees it. `heard_at` is of `time.monotonic()`.

    `worker_id` names it in the store; `buries` are the dead whose leases it gives back before it is ready.
    """

    process: BaseProcess
    reports: Connection
    heard_at: float
    ready: bool = False
    worker_id: int | None = None
    buries: tuple[int, ...] = ()


class Crew:
    """The workers of one `serve`. Single-threaded on purpose: it forks."""

    def __init__(self, settings: Settings, node: str, addresses: list[tuple[str, int]], beside: Sequence[str]) -> None:
        self._settings = settings
        self._node = node
        self._addresses = addresses
        self._size = settings.worker_count
        self._census = Census(self._size)
        self._companion = Companion(beside)
        self._members: dict[int, Member] = {}
        self._restart_at: dict[int, float] = {}
        self._dead: list[int] = []
        self._stop_at: float | None = None
        self._announced = False
        self._forks = "fork" in multiprocessing.get_all_start_methods()
        self._processes = multiprocessing.get_context("fork") if self._forks else multiprocessing.get_context("spawn")

    def run(self) -> int:
        with self._signals(), self._companion:
            for number in range(self._size):
                self._start(number)
            while not self._is_over():
                self._wait()
                self._bury()
                self._restart()
                self._tell_to_end()
                self._kill_hung()
                self._announce()
                self._look_after_companion()
        if self._announced or self._stop_at is not None:
            log.info("stopped")
            return 0
        log.error("never started", hint="the workers' own log lines above say why")
        return 1

    def _is_over(self) -> bool:
        """All have ended, and none is to follow: we were told to stop, or none ever got ready."""
        return not self._members and (self._stop_at is not None or not self._announced)

    def _announce(self) -> None:
        if self._announced or len(self._members) < self._size or self._stop_at is not None:
            return
        if all(member.ready for member in self._members.values()):
            self._announced = True
            listening = " ".join(f"{host}:{port}" for host, port in self._addresses)
            log.info("ready", listening=listening, workers=self._size, data_dir=str(self._settings.data_dir))

    def _look_after_companion(self) -> None:
        """Once the workers accept mail, and until they are to stop."""
        if self._announced and self._stop_at is None:
            self._companion.look_after()

    def _start(self, number: int) -> None:
        reports, reporter = self._processes.Pipe(duplex=False)
        dead = tuple(self._dead)
        assignment = worker.Assignment(self._settings, self._node, number, tuple(self._addresses), dead)
        process = self._processes.Process(
            target=worker.main, args=(assignment, self._census_for_child(), reporter), name=f"posthouse-worker-{number}"
        )
        process.start()
        reporter.close()
        self._members[number] = Member(process, reports, time.monotonic(), buries=dead)

    def _census_for_child(self) -> Census | None:
        """Shared memory is inherited by a fork; a spawned worker (Windows, where there is one) counts by itself."""
        return self._census if self._forks else None

    def _wait(self) -> None:
        """Sleep until a worker says something or ends, at most a second."""
        waiting = {member.reports: member for member in self._members.values()}
        sentinels = [member.process.sentinel for member in self._members.values()]
        for source in wait([*waiting, *sentinels], timeout=1.0):
            if isinstance(source, Connection) and source in waiting:
                self._hear(waiting[source])

    def _hear(self, member: Member) -> bool:
        """Take one report. False when there are no more to come."""
        try:
            report = member.reports.recv_bytes()
        except (EOFError, OSError):
            member.process.join(timeout=1.0)
            return False
        member.heard_at = time.monotonic()
        if report.startswith(worker.REGISTERED):
            member.worker_id = int(report.removeprefix(worker.REGISTERED))
        elif report == worker.READY:
            member.ready = True
            self._dead = [dead for dead in self._dead if dead not in member.buries]
        return True

    def _bury(self) -> None:
        """Of a worker that has ended: forget its sessions, remember its leases for its successor to give back."""
        for number, member in list(self._members.items()):
            if member.process.is_alive():
                continue
            while member.reports.poll() and self._hear(member):
                pass
            del self._members[number]
            member.reports.close()
            self._census.clear(number)
            if member.worker_id is not None:
                self._dead.append(member.worker_id)
            if self._stop_at is None:
                log.error("worker died", worker=number, status=member.process.exitcode, hint="its mail goes on")
                self._restart_at[number] = time.monotonic() + (0 if member.ready else _RESTART_PAUSE)
            member.process.close()

    def _restart(self) -> None:
        if self._stop_at is not None or not (self._announced or self._members):
            return
        for number in [number for number, at in self._restart_at.items() if at <= time.monotonic()]:
            del self._restart_at[number]
            self._start(number)

    def _tell_to_end(self) -> None:
        """Once we are to stop. Told more than once, since a worker that is just starting may not hear it."""
        if self._stop_at is not None:
            for member in self._members.values():
                member.process.terminate()

    def _kill_hung(self) -> None:
        """A worker that hangs holds up its sessions, and one that outlasts the drain holds up everything."""
        now = time.monotonic()
        for number, member in self._members.items():
            if now - member.heard_at > _HANG_SECONDS:
                log.error("worker hangs", worker=number, silent_seconds=round(now - member.heard_at))
                member.process.kill()
            elif self._stop_at is not None and now > self._stop_at:
                member.process.kill()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._on_stop) for number in (signal.SIGTERM, signal.SIGINT)}
        if hasattr(signal, "SIGHUP"):  # ignored by the workers too, which see changes by themselves
            before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        if self._stop_at is None:
            self._stop_at = time.monotonic() + DRAIN_SECONDS
            self._tell_to_end()
