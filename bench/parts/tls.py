"""TLS beside Postfix: sessions that only shake hands, in full, with a client certificate or resumed, and messages."""

from __future__ import annotations

import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from bench.client import Certificates, SmtpSession
from bench.relays import Start, postfix, posthouse
from bench.results import Part
from bench.stage import Options, Running, alternate, say, stage

_THREADS = 20
_SIZE = 4 << 10
_RATE = 200
"""Sessions a second: about what a client in Python can do beside a relay on two cores."""


@dataclass(frozen=True, slots=True)
class Talk:
    """What a client does in each of its sessions: TLS if it has a context, a message if that has a size."""

    context: ssl.SSLContext | None = None
    resume: bool = False
    size: int = 0

    def hold(self, port: int, count: int) -> int:
        """Sessions one after the other. How many were resumed."""
        resumed, ticket = 0, None
        for _ in range(count):
            session = SmtpSession(port)
            if self.context is not None:
                session.starttls(self.context, ticket)
                resumed += session.is_resumed
                ticket = session.tls_session if self.resume else None
            if self.size:
                session.send(self.size)
            session.quit()
        return resumed


def measure(options: Options, parts: dict[str, Part]) -> None:
    with stage() as here:
        certificates = Certificates(here.folder)
        starts: dict[str, Start] = {
            "posthouse": partial(posthouse, tls=certificates.server),
            "postfix": partial(postfix, tls=certificates.server),
        }
        running = [here.start(name, start) for name, start in starts.items() if name in options.relays]
        for case, talk in _talks(certificates).items():
            for relay in running:
                _hold(talk, relay, _THREADS)
            alternate(options, running, partial(_measure, case, talk, options, parts["tls"]))


def _talks(certificates: Certificates) -> dict[str, Talk]:
    plain, proven = certificates.context(), certificates.context(certificate=True)
    return {
        "a session without TLS": Talk(),
        "a session, full handshake": Talk(plain),
        "a session, full handshake with a client certificate": Talk(proven),
        "a session, resumed": Talk(plain, resume=True),
        "a 4 KiB message, full handshake": Talk(plain, size=_SIZE),
        "a 4 KiB message, resumed": Talk(plain, resume=True, size=_SIZE),
    }


def _measure(case: str, talk: Talk, options: Options, part: Part, relay: Running) -> None:
    assert relay.group is not None
    count = max(_THREADS, options.count(_RATE) // _THREADS * _THREADS)
    started, cpu = time.monotonic(), relay.group.cpu_seconds
    resumed = _hold(talk, relay, count)
    wall, cpu = time.monotonic() - started, relay.group.cpu_seconds - cpu
    part.add(case, relay.name, rate=count / wall, cpu=cpu * 1000 / count, resumed=resumed / count)
    say(f"  {case}, {relay.name}: {count / wall:.0f}/s, {cpu * 1000 / count:.2f} ms, {resumed} of {count} resumed")


def _hold(talk: Talk, relay: Running, count: int) -> int:
    """So many sessions on some threads. Returns when their messages have arrived."""
    before = relay.sink.arrived
    with ThreadPoolExecutor(_THREADS) as threads:
        share = count // _THREADS
        resumed = sum(threads.map(lambda _: talk.hold(relay.port, share), range(_THREADS)))
    if talk.size:
        relay.sink.await_arrivals(before + share * _THREADS)
    return resumed
