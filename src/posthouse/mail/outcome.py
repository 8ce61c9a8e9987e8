"""Delivery and what became of it: the fates a recipient can meet are a closed set, one record for all of them."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from posthouse.mail.message import Message
from posthouse.mail.reply import Reply


@dataclass(frozen=True, slots=True)
class Delivery:
    """The work of bringing one message to some of its recipients over one outbound connector.

    `recipients` are indices into `message.envelope.recipients`; `destination` is what the transport called the
    place they all go to (a domain, the smart hosts, a mailbox store). `credential` is the Name of the one to sign in
    with, where limits say which; empty leaves it to the transport. `is_first`: nobody can have tried it before, not
    even a worker that died over it.
    """

    message: Message
    recipients: tuple[int, ...]
    connector: str
    destination: str
    credential: str = ""
    is_first: bool = False


class Status(enum.StrEnum):
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    FAILED = "failed"


class DsnDuty(enum.StrEnum):
    """Who answers a DSN request for a delivered recipient (RFC 3461 5.2).

    FINAL: we did the last delivery, so we say `delivered`. RELAYED: the next hop has no DSN, so we say `relayed`.
    PASSED: the next hop took the request over.
    """

    FINAL = "final"
    RELAYED = "relayed"
    PASSED = "passed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt came to for one recipient.

    `remote` is the host that said so, like `mx.example.net [192.0.2.1]`, or empty. `at` is Unix time in seconds.
    """

    recipient: int
    status: Status
    reply: Reply
    remote: str
    at: float
    duty: DsnDuty = DsnDuty.RELAYED
