"""The ways of mail from this relay into the tenant, and how each proves whose it is: a certificate, or an address."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError

from OpenSSL import crypto

from posthouse.admin.errors import AdminError, NotFound
from posthouse.net.certificates import CertificateError, Identity
from posthouse.net.verification import Purpose, Verifier
from posthouse.organization import Organization, OutboundConnector, TlsSettings, TransportKind, ValidationStatus
from posthouse.organization.connectors import ClientCertificateRef
from posthouse.spool import SpoolError

_WIDEST = 24
"""https://learn.microsoft.com/powershell/module/exchange/new-inboundconnector: single addresses, or /24 to /32."""
_PROBLEMS = {
    ValidationStatus.EXPIRED: "the client certificate has expired; renew it",
    ValidationStatus.NOT_YET_VALID: "the client certificate is not valid yet; look at this machine's clock",
    ValidationStatus.SELF_SIGNED: "the client certificate is self-signed; a tenant takes those of public CAs only",
    ValidationStatus.UNKNOWN_ISSUER: (
        "the chain of the client certificate doesn't lead to a public CA, which a tenant wants; add the intermediates "
        "to its PFX or PEM file, or get one from a public CA"
    ),
    ValidationStatus.INVALID_USAGE: "the client certificate is for neither clients nor servers; get one for TLS",
}

ReadIdentity = Callable[[ClientCertificateRef], Identity]


@dataclass(frozen=True, slots=True)
class Way:
    """One outbound connector. Proven by a certificate of these `names`, or else by `addresses`; `problems` are what
    stands in the way, a line each."""

    connector: str
    by_certificate: bool
    uses_tls: bool
    names: tuple[str, ...] = ()
    addresses: tuple[IPv4Network, ...] = ()
    problems: tuple[str, ...] = ()


def read_addresses(given: Sequence[str]) -> tuple[IPv4Network, ...]:
    """What an administrator says that the tenant sees us come from. Raises `AdminError`."""
    networks: list[IPv4Network] = []
    for text in given:
        try:
            network = IPv4Network(text)
        except (AddressValueError, NetmaskValueError, ValueError):
            raise AdminError(f'"{text}" is no IPv4 address or network, and a tenant takes no others') from None
        if network.prefixlen < _WIDEST:
            raise AdminError(
                f'"{text}" is wider than a tenant takes; write single addresses, or networks of /24 to /32'
            )
        networks.append(network)
    return tuple(networks)


def ways_of(
    organization: Organization, read: ReadIdentity, *, names: Sequence[str], addresses: tuple[IPv4Network, ...]
) -> tuple[Way, ...]:
    """Of these outbound connectors. `addresses` are what the tenant sees us come from, where that isn't the source
    address. Raises `AdminError`.
    """
    return tuple(
        _by_certificate(connector, read) if connector.client_certificate else _by_address(connector, addresses)
        for connector in connectors_of(organization, names)
    )


def connectors_of(organization: Organization, names: Sequence[str]) -> list[OutboundConnector]:
    """Those that are named; else those that go to an MX endpoint of Microsoft 365. Raises `AdminError`."""
    return _named(organization, names) if names else [*filter(_goes_to_microsoft, organization.outbound)]


def _named(organization: Organization, names: Sequence[str]) -> list[OutboundConnector]:
    by_name = {connector.name.casefold(): connector for connector in organization.outbound}
    found: list[OutboundConnector] = []
    for name in names:
        connector = by_name.get(name.casefold())
        if connector is None:
            told = ", ".join(each.name for each in organization.outbound) or "none"
            raise NotFound(f'there is no outbound connector "{name}"; there are: {told}')
        if connector.transport is not TransportKind.SMTP or connector.credential:
            raise AdminError(
                f'the outbound connector "{name}" signs in, or is not by SMTP: it needs none in the tenant'
            )
        found.append(connector)
    return found


def _goes_to_microsoft(connector: OutboundConnector) -> bool:
    from posthouse.probe.doctor.domain import is_microsoft

    return connector.enabled and not connector.credential and any(map(is_microsoft, connector.smart_hosts))


def _by_certificate(connector: OutboundConnector, read: ReadIdentity) -> Way:
    assert connector.client_certificate is not None
    try:
        identity = read(connector.client_certificate)
    except (CertificateError, SpoolError, KeyError) as error:
        problem = f"the client certificate can't be read: {error}; set it again from its file"
        return Way(connector.name, by_certificate=True, uses_tls=True, problems=(problem,))
    return Way(connector.name, by_certificate=True, uses_tls=True, names=identity.names, problems=_flaws(identity))


def _flaws(identity: Identity) -> tuple[str, ...]:
    """As a tenant would find them, which trusts public CAs only."""
    leaf, *chain = (crypto.X509.from_cryptography(link) for link in (identity.certificate, *identity.chain))
    status = Verifier().verify(leaf, chain, Purpose.CLIENT).status
    if status is ValidationStatus.VALID:
        return ()
    return (_PROBLEMS.get(status, f"the client certificate is {status}; get another one"),)


def _by_address(connector: OutboundConnector, told: tuple[IPv4Network, ...]) -> Way:
    found = told or tuple(_public(connector.source_address))
    problems = () if found else (_no_address(connector.source_address),)
    uses_tls = connector.tls_settings is not TlsSettings.OPPORTUNISTIC
    return Way(connector.name, by_certificate=False, uses_tls=uses_tls, addresses=found, problems=problems)


def _public(source: str) -> Iterator[IPv4Network]:
    try:
        address = IPv4Address(source)
    except AddressValueError:
        return
    if address.is_global:
        yield IPv4Network(address)


def _no_address(source: str) -> str:
    whose = f"{source} is no public IPv4 address" if source else "it has no source_address"
    return f"{whose}, so say by --address what the tenant sees this relay come from, or use a client certificate"
