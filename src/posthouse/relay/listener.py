"""An address that SMTP is accepted on: its socket, its certificate, its sessions."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
from pathlib import Path

from posthouse import observe
from posthouse.net.certificates import CertificateError, IdentityFile, self_signed
from posthouse.net.tls import ServerContext
from posthouse.net.verification import Verifier
from posthouse.relay.connection import CLOSING, COMMAND_TIMEOUT, Connection
from posthouse.relay.house import StartError
from posthouse.relay.session import Hearing
from posthouse.settings import Listener

BACKLOG = 1024
SELF_SIGNED, SELF_SIGNED_RSA = "self-signed.pfx", "self-signed-rsa.pfx"
"""In data_dir: the certificates of listeners that name none, for trials."""
_DRAIN_LOOK = 0.1
_SHARED = hasattr(socket, "SO_REUSEPORT") and os.name == "posix"

log = observe.logger


class OpenListener:
    """A listener as one worker runs it."""

    def __init__(self, address: tuple[str, int], identity: IdentityFile | None, hearing: Hearing) -> None:
        self._address = address
        self._identity = identity
        self._hearing = hearing
        self._verifier: Verifier | None = None
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Begin to accept."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self._hearing, self._connections), sock=_listening(*self._address)
        )

    def prepare(self, verifier: Verifier) -> None:
        """Judge the client certificates of new sessions by this."""
        if verifier is not self._verifier:
            self._verifier = verifier
            self._make_context()

    def refresh_certificate(self) -> None:
        """Use the certificate's files as they are now; sessions under way keep the old one."""
        if self._identity is None or not self._identity.refresh():
            return
        try:
            self._make_context()
        except CertificateError as error:
            log.error("certificate unusable", reason=str(error), hint="the last one stays in use")
        else:
            log.info("certificate reloaded", listener=self._hearing.listener.address)

    def hang_up_idle(self) -> None:
        """RFC 5321 4.5.3.2.7: five minutes without a word."""
        limit = self._hearing.elapsed() - COMMAND_TIMEOUT
        for connection in [connection for connection in self._connections if connection.active_at < limit]:
            connection.time_out()

    def stop_accepting(self) -> None:
        """Close the socket; sessions without a transaction are told to come back later."""
        self._hearing.draining = True
        if self._server is not None:
            self._server.close()
        for connection in [connection for connection in self._connections if not connection.session.is_busy]:
            connection.hang_up(CLOSING)

    async def drained(self) -> None:
        """Wait until the transactions under way have ended."""
        while self._connections:
            await asyncio.sleep(_DRAIN_LOOK)
            self.stop_accepting()

    def _make_context(self) -> None:
        if self._identity is not None and self._verifier is not None:
            profile = self._hearing.listener.tls_profile
            self._hearing.tls_context = ServerContext(self._identity.identity, profile, self._verifier)


def identity_file(listener: Listener, data_dir: Path, hostname: str) -> IdentityFile | None:
    """The listener's certificate: its own files, else a self-signed one that is made once. None where it has no TLS.

    Raises `CertificateError` for files that can't be used.
    """
    if listener.tls == "none":
        return None
    if listener.certificate is not None:
        password = os.environ.get(listener.certificate_password_env) if listener.certificate_password_env else None
        return IdentityFile(listener.certificate, listener.key, password)
    legacy = listener.tls_profile == "legacy"  # an old printer may know no elliptic curves
    file = data_dir / (SELF_SIGNED_RSA if legacy else SELF_SIGNED)
    if not file.exists():
        fresh = file.with_name(f"{file.name}.{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_bytes(self_signed(hostname, rsa_key=legacy).to_pfx())
        fresh.replace(file)
    return IdentityFile(file)


def reserve_address(host: str, port: int) -> socket.socket:
    """Bind an address without listening, so that it is ours for as long as the supervisor lives; port 0 picks one.

    Workers bind it beside this socket (SO_REUSEPORT), and only theirs, which listen, are given connections.
    Raises `StartError` when another program has it.
    """
    try:
        with _bound(host, port, shared=False):
            pass  # SO_REUSEPORT would let two programs of one user share the port unnoticed
        return _bound(host, port, shared=_SHARED)
    except OSError as error:
        raise StartError(f"listener {host}:{port}: {_advice(error)}") from None


def _listening(host: str, port: int) -> socket.socket:
    """A listening socket on an address that the supervisor has reserved."""
    sock = _bound(host, port, shared=_SHARED)
    sock.listen(BACKLOG)
    sock.setblocking(False)
    return sock


def _bound(host: str, port: int, *, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # on Windows the option would let another program take the port over
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def _advice(error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "another program is using this port; stop it, or set another address"
        case errno.EACCES | errno.EPERM:
            return "this user may not use this port; choose one above 1023 or grant CAP_NET_BIND_SERVICE"
        case errno.EADDRNOTAVAIL:
            return "this machine has no such address; set one that it has, or 0.0.0.0"
        case _:
            return str(error.strerror)
