"""From a device's plain SMTP into a tenant, by the connectors that the tenant has: by address, and by certificate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from net.tls_peers import identity_of, leaf_of, pem_of
from standins.entra import Entra
from standins.exchange import Exchange
from standins.mx import Mail, Mx
from support.house import House, MakeHouse, own_address, wait_for
from support.internet import SMTP, Internet

SCANNER, ANNE, BOB = "scanner@contoso.test", "anne@contoso.test", "bob@fabrikam.test"
ENDPOINT = "contoso-com.mail.protection.test"
SOURCE = "127.0.0.7"
PASSWORD = "Pfx-Passw0rd"
PFX = '{ pfx = "relay.pfx", password_env = "PFX_PASSWORD" }'
PEM = '{ certificate = "relay.pem", key = "relay.key" }'

ORGANIZATION = """
trusted_roots = ['''{root}''']

[[accepted_domain]]
name = "contoso.test"

[[inbound_connector]]
name = "Devices"
connector_type = "OnPremises"
sender_ip_addresses = ["127.0.0.0/8"]
"""

Relay = Callable[..., House]
Entry = dict[str, Any]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def exchange(authority: trustme.CA) -> Exchange:
    """Not asked by HTTPS here: its connectors are what counts."""
    entra = Entra(authority)
    entra.server_close()
    made = Exchange(authority, entra)
    made.server_close()
    made.domains["contoso.test"] = "Authoritative"
    made.connectors.takes_reserved = True
    return made


@pytest.fixture
def mx(authority: trustme.CA, exchange: Exchange, internet: Internet) -> Iterator[Mx]:
    """Found by the name that a smart host is, and by the MX of both domains; by DNS."""
    address = own_address()
    internet.zone[ENDPOINT, "A"] = [address]
    for domain in ("contoso.test", "fabrikam.test"):
        internet.exchangers(domain, f"0 {ENDPOINT}.")
    with Mx(authority, exchange, host=ENDPOINT, address=(address, SMTP)) as running:
        yield running


@pytest.fixture
def relay(house: MakeHouse, authority: trustme.CA, internet: Internet, mx: Mx) -> Relay:
    """A running relay with these outbound connectors: their keys, on top of those that all have.

    relay.pfx and relay.pem are certificates for pfx.contoso.test and pem.contoso.test, each with its intermediate.
    """

    def relay(*connectors: str, retry_after: str = "1s") -> House:
        tables = [
            f'[[outbound_connector]]\nname = "Way {number}"\nport = {SMTP}\ntls_settings = "DomainValidation"\n{keys}\n'
            for number, keys in enumerate(connectors)
        ]
        made = house(
            ORGANIZATION.format(root=pem_of(authority)) + "".join(tables), internet.settings(retry_after=[retry_after])
        )
        write_certificates(made.folder, authority.create_child_ca())
        made.apply(PFX_PASSWORD=PASSWORD)
        return made.start()

    return relay


def write_certificates(folder: Path, intermediate: trustme.CA) -> None:
    identity = identity_of(intermediate.issue_cert("pfx.contoso.test"))
    (folder / "relay.pfx").write_bytes(identity.to_pfx(PASSWORD))
    leaf = intermediate.issue_cert("pem.contoso.test")
    (folder / "relay.pem").write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    (folder / "relay.key").write_bytes(leaf.private_key_pem.bytes())
    (folder / "bare.pfx").write_bytes(leaf_of(intermediate.issue_cert("bare.contoso.test")).to_pfx(PASSWORD))


def way(*keys: str, to: str = "*") -> str:
    """To the endpoint by its name, for recipients of a domain."""
    return "\n".join([f'recipient_domains = ["{to}"]', f'smart_hosts = ["{ENDPOINT}"]', *keys])


def by_mx(*keys: str) -> str:
    return "\n".join(['recipient_domains = ["*"]', "use_mx_record = true", *keys])


def arrived(mx: Mx, recipient: str) -> Mail:
    wait_for(lambda: mx.mails_to(recipient), what=f"mail for {recipient}")
    return mx.mails_to(recipient)[0]


def ended(relay: House, recipient: str) -> Entry:
    """The trace of the mail that a device sent, once it has been delivered or given up."""
    (entry,) = relay.trace(
        "--to", recipient, until=lambda found: found and found[0]["status"] in ("delivered", "failed")
    )
    return entry


def tried(relay: House, recipient: str) -> Entry:
    """The same, once an attempt has ended."""
    (entry,) = relay.trace("--to", recipient, until=lambda found: found and found[0]["reply"])
    return entry


def add(mx: Mx, **properties: Any) -> None:
    """An OnPremises connector of the tenant."""
    mx.exchange.connectors.add("Relay", ConnectorType="OnPremises", **properties)


@pytest.mark.parametrize("find", [way, by_mx])
def test_by_address(relay: Relay, mx: Mx, find: Callable[..., str]) -> None:
    add(mx, SenderIPAddresses=[SOURCE])
    running = relay(find(f'source_address = "{SOURCE}"'))
    running.send(SCANNER, BOB)
    mail = arrived(mx, BOB)
    assert (mail.connector, mail.client.ip, mail.client.tls) == ("Relay", SOURCE, "TLSv1.3")
    assert b"Received: from device.test" in mail.content


@pytest.mark.parametrize("find", [way, by_mx])
@pytest.mark.parametrize(("certificate", "name"), [(PFX, "pfx.contoso.test"), (PEM, "pem.contoso.test")])
def test_by_certificate(relay: Relay, mx: Mx, find: Callable[..., str], certificate: str, name: str) -> None:
    """The whole chain is sent: the tenant knows the root only. Any sender may relay then."""
    add(mx, TlsSenderCertificateName="*.contoso.test")
    running = relay(find(f"client_certificate = {certificate}"))
    running.send(SCANNER, BOB)
    mail = arrived(mx, BOB)
    assert (mail.connector, mail.client.status, mail.client.names) == ("Relay", "Valid", [name])


def test_each_connector_shows_its_own_certificate(relay: Relay, mx: Mx) -> None:
    add(mx, TlsSenderCertificateName="*.contoso.test")
    running = relay(
        way(f"client_certificate = {PFX}", to="contoso.test"), way(f"client_certificate = {PEM}", to="fabrikam.test")
    )
    for recipient in (ANNE, BOB, ANNE, BOB):
        running.send(SCANNER, recipient)
    wait_for(lambda: len(mx.mails) == 4)
    assert {tuple(mail.client.names) for mail in mx.mails_to(ANNE)} == {("pfx.contoso.test",)}
    assert {tuple(mail.client.names) for mail in mx.mails_to(BOB)} == {("pem.contoso.test",)}


def test_a_server_of_another_name_gets_no_mail(relay: Relay, mx: Mx) -> None:
    add(mx, SenderIPAddresses=[SOURCE])
    running = relay(way(f'source_address = "{SOURCE}"', 'tls_domain = "mail.elsewhere.test"'), retry_after="1h")
    running.send(SCANNER, BOB)
    entry = tried(running, BOB)
    assert entry["status"] == "waiting"
    assert entry["reply"].startswith("451 4.7.5 ")
    assert (mx.mails, sum(mx.refusals.values())) == ([], 0)


@pytest.mark.parametrize(
    ("keys", "connector", "reply"),
    [
        (
            f'source_address = "{SOURCE}"',
            {"SenderIPAddresses": ["127.0.0.8"]},
            "5.7.64 TenantAttribution; Relay Access Denied",
        ),
        (
            'client_certificate = { pfx = "bare.pfx", password_env = "PFX_PASSWORD" }',
            {"TlsSenderCertificateName": "*.contoso.test"},
            "5.7.64 TenantAttribution; Relay Access Denied [ValidationStatus of 'OU=Testing cert",
        ),
        (f"client_certificate = {PFX}", {"TlsSenderCertificateName": "*.fabrikam.test"}, "is NameMismatch]"),
    ],
)
def test_relaying_that_is_denied_fails_and_its_sender_is_told(
    relay: Relay, mx: Mx, keys: str, connector: dict[str, Any], reply: str
) -> None:
    """A 5yz is final (RFC 5321 4.2.1); the bounce goes to one of the tenant's people, which needs no connector."""
    add(mx, **connector)
    running = relay(way(keys))
    running.send(SCANNER, BOB)
    entry = ended(running, BOB)
    assert entry["reply"].startswith("550 5.7.64 ")
    assert reply in entry["reply"]
    bounce = arrived(mx, SCANNER)
    assert bounce.sender == ""
    assert b"Diagnostic-Code: smtp; 550 5.7.64 TenantAttribution; Relay Access Denied" in bounce.content


