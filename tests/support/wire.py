"""A client that says exactly the bytes it is told, in the segments it is told, and knows no better.

wire = Wire(address, port)
assert wire.reply().startswith("220 ")
assert wire.say(b"EH", b"LO device.test\\r\\n").startswith("250-")
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from typing import Self

PATIENCE = 30.0


class Wire:
    """One connection. Replies are taken one by one, in order."""

    def __init__(self, address: str, port: int, *, source: str = "") -> None:
        self._socket = socket.create_connection((address, port), PATIENCE, (source, 0) if source else None)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._heard = b""

    def send(self, *segments: bytes) -> None:
        """Each in a write of its own."""
        for segment in segments:
            self._socket.sendall(segment)

    def send_in_plain(self, data: bytes) -> None:
        """Past the TLS that is going on."""
        with socket.socket(fileno=os.dup(self._socket.fileno())) as plain:
            plain.sendall(data)

    def send_if_open(self, data: bytes) -> None:
        """What the server may well hang up on before it has all of it."""
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(data)

    def reply(self) -> str:
        """The next reply, all its lines. Empty when the server has hung up."""
        lines: list[str] = []
        while not lines or lines[-1][3:4] == "-":
            if (line := self._line()) is None:
                return ""
            lines.append(line)
        return "\n".join(lines)

    def say(self, *segments: bytes) -> str:
        """Send, and hear the reply."""
        self.send(*segments)
        return self.reply()

    def greeted(self) -> Self:
        """Take the banner and say EHLO."""
        assert self.reply().startswith("220 ")
        assert self.say(b"EHLO device.test\r\n").startswith("250-")
        return self

    def begin(self, reverse_path: str, *forward_paths: str) -> Self:
        """MAIL and RCPT, which must be taken."""
        assert self.say(f"MAIL FROM:<{reverse_path}>\r\n".encode()).startswith("250 ")
        for path in forward_paths:
            assert self.say(f"RCPT TO:<{path}>\r\n".encode()).startswith("250 ")
        return self

    def send_mail(self, reverse_path: str, forward_path: str, content: bytes = b"Subject: x\r\n\r\nx\r\n") -> str:
        """A whole transaction. The reply to its content."""
        self.begin(reverse_path, forward_path)
        assert self.say(b"DATA\r\n").startswith("354 ")
        return self.say(content + b".\r\n")

    def start_tls(self, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> Self:
        """The handshake, after STARTTLS or at once."""
        self._socket = context.wrap_socket(self._socket, server_hostname="relay.test", session=session)
        return self

    def upgrade(self, context: ssl.SSLContext) -> Self:
        """STARTTLS, the handshake, and EHLO again."""
        assert self.say(b"STARTTLS\r\n").startswith("220 ")
        self.start_tls(context)
        assert self.say(b"EHLO device.test\r\n").startswith("250-")
        return self

    @property
    def socket(self) -> socket.socket:
        return self._socket

    @property
    def tls(self) -> ssl.SSLSocket:
        assert isinstance(self._socket, ssl.SSLSocket)
        return self._socket

    def hears_the_end(self) -> bool:
        """The server hangs up without another word."""
        return self._line() is None and not self._heard

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _line(self) -> str | None:
        while b"\r\n" not in self._heard:
            try:
                data = self._socket.recv(65536)
            except (ConnectionError, ssl.SSLError):
                data = b""
            if not data:
                return None
            self._heard += data
        line, _, self._heard = self._heard.partition(b"\r\n")
        return line.decode("utf-8", "replace")
