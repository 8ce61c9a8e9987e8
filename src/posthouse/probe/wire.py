"""A connection to a server, with TLS in between once hands were shaken.

A plain socket, not asyncio's streams: where writing to one fails, those give up what is still to be read, and that may
be the alert or reply which says why.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Final

from posthouse.net.tls import TlsSession

_PIECE: Final = 64 * 1024


class Wire:
    """Opened with `open`, ended with `close`. Each piece is read or written within `patience` seconds.

    What goes wrong is a `TimeoutError`, a `TlsError`, or an `EOFError` where the server hung up.
    """

    def __init__(self, connected: socket.socket, patience: float) -> None:
        self.patience = patience
        self._socket = connected
        self._tls: TlsSession | None = None

    @classmethod
    async def open(cls, ip: str, port: int, source: str, patience: float) -> Wire:
        """Connect, from `source` if it isn't empty. Raises `OSError`, of which `TimeoutError` is one."""
        made = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET)
        try:
            made.setblocking(False)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if source:
                made.bind((source, 0))
            async with asyncio.timeout(patience):
                await asyncio.get_running_loop().sock_connect(made, (ip, port))
        except BaseException:
            made.close()
            raise
        return cls(made, patience)

    @property
    def own_ip(self) -> str:
        return str(self._socket.getsockname()[0])

    async def shake_hands(self, session: TlsSession) -> bytes:
        """Everything goes through `session` from now on. Returns what the server says right behind the handshake."""
        self._tls = session
        session.start()
        said = b""
        while not session.handshake_done:
            await self._send(session.data_to_send())
            said += await self.read()
        await self._send(session.data_to_send())
        return said

    async def write(self, plaintext: bytes) -> None:
        for start in range(0, len(plaintext), _PIECE):
            piece = plaintext[start : start + _PIECE]
            if self._tls is not None:
                self._tls.send(piece)
                piece = self._tls.data_to_send()
            await self._send(piece)

    async def read(self) -> bytes:
        """What came next, decrypted, which may be nothing yet. What TLS wants to answer, goes out."""
        data = b""
        async with asyncio.timeout(self.patience):
            with contextlib.suppress(OSError):
                data = await asyncio.get_running_loop().sock_recv(self._socket, _PIECE)
        if not data:
            raise EOFError("it closed the connection")
        if self._tls is None:
            return data
        try:
            return self._tls.receive(data)
        finally:
            await self._send(self._tls.data_to_send())

    def close(self) -> None:
        self._socket.close()

    async def _send(self, data: bytes) -> None:
        """Who hung up has perhaps said why: that is read next."""
        async with asyncio.timeout(self.patience):
            with contextlib.suppress(OSError):
                await asyncio.get_running_loop().sock_sendall(self._socket, data)
