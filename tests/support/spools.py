"""A worker's spool driven from a test that isn't a coroutine, and mail to put into it."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from posthouse.mail import (
    Client,
    Content,
    Envelope,
    MemoryContent,
    Message,
    Outcome,
    Recipient,
    Reply,
    Status,
    message_id,
)
from posthouse.spool import Lease, NewMessage, Settlement, Spool, Store

T = TypeVar("T")
Done = Callable[[BaseException | None], None]

CLIENT = Client("192.0.2.7", "scanner", "ESMTPSA", "TLSv1.3", "CN=scanner", "scanner-2")
OK = Reply(250, "2.6.0", "Queued mail for delivery")
TRY_LATER = Reply(451, "4.7.1", "Try again later")
NO_SUCH_USER = Reply(550, "5.1.1", "No such user")
REMOTE = "mx.example.net [192.0.2.25]"

_milliseconds = itertools.count(int(time.time() * 1000))


class SpoolWorker:
    """A started `Spool` with an event loop of its own."""

    def __init__(self, store: Store, node: str = "here", min_free: int = 0) -> None:
        self._loop = asyncio.new_event_loop()
        self.spool = self.run(_made(store, node, min_free))

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(coroutine)

    def accept(self, *news: NewMessage) -> None:
        """Hand all in at once and wait for the answers; raises the first error among them."""
        self.wait(self.submit(self.spool.accept, *news))

    def settle(self, *settlements: Settlement) -> None:
        self.wait(self.submit(self.spool.settle, *settlements))

    def submit(self, act: Callable[[Any, Done], None], *values: Any) -> list[asyncio.Future[None]]:
        """Hand in without waiting."""
        return self.run(self._submitted(act, values))

    def wait(self, answers: list[asyncio.Future[None]]) -> None:
        self.run(_all_of(answers))

    def claim(self, now: float | None = None, limit: int = 1000) -> list[Lease]:
        return self.run(self.spool.claim(time.time() + 1 if now is None else now, limit))

    def close(self) -> None:
        """End in order, leases given back."""
        self.run(self.spool.close())
        self._loop.close()

    async def _submitted(self, act: Callable[[Any, Done], None], values: tuple[Any, ...]) -> list[asyncio.Future[None]]:
        answers: list[asyncio.Future[None]] = []
        for value in values:
            answer: asyncio.Future[None] = self._loop.create_future()
            act(value, partial(_answered, answer))
            answers.append(answer)
        return answers


def _answered(answer: asyncio.Future[None], error: BaseException | None) -> None:
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(None)


async def _all_of(answers: list[asyncio.Future[None]]) -> None:
    for error in await asyncio.gather(*answers, return_exceptions=True):
        if error is not None:
            raise error


async def _made(store: Store, node: str, min_free: int) -> Spool:
    spool = Spool(store, min_free)
    await spool.start(node)
    return spool


def new_message(
    *forward_paths: str,
    content: bytes | Content = b"Subject: x\r\n\r\nbody\r\n",
    sender: str = "scanner@contoso.com",
    connector: str | None = "Scanners",
    subject: str = "x",
    received_at: float | None = None,
    envelope: Envelope | None = None,
    **fields: Any,
) -> NewMessage:
    """A message that has just come in; `fields` are those of `NewMessage`."""
    now = next(_milliseconds) / 1000 if received_at is None else received_at
    recipients = tuple(Recipient(path) for path in forward_paths or ("user@example.net",))
    held = MemoryContent((content,)) if isinstance(content, bytes) else content
    identity = message_id(round(now * 1000), secrets.randbits(77))
    message = Message(identity, now, envelope or Envelope(sender, recipients), held, connector, CLIENT)
    return NewMessage(message, subject, "<1@scanner>", "Scanners: 192.0.2.7 is in 192.0.2.0/24", **fields)


def outcome(status: Status, reply: Reply, recipient: int = 0, at: float = 0.0) -> Outcome:
    return Outcome(recipient, status, reply, REMOTE, at or time.time())


def delivered(message: Message, *recipients: int, **fields: Any) -> Settlement:
    """All recipients, or those given, are delivered."""
    places = recipients or range(len(message.envelope.recipients))
    outcomes = tuple(outcome(Status.DELIVERED, OK, place) for place in places)
    return Settlement(message.id, outcomes, connector="Internet", destination="example.net", **fields)


def failed(message: Message, recipient: int = 0, **fields: Any) -> Settlement:
    outcomes = (outcome(Status.FAILED, NO_SUCH_USER, recipient),)
    return Settlement(message.id, outcomes, connector="Internet", destination="example.net", **fields)


def deferred(message: Message, retry_at: float, recipient: int = 0, **fields: Any) -> Settlement:
    outcomes = (outcome(Status.DEFERRED, TRY_LATER, recipient, **fields.pop("outcome", {})),)
    retries = {recipient: retry_at}
    return Settlement(message.id, outcomes, retries, connector="Internet", destination="example.net", **fields)


def read(content: Content) -> bytes:
    return b"".join(content.chunks())
