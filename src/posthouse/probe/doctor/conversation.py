"""One SMTP session, a command at a time: nothing is pipelined, so that each reply can be told as it comes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from posthouse.mail import Reply
from posthouse.net.tls import TlsError, TlsSession
from posthouse.probe.wire import Wire
from posthouse.smtp.replies import ProtocolError, ReplyParser
from posthouse.smtp.transfer import command_line

_PARTING_SECONDS = 2.0


class ConversationEnded(Exception):
    """The server says no more, or nothing that can be understood. One line: what happened."""


class Conversation:
    """A session with a host. End it with `abort`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._parser = ReplyParser()

    @classmethod
    async def open(cls, ip: str, port: int, source: str, patience: float) -> Conversation:
        """Connect, from `source` if it isn't empty. Raises `OSError`, of which `TimeoutError` is one."""
        return cls(await Wire.open(ip, port, source, patience))

    async def command(self, command: str | bytes) -> Reply:
        """Say it, and hear the reply. Raises `ConversationEnded`."""
        with self._ending():
            await self._wire.write(command_line(command) if isinstance(command, str) else command)
        return await self.reply()

    async def reply(self) -> Reply:
        """The next one, or the greeting. Raises `ConversationEnded`."""
        with self._ending():
            while (reply := self._parser.next_reply()) is None:
                self._parser.feed(await self._wire.read())
            return reply

    async def shake_hands(self, session: TlsSession) -> None:
        """After a positive reply to STARTTLS. Raises `ConversationEnded`."""
        if not self._parser.is_empty:
            raise ConversationEnded("it says more than 220 to STARTTLS, which is an attack")
        with self._ending():
            self._parser.feed(await self._wire.shake_hands(session))

    async def quit(self) -> None:
        """A courtesy, whose answer matters to nobody."""
        self._wire.patience = min(self._wire.patience, _PARTING_SECONDS)
        with contextlib.suppress(ConversationEnded):
            await self.command("QUIT")

    def abort(self) -> None:
        self._wire.close()

    @contextlib.contextmanager
    def _ending(self) -> Iterator[None]:
        """Whatever ends it becomes a `ConversationEnded`."""
        try:
            yield
        except TimeoutError:
            raise ConversationEnded(f"it says nothing for {self._wire.patience:g} s") from None
        except (EOFError, ProtocolError, TlsError) as error:
            raise ConversationEnded(str(error)) from None
