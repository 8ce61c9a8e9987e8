"""A mailbox at the stand-in of Graph, and a transport that sends from it."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme

from posthouse.mail import Client, Content, Delivery, Envelope, MemoryContent, Message, Outcome, Recipient, Reply
from posthouse.organization import Credential, CredentialKind, OutboundConnector, TransportKind
from posthouse.transports.graph import GraphTransport
from posthouse.transports.sign_in import SignInFailed
from standins.graph import Graph
from standins.graph_mailbox import Item, Mailbox

SCANNER = "scanner@contoso.com"


class Wallet:
    """Tokens of the stand-in. `forgotten` are those that were refused, `locked` the credentials that get none."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.claims: dict[str, Any] = {}
        self.held = ""
        self.forgotten: list[str] = []
        self.scopes: set[str] = set()
        self.locked: set[str] = set()

    async def get(self, credential: Credential, scope: str) -> str:
        self.scopes.add(scope)
        if credential.name in self.locked:
            raise SignInFailed(Reply(451, "4.7.0", "Its secret has expired"))
        self.held = self.held or self._graph.token(**self.claims)
        return self.held

    async def forget(self, credential: Credential, scope: str, token: str) -> None:
        self.forgotten.append(token)
        self.held = ""


class Sender:
    """Delivers over one transport. `is_first`: nobody has tried to before."""

    def __init__(self, graph: Graph, mailbox: Mailbox, context: ssl.SSLContext) -> None:
        self.graph = graph
        self.mailbox = mailbox
        self.context = context
        self.wallet = Wallet(graph)
        self.users = [mailbox.address]
        self.endpoint = graph.url
        self.is_first = True

    def message(self, *recipients: str, content: bytes | Content = b"", number: int = 0) -> Message:
        held = MemoryContent((content,)) if isinstance(content, bytes) else content
        envelope = Envelope(SCANNER, tuple(map(Recipient, recipients or ("user@contoso.com",))))
        return Message(f"{number:025}", time.time(), envelope, held, "Scanners", Client("192.0.2.7"))

    def deliver(self, *messages: Message, at_once: bool = False) -> list[Outcome]:
        """One after another, or all at once, each to all of its recipients."""

        async def all_of_them() -> list[Outcome]:
            credentials = [Credential(user, CredentialKind.CLIENT_CREDENTIALS, user) for user in self.users]
            connector = OutboundConnector("Graph", transport=TransportKind.GRAPH, endpoint=self.endpoint)
            transport = GraphTransport(
                connector, credentials, tokens=self.wallet, hostname="relay.contoso.com", context=self.context
            )
            works = [transport.deliver(self._delivery(each)) for each in messages]
            if at_once:
                outcomes = [outcome for found in await asyncio.gather(*works) for outcome in found]
            else:
                outcomes = [outcome for work in works for outcome in await work]
            await transport.close()
            return outcomes

        return asyncio.run(all_of_them())

    def _delivery(self, message: Message) -> Delivery:
        everyone = tuple(range(len(message.envelope.recipients)))
        return Delivery(message, everyone, "Graph", "graph.microsoft.com", is_first=self.is_first)

    def send(self, content: bytes | Content, *recipients: str) -> Item:
        """What one message arrives as."""
        before = len(self.mailbox.sent)
        outcomes = self.deliver(self.message(*recipients, content=content))
        assert {outcome.reply.code for outcome in outcomes} == {250}, outcomes
        (item,) = self.mailbox.sent[before:]
        return item


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def context(authority: trustme.CA) -> ssl.SSLContext:
    """A client's that trusts the stand-in."""
    made = ssl.create_default_context()
    authority.configure_trust(made)
    return made


@pytest.fixture
def graph(authority: trustme.CA) -> Iterator[Graph]:
    with Graph(authority) as running:
        yield running


@pytest.fixture
def mailbox(graph: Graph) -> Mailbox:
    return graph.mailbox(SCANNER)


@pytest.fixture
def sender(graph: Graph, mailbox: Mailbox, context: ssl.SSLContext) -> Sender:
    return Sender(graph, mailbox, context)


@pytest.fixture
def mail() -> Callable[..., bytes]:
    """A small mail: `mail(to="…", cc="…")`, with these header fields besides."""

    def write(body: str = "Hello\r\n", **fields: str) -> bytes:
        given = {"from": SCANNER, "to": "user@contoso.com", "message_id": "<1@scanner>", "subject": "Scan"} | fields
        header = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items() if value)
        return f"{header}\r\n{body}".encode()

    return write
