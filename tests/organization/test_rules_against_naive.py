"""Every answer for generated organizations and transactions against a second, naive statement of the rules.

The naive one follows the design's section 5 sentence by sentence, looks at every connector each time, and shares no
code with the room but the values.
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.organization import (
    AcceptedDomain,
    CertificateVerdict,
    ConnectorType,
    InboundConnector,
    Organization,
    OutboundConnector,
    Peer,
    SenderCredential,
    TransportKind,
    ValidationStatus,
    attribute,
    candidates,
    check_mail,
    check_rcpt,
    route,
)

VALID = ValidationStatus.VALID
PEERS = (
    Peer("10.0.0.7"),
    Peer("::ffff:10.0.1.7", tls=True),
    Peer("2001:db8::7", login="scanner"),
    Peer("10.0.0.7", tls=True, login="Printer"),
    Peer("203.0.113.9", tls=True, certificate=CertificateVerdict(VALID, ("mail.contoso.com",), "mail")),
    Peer("10.0.0.7", tls=True, certificate=CertificateVerdict(VALID, ("*.Contoso.com", "relay.fabrikam.com"), "*")),
    Peer("10.0.1.7", tls=True, certificate=CertificateVerdict(VALID, ("a.b.contoso.com",), "deep")),
    Peer("10.0.1.7", tls=True, certificate=CertificateVerdict(ValidationStatus.EXPIRED, ("mail.contoso.com",), "old")),
    Peer("203.0.113.9"),
)
REVERSE_PATHS = (
    "",
    "a@contoso.com",
    "a@Eu.Contoso.com",
    "a@fabrikam.com",
    "a@deep.eu.contoso.com",
    "a@example.org",
    "nobody",
)
FORWARD_PATHS = (
    "user@contoso.com",
    "USER@CONTOSO.COM",
    "ghost@contoso.com",
    "user%example.net@contoso.com",
    '"user@example.net"@fabrikam.com',
    "a!b@example.net",
    "u@example.net",
    "u@eu.contoso.com",
    "u@deep.eu.contoso.com",
    "@relay.example:u@example.net",
    "nodomain",
)

patterns = st.sampled_from(("*", "contoso.com", "*.contoso.com", "fabrikam.com", "*.eu.contoso.com", "example.org"))
networks = st.sampled_from(("10.0.0.0/8", "10.0.0.0/24", "10.0.0.7/32", "10.0.1.0/24", "0.0.0.0/0", "2001:db8::/32"))
inbound = st.builds(
    InboundConnector,
    name=st.just(""),
    enabled=st.sampled_from((True, True, True, False)),
    connector_type=st.sampled_from(ConnectorType),
    sender_domains=st.lists(patterns, min_size=1, max_size=3, unique=True).map(tuple),
    sender_ip_addresses=st.lists(networks.map(ipaddress.ip_network), max_size=2, unique=True).map(tuple),
    restrict_domains_to_ip_addresses=st.booleans(),
    restrict_domains_to_certificate=st.booleans(),
    require_tls=st.booleans(),
    tls_sender_certificate_name=st.sampled_from(
        ("", "*.contoso.com", "*.contoso.com", "mail.contoso.com", "relay.fabrikam.com", "*.b.contoso.com")
    ),
)
outbound = st.builds(
    OutboundConnector,
    name=st.just(""),
    enabled=st.sampled_from((True, True, True, False)),
    recipient_domains=st.lists(
        st.sampled_from(("*", "contoso.com", "*.contoso.com", "*.eu.contoso.com", "example.net", "eu.contoso.com")),
        max_size=2,
        unique=True,
    ).map(tuple),
    all_accepted_domains=st.booleans(),
    transport=st.sampled_from(TransportKind),
    mailboxes=st.sampled_from((("*",), ("user@contoso.com",), ("User@Contoso.com", "u@example.net"))),
)


@st.composite
def organizations(draw: st.DrawFn) -> Organization:
    names = draw(st.permutations(("alpha", "Beta", "gamma", "Delta", "epsilon")))
    logins = iter(draw(st.permutations((("scanner",), ("printer",), (), ("fax",), ()))))
    connectors = draw(st.lists(inbound, max_size=5))
    exits = draw(st.lists(outbound, max_size=4))
    accepted = draw(st.lists(st.sampled_from(("contoso.com", "fabrikam.com", "eu.contoso.com")), unique=True))
    return Organization(
        accepted_domains=tuple(map(AcceptedDomain, accepted)),
        inbound=tuple(
            replace(connector, name=name, sender_credentials=tuple(SenderCredential(user, "") for user in next(logins)))
            for connector, name in zip(connectors, names, strict=False)
        ),
        outbound=tuple(replace(connector, name=name) for connector, name in zip(exits, names, strict=False)),
        reject_direct_send=draw(st.booleans()),
    )


# The naive statement.


def domain(address: str) -> str:
    return address.rpartition("@")[2].lower() if "@" in address else ""


def below(name: str, parent: str) -> bool:
    return name.endswith("." + parent)


def holds(pattern: str, name: str) -> bool:
    """`*.d` is d and everything below it."""
    if pattern.startswith("*."):
        return name == pattern[2:] or below(name, pattern[2:])
    return name == pattern


class Naive:
    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        self.accepted = [accepted.name for accepted in organization.accepted_domains]
        self.enabled = [connector for connector in organization.inbound if connector.enabled]

    def admits(self, connector: InboundConnector, reverse_path: str) -> bool:
        if reverse_path == "":
            return True
        return self.in_sender_domains(connector, reverse_path)

    def in_sender_domains(self, connector: InboundConnector, reverse_path: str) -> bool:
        for pattern in connector.sender_domains:
            if pattern == "*":
                if connector.connector_type == "Partner" or domain(reverse_path) in self.accepted:
                    return True
            elif holds(pattern, domain(reverse_path)):
                return True
        return False

    def certificate_matches(self, connector: InboundConnector, peer: Peer) -> bool:
        wanted = connector.tls_sender_certificate_name
        if not wanted or peer.certificate is None or peer.certificate.status != "Valid":
            return False
        names = [name.lower() for name in peer.certificate.names]
        if not wanted.startswith("*."):
            return wanted in names
        one_below = [name for name in names if below(name, wanted[2:]) and name.count(".") == wanted.count(".")]
        return wanted in names or bool(one_below)

    def prefix(self, connector: InboundConnector, peer: Peer) -> int | None:
        client = ipaddress.ip_address(peer.ip)
        client = getattr(client, "ipv4_mapped", None) or client
        return max((net.prefixlen for net in connector.sender_ip_addresses if client in net), default=None)

    def candidates(self, peer: Peer) -> tuple[str, list[InboundConnector]]:
        if peer.login:
            by_login = [
                connector
                for connector in self.enabled
                if peer.login.lower() in [credential.user.lower() for credential in connector.sender_credentials]
            ]
            if by_login:
                return "login", by_login
        by_certificate = [
            connector
            for connector in self.enabled
            if self.certificate_matches(connector, peer)
            and (not connector.sender_ip_addresses or self.prefix(connector, peer) is not None)
        ]
        if by_certificate:
            return "certificate", by_certificate
        by_address = [
            connector
            for connector in self.enabled
            if self.prefix(connector, peer) is not None and not connector.tls_sender_certificate_name
        ]
        return "address", by_address

    def attribute(self, peer: Peer, reverse_path: str) -> tuple[InboundConnector | None, str | None]:
        proof, connectors = self.candidates(peer)
        if not connectors:
            return None, None

        def order(connector: InboundConnector):
            prefix = self.prefix(connector, peer)
            specific = -1 if prefix is None else prefix
            return (not self.admits(connector, reverse_path), -specific, connector.name.lower())

        return sorted(connectors, key=order)[0], proof

    def mail(self, peer: Peer, reverse_path: str) -> str | None:
        connector, _ = self.attribute(peer, reverse_path)
        if connector and connector.require_tls and not peer.tls:
            return "5.7.0"
        if reverse_path == "":
            return None
        for restricting in self.enabled:
            restricts = restricting.restrict_domains_to_ip_addresses or restricting.restrict_domains_to_certificate
            admitted = connector is restricting or (connector and self.admits(connector, reverse_path))
            if restricts and self.in_sender_domains(restricting, reverse_path) and not admitted:
                return "5.7.51"
        return None

    def may_relay(self, peer: Peer, reverse_path: str) -> bool:
        connector, proof = self.attribute(peer, reverse_path)
        if connector is None or connector.connector_type != "OnPremises":
            return False
        if domain(reverse_path) in self.accepted and self.admits(connector, reverse_path):
            return True
        if proof == "certificate":
            name = connector.tls_sender_certificate_name.removeprefix("*.")
            if any(name == accepted or below(name, accepted) for accepted in self.accepted):
                return "*" in connector.sender_domains or self.admits(connector, reverse_path)
        return proof == "login" and reverse_path == ""

    def rcpt(self, peer: Peer, reverse_path: str, forward_path: str) -> str | None:
        if forward_path.startswith("@"):
            return "5.7.1"
        if "@" not in forward_path:
            return "5.1.3"
        connector, _ = self.attribute(peer, reverse_path)
        local_part = forward_path.rpartition("@")[0]
        if connector is None and any(sign in local_part for sign in "%!@"):
            return "5.7.1"
        if domain(forward_path) not in self.accepted:
            if not self.may_relay(peer, reverse_path):
                return "5.7.64"
        elif connector is None and self.organization.reject_direct_send and domain(reverse_path) in self.accepted:
            return "5.7.68"
        exit_ = self.route(forward_path)
        if exit_ and exit_.transport == "mailbox" and "*" not in exit_.mailboxes:
            exists = forward_path.lower() in [mailbox.lower() for mailbox in exit_.mailboxes]
            return None if exists else "5.1.1"
        return None

    def route(self, forward_path: str) -> OutboundConnector | None:
        name = domain(forward_path)
        ranked = []
        for connector in self.organization.outbound:
            if not connector.enabled:
                continue
            ranks = [(2, -len(p)) for p in connector.recipient_domains if p.startswith("*.") and holds(p, name)]
            if name in connector.recipient_domains:
                ranks.append((0, 0))
            if connector.all_accepted_domains and name in self.accepted:
                ranks.append((1, 0))
            if "*" in connector.recipient_domains:
                ranks.append((3, 0))
            if ranks:
                ranked.append((min(ranks), connector.name.lower(), connector))
        return min(ranked, key=lambda entry: entry[:2])[2] if ranked else None


@settings(max_examples=100, deadline=None)
@given(organizations())
def test_attribution_and_policy_are_what_the_rules_say(organization: Organization) -> None:
    naive = Naive(organization)
    for peer, reverse_path in product(PEERS, REVERSE_PATHS):
        attribution = attribute(candidates(organization, peer), reverse_path)
        assert (attribution.connector, attribution.proof) == naive.attribute(peer, reverse_path)
        mail = check_mail(organization, peer, attribution, reverse_path)
        assert (mail and mail.enhanced) == naive.mail(peer, reverse_path)
        for forward_path in FORWARD_PATHS:
            rcpt = check_rcpt(organization, peer, attribution, reverse_path, forward_path)
            assert (rcpt and rcpt.enhanced) == naive.rcpt(peer, reverse_path, forward_path)


@settings(max_examples=200, deadline=None)
@given(organizations())
def test_routes_are_what_the_rules_say(organization: Organization) -> None:
    naive = Naive(organization)
    for forward_path in FORWARD_PATHS:
        if "@" in forward_path:
            assert route(organization, forward_path).connector is naive.route(forward_path)


@settings(max_examples=100, deadline=None)
@given(organizations(), st.sampled_from(PEERS), st.sampled_from(REVERSE_PATHS))
def test_matching_a_connector_never_gives_less_than_matching_none(
    organization: Organization, peer: Peer, reverse_path: str
) -> None:
    matched = attribute(candidates(organization, peer), reverse_path)
    stranger = Peer("198.51.100.1")
    unmatched = attribute(candidates(organization, stranger), reverse_path)
    if unmatched.connector is None:
        for forward_path in FORWARD_PATHS:
            if check_rcpt(organization, stranger, unmatched, reverse_path, forward_path) is None:
                assert check_rcpt(organization, peer, matched, reverse_path, forward_path) is None


@settings(max_examples=100, deadline=None)
@given(organizations(), st.sampled_from(PEERS), st.sampled_from(REVERSE_PATHS), st.sampled_from(FORWARD_PATHS))
def test_every_decision_has_reasons_of_one_line(
    organization: Organization, peer: Peer, reverse_path: str, forward_path: str
) -> None:
    attribution = attribute(candidates(organization, peer), reverse_path)
    reasons = (*attribution.reasons, route(organization, forward_path).reason)
    assert len(reasons) >= 2
    assert all(reason.isprintable() for reason in reasons)
    if attribution.connector is not None:
        chosen = [reason for reason in reasons if "chosen" in reason and "passed over" not in reason]
        assert [reason.startswith(attribution.connector.name) for reason in chosen] == [True]
