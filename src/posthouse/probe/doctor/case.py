"""What doctor has before it: the settings and organization of a relay, and what is asked about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from posthouse.net.certificates import Identity, load_pfx
from posthouse.net.dns import Resolver
from posthouse.organization import Organization
from posthouse.organization.connectors import ClientCertificateRef
from posthouse.settings import Settings
from posthouse.transports.tokens import TokenSource

TIMEOUT = 20.0


@dataclass(frozen=True, slots=True)
class Options:
    """What to look at, and with what.

    `connectors` are Names of outbound connectors; none is all that are enabled. `sender` and `internal` are by default
    postmaster of the first accepted domain; without `external` no such recipient is asked for. `public_ip` is what
    others see us come from. `selectors` are of DKIM, besides Microsoft's. `send` sends a real mail. `timeout` is in
    seconds, for each step.
    """

    connectors: tuple[str, ...] = ()
    sender: str = ""
    internal: str = ""
    external: str = ""
    public_ip: str = ""
    selectors: tuple[str, ...] = ()
    send: bool = False
    timeout: float = TIMEOUT


@dataclass(frozen=True, slots=True)
class Case:
    """`secret` reads one from the store, `tokens` gets access tokens; both blocking. The former raises `KeyError` or
    `SpoolError`."""

    settings: Settings
    organization: Organization
    resolver: Resolver
    secret: Callable[[str], bytes]
    tokens: TokenSource
    options: Options

    @property
    def postmaster(self) -> str:
        """Who exists in every domain (RFC 5321 4.5.1); empty without an accepted domain."""
        domains = self.organization.accepted_domains
        return f"postmaster@{domains[0].name}" if domains else ""

    @property
    def sender(self) -> str:
        return self.options.sender or self.postmaster

    @property
    def recipients(self) -> tuple[str, ...]:
        """Internal, external."""
        return tuple(filter(None, (self.options.internal or self.postmaster, self.options.external)))

    def identity(self, reference: ClientCertificateRef, source: str) -> Identity:
        """A stored certificate with its key. Blocking. Raises `CertificateError`, `KeyError` or `SpoolError`."""
        return load_pfx(self.secret(reference.secret), source=source)
