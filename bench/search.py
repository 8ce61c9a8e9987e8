"""How long the usual searches of the message trace take: the numbers of docs/decisions/0012-trace-search.md.

Usage: python -m bench.search [FOLDER [RECIPIENTS]]. The store is made in FOLDER where there is none, of a million
recipients in thirty days; without a folder in one that is removed afterwards. Each search is the fastest of three, as
wall clock and as processor time, which other work on the machine hardly touches.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from posthouse.mail import Client, message_id
from posthouse.spool import State, Store, Trace, TraceFilter, open_store

_HOUR, _DAY = 3600.0, 86400.0
_DAYS = 30
_AT_ONCE = 10_000
_PAGE = 50
_STRIDE = 7919
"""A prime, so that senders and recipients come in no order."""
_REASONS = "Scanners: 10.1.2.3 is in its SenderIPAddresses (/24); chosen: SenderDomains admit the reverse-path\n" * 3
_REPLY = "<06h10t4pexmgebcyzgbjndetw> [InternalId=123456789012, Hostname=x.prod.outlook.com] Queued mail for delivery"
_NEXT_HOP = "contoso-com.mail.protection.outlook.com"
_CLIENT = json.dumps(asdict(Client("10.1.2.3", "mfp.contoso.com", "ESMTPS", "TLSv1.3 TLS_AES_256_GCM_SHA384")))

Row = tuple[Any, ...]


def fill(store: Store, count: int) -> None:
    """Messages of 300 senders to 50,000 recipients, evenly over the time up to now."""
    now = time.time()
    for start in range(0, count, _AT_ONCE):
        made = [
            _mail(now - _DAYS * _DAY * (1 - number / count), number)
            for number in range(start, min(start + _AT_ONCE, count))
        ]
        with store.transaction() as connection:
            cursor = connection.connection.cursor()
            store.statements.insert_message.run(cursor, [message for message, _ in made])
            store.statements.insert_recipient.run(cursor, [recipient for _, recipient in made])


def _mail(at: float, number: int) -> tuple[Row, Row]:
    identity = message_id(int(at * 1000), number)
    sender = f"app-{number * _STRIDE % 300}@contoso.com"
    subject, header_id = f"Invoice {number} from Contoso", f"<{identity}@contoso.com>"
    envelope = (identity, at, "smtp", sender, None, None, False, "7BIT", 50_000)
    message = (*envelope, "Scanners", _CLIENT, subject, header_id, _REASONS)
    state = State.FAILED if number % 50 == 0 else State.DELIVERED
    to = f"user{number * _STRIDE % 50_000}@example.net"
    outcome = (250, "2.6.0", _REPLY, f"{_NEXT_HOP} [52.101.68.1]", at + 1)
    return message, (identity, 0, to, "", "", state.value, None, at, 1, False, "Office 365", _NEXT_HOP, *outcome)


def searches(now: float, known: str) -> Iterator[tuple[str, TraceFilter]]:
    yield "the last hour", TraceFilter(since=now - _HOUR)
    yield "the last day", TraceFilter(since=now - _DAY)
    yield "a sender, last day", TraceFilter(since=now - _DAY, sender="app-7@contoso.com")
    yield "a sender that is none, last day", TraceFilter(since=now - _DAY, sender="nobody@contoso.com")
    yield "a sender that is none, 30 days", TraceFilter(sender="nobody@contoso.com")
    yield "a recipient, last day", TraceFilter(since=now - _DAY, recipient="user77@example.net")
    yield "a recipient, 7 days", TraceFilter(since=now - 7 * _DAY, recipient="user77@example.net")
    yield "a recipient, 30 days", TraceFilter(recipient="user77@example.net")
    yield "our id", TraceFilter(message_id=known)
    yield "a Message-ID header, 30 days", TraceFilter(message_id=f"<{known}@contoso.com>")
    yield "part of a subject, last day", TraceFilter(since=now - _DAY, subject="invoice")
    yield "part of a subject that is none, 7 days", TraceFilter(since=now - 7 * _DAY, subject="no such thing")
    yield "what failed, 30 days", TraceFilter(state=State.FAILED)
    yield "what is held, of which there is none, 30 days", TraceFilter(state=State.HELD)


def measure(store: Store) -> None:
    trace = Trace(store)
    newest = trace.find(TraceFilter(), 1).entries[0].received_at
    known = trace.find(TraceFilter(until=newest - 20 * _DAY), 1).entries[0].message_id
    for name, wanted in searches(newest, known):
        walls, processor, pages = zip(*(_timed(trace, wanted) for _ in range(3)), strict=True)
        found = f"{len(pages[-1].entries)} found{', and goes on' if pages[-1].cursor else ''}"
        sys.stdout.write(f"{name:48}{min(walls) * 1000:8.1f} ms{min(processor) * 1000:8.1f} ms CPU   {found}\n")


def _timed(trace: Trace, wanted: TraceFilter) -> tuple[float, float, Any]:
    began, worked = time.perf_counter(), time.process_time()
    page = trace.find(wanted, _PAGE)
    return time.perf_counter() - began, time.process_time() - worked, page


def main(folder: Path, count: int) -> None:
    with closing(open_store(f"sqlite:///{folder / 'posthouse.db'}", folder)) as store:
        if not Trace(store).find(TraceFilter(), 1).entries:
            fill(store, count)
        measure(store)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="posthouse-search-") as temporary:
        given = sys.argv[1:]
        main(Path(given[0] if given else temporary), int(given[1]) if len(given) > 1 else 1_000_000)
