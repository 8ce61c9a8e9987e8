"""Deliveries over a real socket, and a DNS that answers from a table."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from posthouse.mail import Client, Content, Delivery, Envelope, MemoryContent, Message, Outcome, Recipient
from posthouse.net.dns import DnsError, MxHost, NoSuchDomain
from posthouse.net.verification import Verifier
from posthouse.organization import OutboundConnector
from posthouse.transports import SmtpTransport, Timeouts
from support.peers import Peer

PUBLIC = Verifier()
"""Trusts the public roots only."""

CONTENT = MemoryContent((b"Subject: x\r\n\r\n", b".dot\r\n..\r\nlast line\r\n"))


def envelope(*recipients: str) -> Envelope:
    return Envelope("a@contoso.com", tuple(Recipient(to) for to in recipients or ("b@example.net",)))


def delivery(to: Envelope | None = None, content: Content = CONTENT, destination: str = "example.net") -> Delivery:
    to = to or envelope()
    message = Message("0" * 25, 0.0, to, content, None, Client("127.0.0.1"))
    return Delivery(message, tuple(range(len(to.recipients))), "Internet", destination)


@dataclass
class FakeResolver:
    """Answers from tables; an error in them is raised. Domains that have no MX entry are their own."""

    mx: dict[str, list[MxHost] | DnsError] = field(default_factory=dict)
    hosts: dict[str, list[str] | DnsError] = field(default_factory=dict)

    async def mx_hosts(self, domain: str) -> list[MxHost]:
        return _given(self.mx.get(domain, [MxHost(0, domain)]))

    async def addresses(self, host: str) -> list[str]:
        return _given(self.hosts.get(host, NoSuchDomain(host)))


def _given(answer: Any) -> Any:
    if isinstance(answer, DnsError):
        raise answer
    return answer


class Sender:
    """Makes transports for a peer. Short time-outs, since the peers are on this machine."""

    TIMEOUTS = Timeouts(*[0.2] * 8)
    PATIENT = Timeouts(*[20] * 8)

    def __init__(self) -> None:
        self.resolver = FakeResolver(hosts={"example.net": ["127.0.0.1"]})
        self.connector = OutboundConnector("Internet", use_mx_record=True)

    def use_smart_hosts(self, *hosts: str) -> None:
        self.connector = replace(self.connector, use_mx_record=False, smart_hosts=hosts)

    def transport(self, peer: Peer | int, **options: Any) -> SmtpTransport:
        port = peer if isinstance(peer, int) else peer.port
        defaults = {
            "resolver": self.resolver,
            "helo_name": "relay.contoso.com",
            "verifier": PUBLIC,
            "timeouts": self.PATIENT,
        }
        return SmtpTransport(replace(self.connector, port=port), **(defaults | options))

    def deliver(self, peer: Peer | int, *deliveries: Delivery, **options: Any) -> list[Outcome]:
        """The outcomes of deliveries one after another over one transport."""

        async def all_of_them() -> list[Outcome]:
            transport = self.transport(peer, **options)
            outcomes: list[Outcome] = []
            for each in deliveries or (delivery(),):
                outcomes += await transport.deliver(each)
            await transport.close()
            return outcomes

        return asyncio.run(all_of_them())


@pytest.fixture
def sender() -> Sender:
    return Sender()


@pytest.fixture
def mail() -> Callable[..., Delivery]:
    """A delivery: `mail(envelope, content, destination)`."""
    return delivery


@pytest.fixture
def to() -> Callable[..., Envelope]:
    """An envelope for these recipients."""
    return envelope
