"""A burst against a next hop's limits: they are never passed, nothing is lost or sent twice, and nobody else waits.

The sink knows when each message came, and how many sessions there were at once.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.measure import Group
from bench.parts.latency import SinkProtocol, Times, send
from bench.relays import Place, posthouse
from bench.results import Part
from bench.stage import Options, free_port, say, stage

A_MINUTE, CONNECTIONS, BURST = 6000, 3, 10_000
_PACE = 1000.0
"""Messages a second that the burst comes in at."""
_NEWCOMER, _SOURCE = 0, "127.0.0.2"
_MINUTE = 60.0


@dataclass(slots=True)
class Sink:
    """What came, by number and time."""

    arrivals: list[tuple[int, float]] = field(default_factory=list)
    sessions: set[Session] = field(default_factory=lambda: set[Session]())
    most_sessions: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def arrived(self, number: int) -> None:
        self.arrivals.append((number, time.monotonic()))
        self.changed.set()

    async def hold(self, numbers: set[int]) -> None:
        """Wait until all of them are here."""
        while not numbers <= {number for number, _ in self.arrivals}:
            self.changed.clear()
            await self.changed.wait()
            await asyncio.sleep(0.1)

    @property
    def twice(self) -> int:
        return sum(count - 1 for count in Counter(number for number, _ in self.arrivals).values())


class Session(SinkProtocol):
    """One of those that are counted."""

    def __init__(self, sink: Sink) -> None:
        super().__init__(sink.arrived)
        self._sink = sink

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._sink.sessions.add(self)
        self._sink.most_sessions = max(self._sink.most_sessions, len(self._sink.sessions))
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._sink.sessions.discard(self)

    def _command(self, line: bytes) -> bytes:
        if line[:4].upper() == b"QUIT":  # its end may be heard of after the beginning of the next one
            self._sink.sessions.discard(self)
        return super()._command(line)


def measure(options: Options, parts: dict[str, Part]) -> None:
    count = options.messages or BURST
    for _ in range(options.rounds):
        with stage() as here:
            place = here.place("limited", free_port())
            asyncio.run(_burst(place, here.enter(_limited, place), count, parts["throttle"]))


def most_in(span: float, times: Sequence[float]) -> int:
    """The most that came in any span of time of that length."""
    first = most = 0
    for last, at in enumerate(sorted(times)):
        while at - times[first] >= span:
            first += 1
        most = max(most, last - first + 1)
    return most


@contextmanager
def _limited(place: Place) -> Iterator[Group]:
    connector = f"""
[[outbound_connector]]
name = "Limited"
recipient_domains = ["example.net"]
smart_hosts = ["127.0.0.1"]
port = {place.sink}
throttle = {{ messages_per_minute = {A_MINUTE}, connections = {CONNECTIONS} }}
"""
    with posthouse(place, organization=connector) as group:
        yield group


async def _burst(place: Place, relay: Group, count: int, part: Part) -> None:
    sink, flood, newcomer = Sink(), Times(), Times()
    server = await asyncio.get_running_loop().create_server(lambda: Session(sink), "127.0.0.1", place.sink)
    cpu, started = relay.cpu_seconds, time.monotonic()
    async with server, asyncio.timeout(_MINUTE * (2 + 2 * count / A_MINUTE)):
        await send(place.port, 1, _PACE, count, flood)
        await send(place.port, _NEWCOMER, 1, 1, newcomer, source=_SOURCE)
        await sink.hold({_NEWCOMER, *flood.sent})
        memory, spent = relay.memory, relay.cpu_seconds - cpu
        for session in sink.sessions:
            session.transport.abort()
    seconds = max(at for _, at in sink.arrivals) - started
    overtook = next(at for number, at in sink.arrivals if number == _NEWCOMER) - newcomer.sent[_NEWCOMER]
    fullest = most_in(_MINUTE, [at for _, at in sink.arrivals])
    part.add(
        f"{count:,} messages, {A_MINUTE:,} a minute allowed over {CONNECTIONS} connections",
        "posthouse",
        seconds=seconds,
        fullest=fullest,
        sessions=sink.most_sessions,
        newcomer=overtook,
        twice=sink.twice,
        cpu=spent * 1000 / count,
        memory=memory,
    )
    say(f"  all here after {seconds:.0f} s, {fullest} in the fullest minute, {sink.most_sessions} sessions at once")
