"""A small SMTP client for what smtp-source can't do: TLS with its sessions, and connections that stay open."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.relays import Tls
from posthouse.net.certificates import Authority, Identity

_CONTENT = b"From: scanner@contoso.com\r\nSubject: bench\r\n\r\n"
_LINE = b"X" * 78 + b"\r\n"


class SmtpSession:
    """One connection. Each method raises `OSError` when the server says no."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._file = self._socket.makefile("rb")
        self._reply()
        self.command(b"EHLO bench.test")

    def starttls(self, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> None:
        self.command(b"STARTTLS")
        self._file.close()
        self._socket = context.wrap_socket(self._socket, session=session)
        self._file = self._socket.makefile("rb")
        self.command(b"EHLO bench.test")

    @property
    def tls_session(self) -> ssl.SSLSession | None:
        assert isinstance(self._socket, ssl.SSLSocket)
        return self._socket.session

    @property
    def is_resumed(self) -> bool:
        assert isinstance(self._socket, ssl.SSLSocket)
        return bool(self._socket.session_reused)

    def send(self, size: int) -> None:
        """One message."""
        self.command(b"MAIL FROM:<scanner@contoso.com>")
        self.command(b"RCPT TO:<user@example.net>")
        self.command(b"DATA")
        self.command(_CONTENT + _LINE * (size // len(_LINE)) + b".")

    def command(self, line: bytes) -> None:
        self._socket.sendall(line + b"\r\n")
        self._reply()

    def quit(self) -> None:
        self.command(b"QUIT")
        self.close()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def _reply(self) -> None:
        while (line := self._file.readline())[3:4] == b"-":
            pass
        if line[:1] not in (b"2", b"3"):
            raise OSError(f"the relay says {line!r}")


class Certificates:
    """A little authority with a certificate for the relays and one for the client, in a folder."""

    def __init__(self, folder: Path) -> None:
        authority = Authority.create("bench")
        self._root = folder / "root.pem"
        self._root.write_bytes(authority.certificate_pem)
        self._client = _written(authority.issue(["client.contoso.com"]), folder / "client.pem")
        self.server = Tls(_written(authority.issue(["relay.contoso.com"]), folder / "server.pem"), self._root)

    def context(self, *, certificate: bool = False) -> ssl.SSLContext:
        """The client's side."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(self._root)
        if certificate:
            context.load_cert_chain(self._client)
        return context


def _written(identity: Identity, file: Path) -> Path:
    key = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(key + identity.certificate.public_bytes(Encoding.PEM))
    return file
