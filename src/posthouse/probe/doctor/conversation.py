"""One SMTP session, a command at a time: nothing is pipelined, so that each reply can be told as it comes.

A plain socket, not asyncio's streams: where writing to one fails, those give up what is still to be read, and that may
be the alert which says why.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

from posthouse.mail import Reply
from posthouse.net.tls import TlsError, TlsSession
from posthouse.smtp.replies import ProtocolError, ReplyParser
from posthouse.smtp.transfer import command_line

_PIECE = 64 * 1024
_PARTING_SECONDS = 2.0


class ConversationEnded(Exception):
    """The server says no more, or nothing that can be understood. One line: what happened."""


class Conversation:
    """A session with a host. Each reply must come within `patience` seconds. End it with `abort`."""

    def __init__(self, connected: socket.socket, patience: float) -> None:
        self._socket = connected
        self._patience = patience
        self._parser = ReplyParser()
        self._tls: TlsSession | None = None

    @classmethod
    async def open(cls, ip: str, port: int, source: str, patience: float) -> Conversation:
        """Connect, from `source` if it isn't empty. Raises `OSError`, of which `TimeoutError` is one."""
        made = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET)
        try:
            made.setblocking(False)
            if source:
                made.bind((source, 0))
            async with asyncio.timeout(patience):
                await asyncio.get_running_loop().sock_connect(made, (ip, port))
        except BaseException:
            made.close()
            raise
        return cls(made, patience)

    async def command(self, command: str | bytes) -> Reply:
        """Say it, and hear the reply. Raises `ConversationEnded`."""
        command = command_line(command) if isinstance(command, str) else command
        with self._ending():
            if self._tls is not None:
                self._tls.send(command)
                command = self._tls.data_to_send()
            await self._write(command)
        return await self.reply()

    async def reply(self) -> Reply:
        """The next one, or the greeting. Raises `ConversationEnded`."""
        with self._ending():
            while (reply := self._parser.next_reply()) is None:
                self._parser.feed(await self._read())
            return reply

    async def shake_hands(self, session: TlsSession) -> None:
        """After a positive reply to STARTTLS. Raises `ConversationEnded`."""
        if not self._parser.is_empty:
            raise ConversationEnded("it says more than 220 to STARTTLS, which is an attack")
        self._tls = session
        with self._ending():
            session.start()
            while not session.handshake_done:
                await self._write(session.data_to_send())
                self._parser.feed(await self._read())
            await self._write(session.data_to_send())

    async def quit(self) -> None:
        """A courtesy, whose answer matters to nobody."""
        self._patience = min(self._patience, _PARTING_SECONDS)
        with contextlib.suppress(ConversationEnded):
            await self.command("QUIT")

    def abort(self) -> None:
        self._socket.close()

    async def _write(self, data: bytes) -> None:
        """Who hung up has perhaps said why: that is read next."""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(self._patience):
                await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def _read(self) -> bytes:
        """What came next, decrypted. What TLS wants to answer goes out."""
        data = b""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(self._patience):
                data = await asyncio.get_running_loop().sock_recv(self._socket, _PIECE)
        if not data:
            raise ConversationEnded("it closed the connection")
        if self._tls is None:
            return data
        try:
            return self._tls.receive(data)
        finally:
            await self._write(self._tls.data_to_send())

    @contextlib.contextmanager
    def _ending(self) -> Iterator[None]:
        """Whatever ends it becomes a `ConversationEnded`."""
        try:
            yield
        except TimeoutError:
            raise ConversationEnded(f"it says nothing for {self._patience:g} s") from None
        except (ProtocolError, TlsError) as error:
            raise ConversationEnded(str(error)) from None
