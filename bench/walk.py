"""A message's whole way in one thread, without sockets, threads or time: the same instructions on every run.

The session's replies go nowhere, the store is a SQLite file, written in batches as the writer thread does, and the next
hop says yes. Usage: python -m bench.walk MESSAGES SIZE
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import cast

from posthouse.mail import Message, Outcome, Status, message_id
from posthouse.organization import from_document
from posthouse.relay.budget import Budget
from posthouse.relay.census import Census
from posthouse.relay.connection import Connection
from posthouse.relay.in_force import InForce
from posthouse.relay.passwords import Passwords
from posthouse.relay.rate_limits import RateLimits
from posthouse.relay.session import Hearing
from posthouse.settings import Settings
from posthouse.smtp import NEED_DATA, ClientEngine
from posthouse.smtp.client import TransactionDone
from posthouse.spool import NewMessage, Settlement, open_store
from posthouse.spool.batch import Accept, Done, Settle, Work, Writing
from posthouse.spool.contents import ContentFolder
from posthouse.spool.spool import Spool
from posthouse.spool.store import WriteSession

_SESSIONS = 20
_NOW = 1_800_000_000.0
_SETTINGS = Settings(hostname="relay.contoso.com", workers=1)
_ORGANIZATION = from_document(
    {
        "accepted_domain": [{"name": "contoso.com"}],
        "inbound_connector": [
            {"name": "Devices", "connector_type": "OnPremises", "sender_ip_addresses": ["127.0.0.0/8"]}
        ],
        "outbound_connector": [{"name": "Sink", "recipient_domains": ["*"], "smart_hosts": ["127.0.0.1"]}],
    }
)
_ENVELOPE = (
    b"HELO bench.test\r\n",
    b"MAIL FROM:<scanner@contoso.com>\r\n",
    b"RCPT TO:<user@example.net>\r\n",
    b"DATA\r\n",
)
_HEADER = (
    b"From: scanner@contoso.com\r\nTo: user@example.net\r\nSubject: bench\r\nMessage-Id: <1@contoso.com>\r\n"
    b"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n\r\n"
)
_LINE = b"X" * 78 + b"\r\n"


class Transport:
    """The client's end of a connection. It only counts the positive replies to content."""

    def __init__(self) -> None:
        self.queued = 0

    def get_extra_info(self, _: str) -> tuple[str, int]:
        return "127.0.0.1", 40000

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        self.queued += data.startswith(b"250 2.6.0")

    def close(self) -> None:
        """Nothing is open."""


class Desk:
    """In place of the spool: takes what the sessions accept, and writes all of it at once."""

    def __init__(self, folder: Path) -> None:
        self._store = open_store(f"sqlite:///{folder / 'posthouse.db'}", folder)
        self._contents = ContentFolder(self._store.content_folder)
        self._writing = Writing(self._contents)
        self._writing.worker_id = 1
        self._session = WriteSession(self._store)
        self._accepts: list[Work] = []

    def accept(self, new: NewMessage, done: Done) -> None:
        self._accepts.append(Accept(new, done))

    def commit(self) -> None:
        works, self._accepts = self._accepts, []
        self.write(works)

    def write(self, works: list[Work]) -> None:
        self._writing.place(works)
        with self._session.transaction() as transaction:
            self._writing.write(works, transaction)
        self._writing.end_batch()
        for work in works:
            work.tell(None)

    def close(self) -> None:
        self._session.close()
        self._contents.close()
        self._store.close()


class NextHop:
    """A session with a next hop that takes everything."""

    def __init__(self) -> None:
        self._engine = ClientEngine("relay.contoso.com")
        self._hear(b"220 sink\r\n")
        self._engine.hello()
        self._hear(b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n")

    def send(self, message: Message) -> Settle:
        self._engine.begin(message.envelope, message.size, message.content.chunks())
        self._hear(b"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 Go on\r\n")
        done = self._hear(b"250 2.0.0 Ok\r\n")
        assert isinstance(done, TransactionDone)
        outcome = Outcome(0, Status.DELIVERED, done.replies[0], "sink [127.0.0.1]", _NOW)
        return Settle(Settlement(message.id, (outcome,), connector="Sink", destination="127.0.0.1"))

    def _hear(self, replies: bytes) -> object:
        """Send what is queued, then hear the replies. The last event."""
        self._engine.data_to_send()
        self._engine.receive(replies)
        last: object = None
        while (event := self._engine.next_event()) is not NEED_DATA:
            last = event
        self._engine.data_to_send()
        return last


class Walk:
    def __init__(self, folder: Path, size: int) -> None:
        self._desk = Desk(folder)
        self._taken: list[Message] = []
        self._next_hop = NextHop()
        self._content = _HEADER + _LINE * ((size - len(_HEADER)) // len(_LINE))
        self._connections: set[Connection] = set()
        numbers = itertools.count()
        in_force = InForce.made(1, _ORGANIZATION, _SETTINGS)
        self._hearing = Hearing(
            listener=_SETTINGS.listener[0],
            hostname=_SETTINGS.hostname,
            worker=0,
            census=Census(1),
            spool=cast("Spool", self._desk),
            passwords=Passwords(),
            rate_limits=RateLimits(cast("Spool", self._desk), lambda: _NOW, lambda: _NOW),
            in_force=lambda: in_force,
            new_id=lambda: message_id(int(_NOW * 1000), next(numbers)),
            clock=lambda: _NOW,
            elapsed=lambda: 0.0,
            budget=Budget(),
            take=self._taken.append,
        )

    def batch(self) -> int:
        """A message of each session, from its connection to its settlement. How many were confirmed and delivered."""
        transports = [Transport() for _ in range(_SESSIONS)]
        connections = [self._connect(transport) for transport in transports]
        for flight in (*_ENVELOPE, self._content, b".\r\n"):
            for connection in connections:
                connection.data_received(flight)
        self._desk.commit()
        for connection in connections:
            connection.data_received(b"QUIT\r\n")
            connection.connection_lost(None)
        delivered = len(self._taken)
        self._desk.write([self._next_hop.send(message) for message in self._taken])
        self._taken.clear()
        self._hearing.budget = Budget()
        return min(delivered, sum(transport.queued for transport in transports))

    def close(self) -> None:
        self._hearing.passwords.close()
        self._desk.close()

    def _connect(self, transport: Transport) -> Connection:
        connection = Connection(self._hearing, self._connections)
        connection.connection_made(cast("asyncio.BaseTransport", transport))
        return connection


def walk(messages: int, size: int) -> int:
    """Whole batches. How many messages went all the way."""
    with tempfile.TemporaryDirectory(prefix="posthouse-walk-") as folder, closing(Walk(Path(folder), size)) as way:
        return sum(way.batch() for _ in range(messages // _SESSIONS))


if __name__ == "__main__":
    gc.freeze()
    if walk(int(sys.argv[1]), int(sys.argv[2])) != int(sys.argv[1]):
        sys.exit("not all messages went all the way")
