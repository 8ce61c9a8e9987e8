"""A listener of a worker without a socket: its connections over a transport in memory, decided by real sessions."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from posthouse.mail import Message
from posthouse.organization import AcceptedDomain, InboundConnector, Organization
from posthouse.organization.connectors import SenderCredential
from posthouse.relay.budget import Budget
from posthouse.relay.census import Census
from posthouse.relay.connection import Connection
from posthouse.relay.in_force import InForce
from posthouse.relay.listener import OpenListener
from posthouse.relay.rate_limits import RateLimits
from posthouse.relay.session import Hearing
from posthouse.settings import Limits, Listener, Settings
from posthouse.spool import NewMessage

Done = Callable[[BaseException | None], None]

BANNER = "220 relay.test ESMTP Posthouse\r\n"

ORGANIZATION = Organization(
    accepted_domains=(AcceptedDomain("contoso.com"),),
    inbound=(InboundConnector("Devices", sender_credentials=(SenderCredential("scanner", "$argon2id$hash"),)),),
)


class Wire(asyncio.Transport):
    """The client's end. `is_stuck`: the client reads nothing, so that what is written stays in our buffer."""

    def __init__(self, peername: tuple[str, int] | None = ("192.0.2.7", 40000)) -> None:
        super().__init__()
        self.peername = peername
        self.writes: list[bytes] = []
        self.is_stuck = False
        self.is_reading = True
        self.is_aborted = False
        self._is_closing = False
        self.protocol: Connection

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self.peername if name == "peername" else default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self._is_closing
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        """As asyncio does it: the connection is lost once all is written."""
        if not self._is_closing:
            self._is_closing = True
            if not self.is_stuck:
                self.protocol.connection_lost(None)

    def abort(self) -> None:
        self.is_aborted = True
        self._is_closing = True
        self.protocol.connection_lost(None)

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True


class Desk:
    """A listener of a worker whose store, password checks and clock do what the test says."""

    def __init__(self, limits: Limits, listener: Listener, organization: Organization = ORGANIZATION) -> None:
        self.now = 1000.0
        self.wall_clock = 2000.0
        self.accepted: list[tuple[NewMessage, Done]] = []
        self.checks: list[asyncio.Future[bool]] = []
        self.taken: list[Message] = []
        self.loop = asyncio.new_event_loop()
        in_force = InForce.made(1, organization, Settings(hostname="relay.test", limits=limits))
        self.rate_limits = RateLimits(self, lambda: self.wall_clock, lambda: self.now)
        ids = itertools.count(1)
        self.hearing = Hearing(
            listener=listener,
            hostname="relay.test",
            worker=0,
            census=Census(1),
            spool=self,
            passwords=self,
            rate_limits=self.rate_limits,
            in_force=lambda: in_force,
            new_id=lambda: f"id{next(ids)}",
            clock=lambda: self.wall_clock,
            elapsed=lambda: self.now,
            budget=Budget(),
            take=self.taken.append,
        )
        self.listener = OpenListener(("127.0.0.1", 0), None, self.hearing)

    def accept(self, new: NewMessage, done: Done) -> None:
        self.accepted.append((new, done))

    def check(self, password: str, expected: str | None) -> asyncio.Future[bool]:
        self.checks.append(self.loop.create_future())
        return self.checks[-1]

    def checked(self, verdict: bool) -> None:
        self.checks[-1].set_result(verdict)
        self.loop.run_until_complete(asyncio.sleep(0))

    def client(self) -> Client:
        return Client(self)


class Client:
    def __init__(self, desk: Desk, wire: Wire | None = None) -> None:
        self.wire = wire or Wire()
        self.connection = self.wire.protocol = Connection(desk.hearing, desk.listener._connections)
        self.connection.connection_made(self.wire)

    def say(self, data: bytes) -> list[str]:
        """What is written for it, each write by itself."""
        self.connection.data_received(data)
        return self.heard()

    def heard(self) -> list[str]:
        writes, self.wire.writes = self.wire.writes, []
        return [write.decode("latin-1") for write in writes]

    def greeted(self) -> Client:
        assert self.heard() == [BANNER]
        self.say(b"EHLO device\r\n")
        return self
