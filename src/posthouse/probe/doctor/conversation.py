"""One SMTP session, a command at a time: nothing is pipelined, so that each reply can be told as it comes."""

from __future__ import annotations

import asyncio
import contextlib

from posthouse.mail import Reply
from posthouse.net.tls import TlsError, TlsSession
from posthouse.smtp.replies import ProtocolError, ReplyParser
from posthouse.smtp.transfer import command_line

_PIECE = 64 * 1024
_PARTING_SECONDS = 2.0
_CLOSED = "it closed the connection"


class ConversationEnded(Exception):
    """The server says no more, or nothing that can be understood. One line: what happened."""


class Conversation:
    """A session with a host. Each reply must come within `patience` seconds."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, patience: float) -> None:
        self._reader = reader
        self._writer = writer
        self._patience = patience
        self._parser = ReplyParser()
        self._tls: TlsSession | None = None

    @classmethod
    async def open(cls, ip: str, port: int, source: str, patience: float) -> Conversation:
        """Connect, from `source` if it isn't empty. Raises `OSError`, of which `TimeoutError` is one."""
        local = (source, 0) if source else None
        async with asyncio.timeout(patience):
            return cls(*await asyncio.open_connection(ip, port, local_addr=local), patience)

    async def command(self, line: str) -> Reply:
        """Raises `ConversationEnded`."""
        await self.send(command_line(line))
        return await self.reply()

    async def send(self, command: bytes) -> None:
        try:
            if self._tls is not None:
                self._tls.send(command)
                command = self._tls.data_to_send()
            self._writer.write(command)
            async with asyncio.timeout(self._patience):
                await self._writer.drain()
        except TimeoutError:
            raise ConversationEnded(f"it reads nothing for {self._patience:g} s") from None
        except OSError:
            raise ConversationEnded(_CLOSED) from None
        except TlsError as error:
            raise ConversationEnded(str(error)) from None

    async def reply(self) -> Reply:
        """The next one, or the greeting. Raises `ConversationEnded`."""
        try:
            while (reply := self._parser.next_reply()) is None:
                self._parser.feed(await self._receive())
        except (ProtocolError, TlsError) as error:
            raise ConversationEnded(str(error)) from None
        return reply

    async def shake_hands(self, session: TlsSession) -> None:
        """After a positive reply to STARTTLS. Raises `ConversationEnded` or `TlsError`."""
        if not self._parser.is_empty:
            raise ConversationEnded("it says more than 220 to STARTTLS, which is an attack")
        self._tls = session
        session.start()
        while not session.handshake_done:
            self._writer.write(session.data_to_send())
            self._parser.feed(await self._receive())
        self._writer.write(session.data_to_send())

    async def close(self) -> None:
        """With QUIT, whose answer matters to nobody."""
        with contextlib.suppress(ConversationEnded):
            self._patience = min(self._patience, _PARTING_SECONDS)
            await self.command("QUIT")
        self._writer.close()
        with contextlib.suppress(OSError):
            async with asyncio.timeout(_PARTING_SECONDS):
                await self._writer.wait_closed()

    def abort(self) -> None:
        self._writer.transport.abort()

    async def _receive(self) -> bytes:
        """What came next, decrypted. What TLS wants to answer goes out."""
        try:
            async with asyncio.timeout(self._patience):
                data = await self._reader.read(_PIECE)
        except TimeoutError:
            raise ConversationEnded(f"it says nothing for {self._patience:g} s") from None
        except OSError:
            data = b""
        if not data:
            raise ConversationEnded(_CLOSED)
        if self._tls is None:
            return data
        try:
            return self._tls.receive(data)
        finally:
            self._writer.write(self._tls.data_to_send())
