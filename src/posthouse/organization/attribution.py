"""Attribution: finding the inbound connector that a transaction belongs to (docs/policy.md 1).

`candidates` looks once a session at what the client proves; `attribute` chooses among them once a transaction. Reasons
are only put into words when somebody reads them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import cached_property

from posthouse.mail import domain_of
from posthouse.organization.certificate import CertificateVerdict, ValidationStatus, patterns_of
from posthouse.organization.index import Sender
from posthouse.organization.memo import Memo
from posthouse.organization.model import InboundConnector, Organization
from posthouse.organization.networks import parse_client

_REVERSE_PATHS_REMEMBERED = 16
"""For each client: few, since a stranger chooses them."""
MISSES_TOLD = 20
"""So many connectors that didn't match are gone through one by one; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Peer:
    """What is known of the client. `login` is the user that AUTH proved."""

    ip: str
    tls: bool = False
    certificate: CertificateVerdict | None = None
    login: str | None = None


class Proof(enum.StrEnum):
    LOGIN = "login"
    CERTIFICATE = "certificate"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A connector that the client proved. `prefix` is the length of the network that holds it, -1 for none."""

    sender: Sender
    proof: Proof
    prefix: int = -1


@dataclass(frozen=True, eq=False)
class Candidates:
    """Best first, but for the reverse-path: most specific network, then Name."""

    organization: Organization
    peer: Peer
    found: tuple[Candidate, ...]

    @cached_property
    def attributions(self) -> Memo[str, Attribution]:
        """Those made so far, by reverse-path."""
        return Memo(_REVERSE_PATHS_REMEMBERED)

    def __bool__(self) -> bool:
        return bool(self.found)


@dataclass(frozen=True, eq=False)
class Attribution:
    """The connector that a transaction belongs to, and by which proof; None and None where none matched."""

    candidates: Candidates
    chosen: Candidate | None
    reverse_path: str
    admitted: bool
    """SenderDomains of the chosen connector admit the reverse-path."""

    @property
    def connector(self) -> InboundConnector | None:
        return self.chosen.sender.connector if self.chosen else None

    @property
    def proof(self) -> Proof | None:
        return self.chosen.proof if self.chosen else None

    @cached_property
    def reasons(self) -> tuple[str, ...]:
        """A sentence for each connector that was looked at: why it was chosen, passed over or never matched."""
        return _reasons(self)


def candidates(organization: Organization, peer: Peer) -> Candidates:
    """The connectors that the client proves: by its login; else by certificate; else by address."""
    known = organization.candidates_by_peer
    found = known.get(peer)
    if found is None:
        found = known.remember(peer, Candidates(organization, peer, tuple(_found(organization, peer))))
    return found


def attribute(candidates: Candidates, reverse_path: str) -> Attribution:
    """Of the candidates the first that admits the reverse-path, else the first."""
    known = candidates.attributions
    return known.get(reverse_path) or known.remember(reverse_path, _attribution(candidates, reverse_path))


def _attribution(candidates: Candidates, reverse_path: str) -> Attribution:
    domain = domain_of(reverse_path)
    for candidate in candidates.found:
        if candidate.sender.admits(reverse_path, domain):
            return Attribution(candidates, candidate, reverse_path, admitted=True)
    chosen = candidates.found[0] if candidates.found else None
    return Attribution(candidates, chosen, reverse_path, admitted=False)


def certificate_senders(organization: Organization, certificate: CertificateVerdict | None) -> list[Sender]:
    """The enabled connectors whose TlsSenderCertificateName matches a name of the verified certificate, each once."""
    by_pattern = organization.inbound_index.certificates
    if not by_pattern or certificate is None or not certificate.is_valid:
        return []
    patterns = dict.fromkeys(pattern for name in certificate.names for pattern in patterns_of(name))
    return [sender for pattern in patterns for sender in by_pattern.get(pattern, ())]


def _found(organization: Organization, peer: Peer) -> list[Candidate]:
    found = _by_login(organization, peer)
    if not found:
        networks = _networks_of(organization, peer)
        found = _by_certificate(organization, peer, networks) or _by_address(networks)
        found.sort(key=lambda candidate: (-candidate.prefix, candidate.sender.connector.name.casefold()))
    return found


def _by_login(organization: Organization, peer: Peer) -> list[Candidate]:
    login = organization.inbound_index.logins.get(peer.login.casefold()) if peer.login is not None else None
    return [Candidate(login.sender, Proof.LOGIN)] if login else []


def _networks_of(organization: Organization, peer: Peer) -> dict[Sender, int]:
    """The connectors whose SenderIPAddresses hold the client, each with its most specific prefix length."""
    client = parse_client(peer.ip)
    networks: dict[Sender, int] = {}
    if client is not None:
        for prefix, sender in organization.inbound_index.networks.find(client):
            networks.setdefault(sender, prefix)
    return networks


def _by_certificate(organization: Organization, peer: Peer, networks: dict[Sender, int]) -> list[Candidate]:
    """A connector that asks for an address too needs both."""
    return [
        Candidate(sender, Proof.CERTIFICATE, networks.get(sender, -1))
        for sender in certificate_senders(organization, peer.certificate)
        if sender in networks or not sender.connector.sender_ip_addresses
    ]


def _by_address(networks: dict[Sender, int]) -> list[Candidate]:
    """A connector that asks for a certificate too would have been found by it."""
    return [
        Candidate(sender, Proof.ADDRESS, prefix)
        for sender, prefix in networks.items()
        if not sender.connector.tls_sender_certificate_name
    ]


def _reasons(attribution: Attribution) -> tuple[str, ...]:
    found = attribution.candidates.found
    lines = [_matched(attribution, candidate) for candidate in found]
    misses = len(attribution.candidates.organization.inbound) - len(found)
    if found:
        return (*lines, f"{misses} other inbound connectors: not proven") if misses else tuple(lines)
    told = attribution.candidates.organization.inbound[:MISSES_TOLD]
    lines = [f"{connector.name}: {_miss(attribution.candidates, connector)}" for connector in told]
    if misses > len(told):
        lines.append(f"{misses - len(told)} more inbound connectors: not proven either")
    return tuple(lines or ("there is no inbound connector",))


def _matched(attribution: Attribution, candidate: Candidate) -> str:
    peer, connector = attribution.candidates.peer, candidate.sender.connector
    proof = {
        Proof.LOGIN: f"login {peer.login} is one of its SenderCredentials",
        Proof.CERTIFICATE: f"the certificate's name matches its TlsSenderCertificateName "
        f"{connector.tls_sender_certificate_name}"
        + (f", and {peer.ip} is in its SenderIPAddresses" if candidate.prefix >= 0 else ""),
        Proof.ADDRESS: f"{peer.ip} is in its SenderIPAddresses (/{candidate.prefix})",
    }[candidate.proof]
    return f"{connector.name}: {proof}; {_choice(attribution, candidate)}"


def _choice(attribution: Attribution, candidate: Candidate) -> str:
    admits = candidate.sender.admits(attribution.reverse_path, domain_of(attribution.reverse_path))
    path = f"<{attribution.reverse_path}>"
    if candidate is not attribution.chosen:
        return f"passed over: {'a better match was chosen' if admits else f'SenderDomains do not admit {path}'}"
    return f"chosen: SenderDomains admit {path}" if admits else f"chosen, though SenderDomains do not admit {path}"


def _miss(candidates: Candidates, connector: InboundConnector) -> str:
    if not connector.enabled:
        return "disabled"
    if connector.tls_sender_certificate_name:
        reason = _certificate_miss(candidates, connector)
        if reason:
            return reason
    if connector.sender_ip_addresses:
        return f"{candidates.peer.ip} is not in its SenderIPAddresses"
    if connector.sender_credentials:
        return "no login of its SenderCredentials was used"
    return "it names no address, certificate or login, so it matches nobody"


def _certificate_miss(candidates: Candidates, connector: InboundConnector) -> str:
    certificate = candidates.peer.certificate
    if certificate is None or certificate.status is ValidationStatus.EMPTY_CERTIFICATE:
        return "no certificate was presented"
    if not certificate.is_valid:
        return f"the certificate is not valid: {certificate.status}"
    if all(sender.connector is not connector for sender in certificate_senders(candidates.organization, certificate)):
        return (
            f"its TlsSenderCertificateName {connector.tls_sender_certificate_name} matches no name of the certificate"
        )
    return ""
