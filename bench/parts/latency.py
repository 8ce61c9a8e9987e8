"""How long a message takes through the relay at a load that it bears easily: from the client's last byte to its 250,
and to its arrival. The client opens a connection for each message, at an even pace, whatever the relay does."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import cast

from bench.parts.throughput import EACH
from bench.relays import STARTS
from bench.results import Part, Spread, quantile
from bench.stage import Options, Stage, alternate, free_port, say, stage

_SHARE = 0.2
_RATES = {"posthouse": 2000.0, "postfix": 500.0}
"""What a relay bears, if throughput has not been measured here."""
_WARM_UP = 40
_LONGER = 4
"""How many times as long as other runs: a p99 wants many messages."""
_PATIENCE = 30.0
_NUMBER = re.compile(rb"\r\nSubject: (-?\d+)\r\n")
_FILLING = b"\r\n" + (b"X" * 78 + b"\r\n") * 51 + b".\r\n"


@dataclass(slots=True)
class Times:
    """When each message was sent, confirmed and here, by its number."""

    sent: dict[int, float] = field(default_factory=dict)
    accepted: dict[int, float] = field(default_factory=dict)
    arrived: dict[int, float] = field(default_factory=dict)

    def since_sent(self, event: dict[int, float]) -> list[float]:
        """Milliseconds."""
        return [(event[number] - at) * 1000 for number, at in self.sent.items()]


class SinkProtocol(asyncio.Protocol):
    """Takes everything at once, and tells the number of each message that came."""

    transport: asyncio.Transport

    def __init__(self, arrived: Callable[[int], None]) -> None:
        self._arrived = arrived
        self._buffer = b""
        self._in_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := b"\r\n.\r\n" if self._in_data else b"\r\n") in self._buffer:
            said, _, self._buffer = self._buffer.partition(end)
            self.transport.write(self._content(said) if self._in_data else self._command(said))

    def _content(self, content: bytes) -> bytes:
        self._in_data = False
        if number := _NUMBER.search(content):
            self._arrived(int(number[1]))
        return b"250 2.0.0 Ok\r\n"

    def _command(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        if verb == b"DATA":
            self._in_data = True
            return b"354 Go on\r\n"
        return b"250-sink\r\n250 PIPELINING\r\n" if verb == b"EHLO" else b"250 2.0.0 Ok\r\n"


@dataclass(frozen=True, slots=True)
class Target:
    """A relay with the ports that it listens on and delivers to."""

    name: str
    port: int
    sink: int


def measure(options: Options, parts: dict[str, Part]) -> None:
    with stage() as here:
        targets = [_start(here, name) for name in _RATES if name in options.relays]
        for whose in _RATES:
            rate = _SHARE * _throughput(whose, parts)
            case = f"{rate:.0f} messages/s, 20 % of what {whose} bears"
            able = [target for target in targets if whose in ("postfix", target.name)]
            alternate(options, able, partial(_measure, case, rate, options, parts["latency"]))


def _start(here: Stage, name: str) -> Target:
    place = here.place(name, free_port())
    here.enter(STARTS[name], place)
    return Target(name, place.port, place.sink)


def _throughput(name: str, parts: dict[str, Part]) -> float:
    metrics = parts["throughput"].cases.get(EACH.name, {}).get(name) if "throughput" in parts else None
    return Spread.of(metrics["rate"]).median if metrics else _RATES[name]


def _measure(case: str, rate: float, options: Options, part: Part, target: Target) -> None:
    times = asyncio.run(_load(target, rate, options.count(rate * _LONGER)))
    arrival, accepted = times.since_sent(times.arrived), times.since_sent(times.accepted)
    part.add(
        case,
        target.name,
        median=quantile(arrival, 0.5),
        slow=quantile(arrival, 0.99),
        accepted=quantile(accepted, 0.5),
        accepted_slow=quantile(accepted, 0.99),
    )
    say(f"  {case}, {target.name}: p50 {quantile(arrival, 0.5):.1f} ms, p99 {quantile(arrival, 0.99):.1f} ms")


async def _load(target: Target, rate: float, count: int) -> Times:
    loop = asyncio.get_running_loop()
    times, warm_up = Times(), Times()
    connections: list[SinkProtocol] = []
    everything = asyncio.Event()

    def connected() -> SinkProtocol:
        connections.append(SinkProtocol(arrived))
        return connections[-1]

    def arrived(number: int) -> None:
        times.arrived[number] = time.monotonic()
        if len(times.arrived) == _WARM_UP + count:
            everything.set()

    server = await loop.create_server(connected, "127.0.0.1", target.sink, backlog=1024)
    try:
        async with asyncio.timeout(_PATIENCE + count / rate), server:
            await send(target.port, -_WARM_UP, rate, _WARM_UP, warm_up)
            await send(target.port, 1, rate, count, times)
            await everything.wait()
            for connection in connections:
                connection.transport.abort()
    finally:
        server.close()
    return times


async def send(port: int, first: int, rate: float, count: int, times: Times, source: str = "127.0.0.1") -> None:
    """Start a session every 1/rate seconds, and wait for all of them."""
    start = time.monotonic()
    async with asyncio.TaskGroup() as sessions:
        for index in range(count):
            await asyncio.sleep(start + index / rate - time.monotonic())
            sessions.create_task(_send_one(port, first + index, times, source))


async def _send_one(port: int, number: int, times: Times, source: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    await reader.readline()
    for line in (b"HELO bench.test", b"MAIL FROM:<scanner@contoso.com>", b"RCPT TO:<user@example.net>", b"DATA"):
        writer.write(line + b"\r\n")
        await reader.readline()
    times.sent[number] = time.monotonic()
    writer.write(b"From: scanner@contoso.com\r\nSubject: %d\r\n" % number + _FILLING)
    reply = await reader.readline()
    times.accepted[number] = time.monotonic()
    if not reply.startswith(b"250"):
        raise OSError(f"the relay says {reply!r}")
    writer.write(b"QUIT\r\n")
    await reader.readline()
    writer.close()