def test_mail_for_the_wrong_region_waits_until_the_connector_is_there(relay: Relay, mx: Mx) -> None:
    mx.elsewhere.add("fabrikam.test")
    running = relay(way(f'source_address = "{SOURCE}"'))
    message = running.send(SCANNER, BOB)
    entry = tried(running, BOB)
    assert entry["reply"].startswith("451 4.4.62 Mail sent to the wrong Office 365 region. ATTR35")
    explanation = running.json("queue", "show", message)[0]["explanation"]
    assert explanation["title"] == "The mail went to an endpoint of Microsoft 365 that isn't the one of this tenant"
    add(mx, SenderIPAddresses=[SOURCE])
    assert arrived(mx, BOB).connector == "Relay"
    assert ended(running, BOB)["status"] == "delivered"


def test_what_may_pass_by_itself_is_tried_again(relay: Relay, mx: Mx) -> None:
    """421 comes first: from a session that was kept it would only mean that another one is needed."""
    add(mx, SenderIPAddresses=[SOURCE])
    replies = [
        "421 4.7.66 TLS 1.0 and 1.1 are not supported.",
        "451 4.4.4 Temporary server error. Please try again later ATTR5",
        "450 4.7.1 Unable to fetch attribution data. ATTR13",
        "451 5.7.3 STARTTLS is required to send mail",
    ]
    mx.faults += replies
    running = relay(way(f'source_address = "{SOURCE}"'))
    running.send(SCANNER, BOB)
    assert arrived(mx, BOB)
    deferrals = [event["detail"] for event in ended(running, BOB)["events"] if event["event"] == "deferred"]
    assert len(deferrals) == len(replies)
    assert all(reply in detail for reply, detail in zip(replies, deferrals, strict=True))


@pytest.mark.parametrize(
    ("partner", "reject", "reply"),
    [
        ({"RestrictDomainsToIPAddresses": True, "SenderIPAddresses": ["110.0.0.7"]}, False, "550 5.7.51 "),
        ({"RestrictDomainsToCertificate": True, "TlsSenderCertificateName": "a.contoso.test"}, False, "550 5.7.51 "),
        ({"Enabled": False}, True, "550 5.7.68 TenantInboundAttribution; Direct Send not allowed"),
    ],
)
def test_what_the_tenant_reserves_or_rejects_fails(
    relay: Relay, mx: Mx, partner: dict[str, Any], reject: bool, reply: str
) -> None:
    mx.exchange.connectors.add("Partner", SenderDomains=["contoso.test"], **partner)
    mx.exchange.reject_direct_send = reject
    running = relay(way(f'source_address = "{SOURCE}"'))
    running.send(SCANNER, ANNE)
    assert ended(running, ANNE)["reply"].startswith(reply)
