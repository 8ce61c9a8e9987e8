"""What every part needs: how long to measure, folders and ports for relays, and somewhere to say how far it is."""

from __future__ import annotations

import itertools
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from rich.console import Console

from bench.measure import Figures, Group, Load, Sink, run, sink
from bench.relays import Place, Start

_PORTS = itertools.count(21000)  # below those that the system gives to clients
_WARM_UP = 40
_FEWEST, _MOST = 40, 50_000

say = Console(stderr=True, highlight=False, soft_wrap=True).print


@dataclass(frozen=True, slots=True)
class Options:
    """`messages` is how many a run takes, 0: as many as the relay delivers in about `seconds`."""

    rounds: int
    seconds: float
    messages: int
    relays: Sequence[str]
    workers: Sequence[int]
    waiting: Sequence[int]
    connectors: Sequence[int]
    sessions: Sequence[int]

    def count(self, rate: float, seconds: float | None = None) -> int:
        return self.messages or max(_FEWEST, min(_MOST, int(rate * (seconds or self.seconds))))


@dataclass(slots=True)
class Running:
    """A relay that runs, with a sink of its own, so that its late mail is nobody else's."""

    name: str
    port: int
    group: Group | None
    sink: Sink
    rate: float = 0.0

    def measure(self, options: Options, size: int, *, reuse: bool) -> Figures:
        """One round, after the first has warmed it up and shown how many messages are enough."""
        if not self.rate:
            self.rate = self._run(Load(options.messages or _WARM_UP, size, reuse=reuse)).rate
            self.rate = self._run(Load(options.count(self.rate, 0.5), size, reuse=reuse)).rate
        return self._run(Load(options.count(self.rate), size, reuse=reuse))

    def _run(self, load: Load) -> Figures:
        return run(load, self.port, self.sink, self.group)


@dataclass(slots=True)
class Stage:
    """Gives relays a folder and ports, and ends all that runs on it."""

    folder: Path
    _exits: ExitStack = field(default_factory=ExitStack)

    def place(self, name: str, sink_port: int) -> Place:
        return Place(self.folder / name, free_port(), sink_port)

    def sink(self) -> tuple[Sink, int]:
        port = free_port()
        return self._exits.enter_context(sink(port)), port

    def start(self, name: str, start: Start | None) -> Running:
        """A relay with its sink; None is no relay: straight into the sink."""
        drain, sink_port = self.sink()
        if start is None:
            return Running(name, sink_port, None, drain)
        return Running(name, (place := self.place(name, sink_port)).port, self.enter(start, place), drain)

    def enter(self, start: Start, place: Place) -> Group:
        return self._exits.enter_context(start(place))

    def close(self) -> None:
        self._exits.close()


@contextmanager
def stage() -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="posthouse-bench-") as folder:
        Path(folder).chmod(0o755)
        standing = Stage(Path(folder))
        try:
            yield standing
        finally:
            standing.close()


class Named(Protocol):
    @property
    def name(self) -> str: ...


_Named = TypeVar("_Named", bound=Named)


def alternate(options: Options, relays: Iterable[_Named], measure: Callable[[_Named], None]) -> None:
    """Round by round, one after the other. Who fails is named, and left out of the rounds that follow."""
    able = list(relays)
    for number in range(1, options.rounds + 1):
        for relay in list(able):
            try:
                measure(relay)
            except (OSError, ExceptionGroup, subprocess.SubprocessError) as error:
                say(f"  {relay.name} left out from round {number} on: {error}")
                able.remove(relay)


def free_port() -> int:
    for port in _PORTS:
        with suppress(OSError), socket.socket() as trial:
            trial.bind(("127.0.0.1", port))
            return port
    raise AssertionError("there is always a further number")
