"""What open, idle sessions cost Posthouse in memory, plain and with TLS."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

from bench.client import Certificates, SmtpSession
from bench.relays import posthouse
from bench.results import Part
from bench.stage import Options, say, stage

_THREADS = 10
_KIBIBYTES = 1024


def measure(options: Options, parts: dict[str, Part]) -> None:
    for number in range(1, options.rounds + 1):
        for kind in ("plain", "TLS"):
            say(f"  {kind}, round {number}")
            _measure_kind(kind, options, parts["sessions"])


def _measure_kind(kind: str, options: Options, part: Part) -> None:
    with stage() as here, ExitStack() as sessions, ThreadPoolExecutor(_THREADS) as threads:
        certificates = Certificates(here.folder)
        relay = here.start("posthouse", partial(posthouse, tls=certificates.server))
        assert relay.group is not None
        context = certificates.context() if kind == "TLS" else None
        relay.measure(options, 4 << 10, reuse=False)
        before, held = relay.group.memory, 0

        def open_one(_: int) -> SmtpSession:
            session = SmtpSession(relay.port)
            if context is not None:
                session.starttls(context)
            return session

        for count in sorted(options.sessions):
            for session in threads.map(open_one, range(count - held)):
                sessions.callback(session.close)
            held = count
            more = relay.group.memory - before
            part.add(kind, f"{count:,}", memory=relay.group.memory, more=more, each=more * _KIBIBYTES / count)
