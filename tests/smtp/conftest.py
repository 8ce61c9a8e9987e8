"""A server engine with a session that says yes to everything it isn't told to refuse."""

from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

import pytest

from posthouse.mail import Reply
from posthouse.smtp.events import (
    NEED_DATA,
    PAUSED,
    ContentChunk,
    Credentials,
    DataBegin,
    Extensions,
    Hello,
    MailFrom,
    MessageEnd,
    RcptTo,
    ServerLimits,
    StartTls,
)
from posthouse.smtp.server import ServerEngine

LIMITS = ServerLimits(size=1000, recipients=3)
YES = {
    StartTls: Reply(220, "2.0.0", "Go ahead"),
    Credentials: Reply(235, "2.7.0", "Authenticated"),
    MailFrom: Reply(250, "2.1.0", "Sender OK"),
    RcptTo: Reply(250, "2.1.5", "Recipient OK"),
    DataBegin: Reply(354, "", "Go ahead"),
    MessageEnd: Reply(250, "2.6.0", "Queued"),
}


class Talk:
    """`events` is all that came, with neighbouring content joined; `refusals` wait for an event of their type."""

    def __init__(self, *, extensions: Extensions, limits: ServerLimits, **options: Any) -> None:
        self.engine = ServerEngine("relay.example", limits, **options)
        self.extensions = extensions
        self.events: list[Any] = []
        self.refusals: dict[str, deque[Reply]] = defaultdict(deque)

    @property
    def content(self) -> bytes:
        return b"".join(event.data for event in self.events if isinstance(event, ContentChunk))

    def greeted(self) -> "Talk":
        self.engine.greet(Reply(220, "", "relay.example ESMTP"))
        self.engine.data_to_send()
        return self

    def say(self, *data: bytes) -> str:
        """Feed each of `data`, and return all that the server says to it."""
        for piece in data:
            self.engine.receive(piece)
            self.run()
        return self.engine.data_to_send().decode()

    def run(self) -> None:
        while (event := self.engine.next_event()) not in (NEED_DATA, PAUSED):
            self._note(event)
            if refusals := self.refusals[type(event).__name__]:
                self.engine.reply(refusals.popleft())
            elif isinstance(event, Hello):
                self.engine.reply_hello(self.extensions)
            elif isinstance(event, MessageEnd):
                self.engine.reply(event.fault or YES[MessageEnd])
            elif type(event) in YES:
                self.engine.reply(YES[type(event)])

    def _note(self, event: Any) -> None:
        if isinstance(event, ContentChunk) and self.events and isinstance(self.events[-1], ContentChunk):
            event = ContentChunk(self.events.pop().data + event.data)
        self.events.append(event)


@pytest.fixture(scope="session")
def new_talk() -> Callable[..., Talk]:
    def new_talk(extensions: Extensions | None = None, limits: ServerLimits = LIMITS, **options: Any) -> Talk:
        return Talk(extensions=extensions or Extensions(dsn=True), limits=limits, **options)

    return new_talk


@pytest.fixture
def talk(new_talk: Callable[..., Talk]) -> Talk:
    """A session that is greeted and has said EHLO."""
    talk = new_talk().greeted()
    talk.say(b"EHLO client.example\r\n")
    return talk
