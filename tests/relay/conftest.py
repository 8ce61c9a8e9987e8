from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from posthouse.mail import Client, Envelope, MemoryContent, Message, Notify, Recipient, message_id
from posthouse.organization import AcceptedDomain, Organization
from posthouse.relay.in_force import InForce
from posthouse.settings import Settings
from support.gate import NOW
from support.recording import RecordingSpool

CONTENT = b"Received: from device by relay.test; Tue, 24 Nov 2026 10:00:00 +0000\r\nSubject: A scan\r\n\r\nBody\r\n"


@pytest.fixture
def spool() -> RecordingSpool:
    return RecordingSpool()


@pytest.fixture
def in_force() -> InForce:
    organization = Organization(accepted_domains=(AcceptedDomain("contoso.com"),))
    return InForce.made(1, organization, Settings(hostname="relay.test"))


@pytest.fixture
def message() -> Callable[..., Message]:
    def make(
        *recipients: str,
        sender: str = "scanner@contoso.com",
        notify: Notify = Notify.ABSENT,
        connector: str | None = "Scanners",
    ) -> Message:
        envelope = Envelope(sender, tuple(replace(Recipient(path), notify=notify) for path in recipients))
        content = MemoryContent((CONTENT,))
        return Message(message_id(0, 7), 1000.0, envelope, content, connector, Client("192.0.2.1"))

    return make


@pytest.fixture
def mails(message: Callable[..., Message]) -> Callable[..., list[Message]]:
    """So many mails of one client, each with an id of its own."""

    def make(
        count: int, name: str = "m", *recipients: str, connector: str = "Scanners", **fields: Any
    ) -> list[Message]:
        made = message(*(recipients or ("user@example.net",)), connector=connector, **fields)
        client = Client(f"192.0.2.{len(name)}", login=name)
        return [replace(made, id=f"{name}{number:04}", client=client, received_at=NOW) for number in range(count)]

    return make
