"""Doctor before a relay in good health, and before one fault at a time. DNS, tenant and certificates are real."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.x509.oid import ExtendedKeyUsageOID

from net.dns_server import SERVFAIL
from net.tls_peers import identity_of, issue, leaf_of, load_into
from posthouse.net.certificates import Identity, self_signed
from posthouse.probe.doctor import Status, Step
from support.clinic import DOMAIN, PUBLIC_IP, TENANT, Clinic, open_clinic
from support.house import own_address
from support.internet import SMTP
from support.peers import CLOSE, SILENCE

NOW = datetime.now(UTC)
ANN, BOB = f"postmaster@{DOMAIN}", "bob@example.net"


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    with open_clinic(tmp_path) as opened:
        yield opened


def texts(steps: list[Step], status: Status = Status.OK) -> list[str]:
    return [step.text for step in steps if step.status is status]


def test_in_good_health_every_step_is_ok(clinic: Clinic) -> None:
    with clinic.tenant() as tenant:
        steps = clinic.steps(external=BOB)
    assert [step for step in steps if step.status is not Status.OK] == []
    assert texts([step for step in steps if step.subject == DOMAIN]) == [
        f"MX: 0 {TENANT} (no tenant of Microsoft 365)",
        f"SPF includes {PUBLIC_IP} with 1 look-ups: v=spf1 include:spf.tenant.test ip4:192.0.2.0/28 -all",
        "DMARC: policy reject",
        "DKIM of Microsoft 365: selector1",
        "MTA-STS is not used",
    ]
    way = texts([step for step in steps if step.subject == "Tenant"])
    assert way[3:6] == [
        f"TlsSenderCertificateName in the tenant may be relay.{DOMAIN} or *.{DOMAIN}",
        f"{TENANT} [{clinic.address}]:{SMTP} is reached",
        f"{TENANT} greets: 220 peer ESMTP",
    ]
    assert way[-3:] == [
        f"{TENANT} asked for the client certificate, and it was sent with its chain",
        f"{TENANT} answers for the internal recipient {ANN} from {ANN}: 250 2.1.5 recipient ok",
        f"{TENANT} answers for the external recipient {BOB} from {ANN}: 250 2.1.5 recipient ok",
    ]
    assert tenant.messages == []


def test_nothing_but_mail_and_rcpt_is_said_and_each_is_reset(clinic: Clinic) -> None:
    with clinic.tenant(extensions=("SIZE 1000000", "SMTPUTF8")) as tenant:
        clinic.steps(internal=f"ann@{DOMAIN}", sender=f"scan@{DOMAIN}", external="jürgen@example.net")
    (session,) = tenant.sessions
    ehlo = f"EHLO relay.{DOMAIN}"
    assert session.commands == [
        *(ehlo, "STARTTLS", "TLS", ehlo),
        *(f"MAIL FROM:<scan@{DOMAIN}> SIZE=10000", f"RCPT TO:<ann@{DOMAIN}>", "RSET"),
        *(f"MAIL FROM:<scan@{DOMAIN}> SIZE=10000 SMTPUTF8", "RCPT TO:<jürgen@example.net>", "RSET"),
        "QUIT",
    ]


def test_with_send_a_mail_goes_to_those_who_were_accepted(clinic: Clinic) -> None:
    with clinic.tenant(RCPT=["250 ok", "550 5.7.64 TenantAttribution; Relay Access Denied", "250 ok"]) as tenant:
        steps = clinic.steps(external=BOB, send=True)
    assert steps[-1].text == f"{TENANT} took a test mail to postmaster@{DOMAIN}: 250 2.0.0 queued"
    assert [message.recipients for message in tenant.messages] == [[f"RCPT TO:<postmaster@{DOMAIN}>"]]


# DNS of the accepted domain

NO_ANSWER = "the name servers gave no usable answer when asked for"
DnsFault = tuple[Callable[[Clinic], object], str]


def _spf(*records: str) -> Callable[[Clinic], object]:
    return lambda clinic: clinic.txt(DOMAIN, *records)


def _drop(*keys: tuple[str, str]) -> Callable[[Clinic], object]:
    return lambda clinic: [clinic.zone.pop(key) for key in keys]


def _set(name: str, kind: str, *records: str) -> Callable[[Clinic], object]:
    return lambda clinic: clinic.zone.update({(name, kind): list(records)})


DNS_FAULTS: dict[str, DnsFault] = {
    "no MX": (_drop((DOMAIN, "MX")), "failed: it has no MX record"),
    "null MX": (_set(DOMAIN, "MX", "0 ."), f"failed: {DOMAIN} takes no mail (null MX)"),
    "NXDOMAIN": (_drop((DOMAIN, "MX"), (DOMAIN, "TXT")), f"failed: {DOMAIN} does not exist in DNS (NXDOMAIN)"),
    "SERVFAIL": (
        _set(DOMAIN, "MX", SERVFAIL),
        f"failed: MX look-up: {NO_ANSWER} MX of {DOMAIN}",
    ),
    "SPF missing": (_spf("something else"), "warning: it has no SPF record"),
    "SPF twice": (_spf("v=spf1 -all", "v=spf1 ~all"), f"failed: SPF: {DOMAIN} has 2 SPF records; one is allowed"),
    "SPF without our address": (
        _spf("v=spf1 ip4:198.51.100.1 -all"),
        f"failed: SPF says fail of our address {PUBLIC_IP}: v=spf1 ip4:198.51.100.1 -all",
    ),
    "SPF is soft about our address": (
        _spf("v=spf1 ptr ~all"),
        f"warning: SPF says softfail of our address {PUBLIC_IP}: v=spf1 ptr ~all; not looked at: ptr",
    ),
    "SPF with too many look-ups": (
        _spf(f"v=spf1 {'include:spf.tenant.test ' * 11}ip4:{PUBLIC_IP} -all"),
        "failed: SPF: it needs 11 DNS look-ups, 10 are allowed",
    ),
    "SPF with names that lead nowhere": (
        _spf(f"v=spf1 a:a.test a:b.test mx:c.test ip4:{PUBLIC_IP} -all"),
        "failed: SPF: 3 of its names lead nowhere, 2 are allowed",
    ),
    "SPF that can't be looked up": (
        _set("spf.tenant.test", "TXT", SERVFAIL),
        f"failed: SPF look-up: {NO_ANSWER} TXT of spf.tenant.test",
    ),
    "DMARC missing": (_drop((f"_dmarc.{DOMAIN}", "TXT")), "warning: it has no DMARC record"),
    "DMARC twice": (
        lambda clinic: clinic.txt(f"_dmarc.{DOMAIN}", "v=DMARC1; p=none", "v=DMARC1; p=reject"),
        f"failed: _dmarc.{DOMAIN} has 2 DMARC records",
    ),
    "DMARC without a policy": (
        lambda clinic: clinic.txt(f"_dmarc.{DOMAIN}", "v=DMARC1; rua=mailto:d@contoso.test"),
        "failed: DMARC has no valid policy: v=DMARC1; rua=mailto:d@contoso.test",
    ),
    "DKIM not set up": (
        _drop((f"selector1._domainkey.{DOMAIN}", "TXT")),
        "warning: DKIM of Microsoft 365 is not set up: neither selector1 nor selector2 has a key",
    ),
    "DKIM revoked": (
        lambda clinic: clinic.txt(f"selector1._domainkey.{DOMAIN}", "v=DKIM1; p="),
        "warning: DKIM of Microsoft 365 is not set up: neither selector1 nor selector2 has a key",
    ),
    "DKIM that can't be looked up": (
        _set(f"selector2._domainkey.{DOMAIN}", "TXT", SERVFAIL),
        f"failed: DKIM look-up: {NO_ANSWER} TXT of selector2._domainkey.{DOMAIN}",
    ),
    "MTA-STS twice": (
        lambda clinic: clinic.txt(f"_mta-sts.{DOMAIN}", "v=STSv1; id=1", "v=STSv1; id=2"),
        f"failed: _mta-sts.{DOMAIN} has 2 MTA-STS records",
    ),
    "MTA-STS without its policy": (
        lambda clinic: clinic.txt(f"_mta-sts.{DOMAIN}", "v=STSv1; id=1"),
        f"failed: MTA-STS policy: mta-sts.{DOMAIN} has no address",
    ),
}


@pytest.mark.parametrize("fault", DNS_FAULTS)
def test_a_fault_in_dns(clinic: Clinic, fault: str) -> None:
    inject, found = DNS_FAULTS[fault]
    status, _, text = found.partition(": ")
    inject(clinic)
    with clinic.tenant():
        assert clinic.problems() == [f"{status} {DOMAIN}: {text}"]


def test_selectors_of_ones_own(clinic: Clinic) -> None:
    clinic.txt(f"scan._domainkey.{DOMAIN}", "v=DKIM1; p=MIGf")
    clinic.txt(f"old._domainkey.{DOMAIN}", "v=DKIM1; p=")
    with clinic.tenant():
        assert clinic.problems(selectors=("scan", "fax", "old")) == [
            f"failed {DOMAIN}: DKIM: fax._domainkey.{DOMAIN} has no key",
            f"failed {DOMAIN}: DKIM: old._domainkey.{DOMAIN} is revoked",
        ]


def test_dmarc_of_the_domain_above(clinic: Clinic) -> None:
    clinic.organization = f'[[accepted_domain]]\nname = "dept.{DOMAIN}"\n'
    clinic.zone[f"dept.{DOMAIN}", "MX"] = [f"0 {TENANT}."]
    clinic.txt(f"_dmarc.{DOMAIN}", "v=DMARC1; p=reject; sp=quarantine")
    with clinic.tenant():
        assert f"DMARC: policy quarantine, of {DOMAIN}" in texts(clinic.steps())


def test_without_a_public_address_spf_is_not_judged(clinic: Clinic) -> None:
    with clinic.tenant():
        skipped = texts(clinic.steps(public_ip=""), Status.SKIPPED)
    record = "v=spf1 include:spf.tenant.test ip4:192.0.2.0/28 -all"
    assert skipped == [f"SPF is there ({record}), but our public address isn't known; give it with --ip"]


# The way to the host


def test_a_host_without_an_address(clinic: Clinic) -> None:
    del clinic.zone[TENANT, "A"]
    assert clinic.problems() == [f"failed Tenant: {TENANT}: {TENANT} has no address"]


def test_a_port_where_nobody_listens(clinic: Clinic) -> None:
    (problem,) = clinic.problems()
    assert problem.startswith(f"failed Tenant: {TENANT} [{clinic.address}]:{SMTP}: refused: ")


def test_a_port_that_never_answers(clinic: Clinic) -> None:
    """A queue of connections that is full drops what comes, as a firewall does."""
    with ExitStack() as open_sockets, socket.socket() as full:
        full.bind((clinic.address, SMTP))
        full.listen(0)
        for _ in range(3):
            waiting = open_sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((clinic.address, SMTP))
        (problem,) = clinic.problems(timeout=0.3)
    assert problem.endswith("no answer: something on the way drops the packets, as many ISPs and clouds do on port 25")


def test_no_route_to_the_host(clinic: Clinic) -> None:
    clinic.connector["smart_hosts"] = ["127.255.255.255"]
    (problem,) = clinic.problems()
    assert problem.endswith("no route: this machine has no way to this address")


def test_one_of_two_addresses_is_enough(clinic: Clinic) -> None:
    down = own_address()
    clinic.zone[TENANT, "A"] = [down, clinic.address]
    with clinic.tenant():
        (problem,) = clinic.problems()
    assert problem.startswith(f"warning Tenant: {TENANT} [{down}]:{SMTP}: refused")


def test_a_source_address_that_is_not_ours(clinic: Clinic) -> None:
    clinic.connector["source_address"] = "192.0.2.1"
    steps = clinic.steps()
    assert texts(steps, Status.FAILED) == ["source_address 192.0.2.1 is not one of this machine's"]
    assert texts(steps, Status.SKIPPED) == ["its hosts: there is no address to call them from"]


def test_the_source_address_is_where_the_host_is_called_from(clinic: Clinic) -> None:
    clinic.connector["source_address"] = source = own_address()
    with clinic.tenant() as tenant:
        assert clinic.problems() == []
    assert [session.client for session in tenant.sessions] == [source]


def test_a_host_of_another_ip_version_than_the_source_address(clinic: Clinic) -> None:
    clinic.connector |= {"source_address": "127.0.0.1", "smart_hosts": ["::1"]}
    assert clinic.problems() == ["failed Tenant: ::1 has no IPv4 address, as source_address is"]


def test_every_smart_host_is_called(clinic: Clinic) -> None:
    clinic.connector["smart_hosts"] = [TENANT, "spare.test"]
    assert [problem.partition(" [")[0] for problem in clinic.problems()] == [
        f"failed Tenant: {TENANT}",
        "failed Tenant: spare.test: spare.test has no address",
    ]


def test_a_connector_that_delivers_by_mx(clinic: Clinic) -> None:
    clinic.connector |= {"smart_hosts": [], "use_mx_record": True}
    clinic.zone["example.net", "MX"] = ["10 nowhere.test."]
    with clinic.tenant():
        steps = clinic.steps(external=BOB)
    way = [step for step in steps if step.subject == "Tenant"]
    assert f"mail for {DOMAIN} goes to {TENANT}" in texts(way)
    assert "mail for example.net goes to nowhere.test" in texts(way)
    assert texts(way, Status.FAILED) == ["nowhere.test: nowhere.test has no address"]


def test_a_recipient_whose_domain_takes_no_mail(clinic: Clinic) -> None:
    clinic.connector |= {"smart_hosts": [], "use_mx_record": True}
    clinic.zone["example.net", "MX"] = ["0 ."]
    with clinic.tenant():
        assert clinic.problems(external=BOB) == [
            "failed Tenant: MX look-up of example.net: example.net takes no mail (null MX)"
        ]


def test_a_connector_that_carries_none_of_the_recipients(clinic: Clinic) -> None:
    clinic.connector |= {"smart_hosts": [], "use_mx_record": True, "recipient_domains": ["example.org"]}
    assert texts(clinic.steps(), Status.SKIPPED) == [
        "its hosts: it delivers by MX; name a recipient that it carries with --external"
    ]


def test_mailboxes(clinic: Clinic) -> None:
    clinic.organization = """
        [[outbound_connector]]
        name = "Mailboxes"
        transport = "mailbox"
        all_accepted_domains = true
        mailboxes = ["*"]
    """
    with clinic.tenant():
        steps = clinic.steps()
    assert texts([step for step in steps if step.subject == "Mailboxes"]) == [
        f"mailboxes can be written below {clinic.folder / 'data' / 'mailboxes'}"
    ]
    assert texts(steps, Status.SKIPPED) == [
        f"{TENANT}: MAIL and RCPT, since no recipient that is asked about goes this way; see --internal and --external"
    ]


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ({"CONNECT": "554 5.7.1 go away"}, "greets with: 554 5.7.1 go away"),
        ({"EHLO": "550 5.7.1 who?", "HELO": "550 5.7.1 who?"}, f"refuses HELO relay.{DOMAIN}: 550 5.7.1 who?"),
    ],
)
def test_a_host_that_wants_nothing_of_us(clinic: Clinic, script: dict[str, str], found: str) -> None:
    with clinic.tenant(**script):
        assert clinic.problems() == [f"failed Tenant: {TENANT} {found}"]


def test_a_host_that_never_greets(clinic: Clinic) -> None:
    with clinic.tenant(CONNECT=SILENCE):
        assert clinic.problems(timeout=0.3) == [f"failed Tenant: {TENANT}: it says nothing for 0.3 s (greeting)"]


def test_a_host_that_hangs_up(clinic: Clinic) -> None:
    with clinic.tenant(MAIL=CLOSE):
        assert clinic.problems() == [f"failed Tenant: {TENANT}: it closed the connection (MAIL)"]


# TLS and certificates of the host


def test_no_starttls(clinic: Clinic) -> None:
    with clinic.tenant(plain=True):
        assert clinic.problems() == [f"failed Tenant: {TENANT} does not offer STARTTLS"]


def test_no_starttls_where_none_is_needed(clinic: Clinic) -> None:
    clinic.connector["tls_settings"] = "None"
    clinic.client_certificate = ""
    with clinic.tenant(plain=True):
        assert clinic.problems() == [f"warning Tenant: {TENANT} does not offer STARTTLS, so mail goes in plain text"]


def test_starttls_refused(clinic: Clinic) -> None:
    with clinic.tenant(STARTTLS="454 4.7.0 TLS not available"):
        assert clinic.problems() == [f"failed Tenant: {TENANT} refuses STARTTLS: 454 4.7.0 TLS not available"]


def test_tls_that_fails_where_none_is_needed_is_done_without(clinic: Clinic) -> None:
    clinic.connector["tls_settings"] = "None"
    broken = clinic.tls()
    broken.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # its key is no RSA one
    broken.maximum_version = ssl.TLSVersion.TLSv1_2
    with clinic.tenant(broken) as tenant:
        problems = clinic.problems()
    assert [problem.partition(", but")[0] for problem in problems] == [f"failed Tenant: {TENANT} offers STARTTLS"]
    assert tenant.sessions[1].commands[1:] == [
        f"MAIL FROM:<postmaster@{DOMAIN}> SIZE=10000",
        f"RCPT TO:<postmaster@{DOMAIN}>",
        "RSET",
        "QUIT",
    ]


HOST_CERTIFICATES: dict[str, tuple[Callable[[Clinic], trustme.LeafCert], str]] = {
    "expired": (
        lambda clinic: clinic.authority.issue_cert(TENANT, not_before=NOW - timedelta(9), not_after=NOW - timedelta(1)),
        "has expired",
    ),
    "unknown issuer": (
        lambda clinic: trustme.CA().issue_cert(TENANT),
        "has an unknown issuer, or the host doesn't send the intermediates",
    ),
}


@pytest.mark.parametrize("fault", HOST_CERTIFICATES)
@pytest.mark.parametrize(("tls_settings", "status"), [("DomainValidation", "failed"), ("EncryptionOnly", "warning")])
def test_a_bad_certificate_of_the_host(clinic: Clinic, fault: str, tls_settings: str, status: str) -> None:
    make, found = HOST_CERTIFICATES[fault]
    clinic.connector["tls_settings"] = tls_settings
    with clinic.tenant(clinic.tls(make(clinic))):
        (problem,) = clinic.problems()
    assert problem.startswith(f"{status} Tenant: the certificate '")
    assert problem.endswith(f"' of {TENANT} {found}")


def test_a_self_signed_certificate_of_the_host(clinic: Clinic, tmp_path: Path) -> None:
    clinic.connector["tls_settings"] = "CertificateValidation"
    with clinic.tenant(_context(self_signed(TENANT), tmp_path)):
        assert clinic.problems() == [f"failed Tenant: the certificate 'CN={TENANT}' of {TENANT} is self-signed"]


def test_a_certificate_for_another_host(clinic: Clinic) -> None:
    with clinic.tenant(clinic.tls(clinic.authority.issue_cert("other.test"))):
        assert clinic.problems() == [f"failed Tenant: it is for other.test, not for {TENANT}"]


def test_the_name_that_tls_domain_wants(clinic: Clinic) -> None:
    clinic.connector["tls_domain"] = "*.protection.test"
    with clinic.tenant(clinic.tls(clinic.authority.issue_cert("mail.protection.test"))):
        assert clinic.problems() == []


def test_a_certificate_of_the_host_that_expires_soon(clinic: Clinic) -> None:
    leaf = clinic.authority.issue_cert(TENANT, not_after=NOW + timedelta(9))
    with clinic.tenant(clinic.tls(leaf)):
        (problem,) = clinic.problems()
    assert problem.startswith("warning Tenant: the certificate '")
    assert f"expires soon, on {NOW + timedelta(9):%Y-%m-%d}" in problem


# Our own certificate


def _context(identity: Identity, folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_into(context, identity, folder)
    return context


def test_a_client_certificate_that_is_not_asked_for(clinic: Clinic) -> None:
    with clinic.tenant(clinic.tls(asks=False)):
        assert clinic.problems() == [
            f"failed Tenant: {TENANT} does not ask for a client certificate, so ours is never shown"
        ]


def test_an_expired_client_certificate(clinic: Clinic) -> None:
    clinic.certificate = identity_of(
        clinic.authority.issue_cert(f"relay.{DOMAIN}", not_before=NOW - timedelta(9), not_after=NOW - timedelta(1))
    )
    with clinic.tenant(clinic.tls()):
        first, *rest = clinic.problems()
    assert first.endswith(f"has expired on {NOW - timedelta(1):%Y-%m-%d}")
    assert rest == [f"failed Tenant: {TENANT}: TLS: our certificate has expired (EHLO)"]


def test_a_client_certificate_that_expires_soon(clinic: Clinic) -> None:
    clinic.certificate = identity_of(clinic.authority.issue_cert(f"relay.{DOMAIN}", not_after=NOW + timedelta(29)))
    with clinic.tenant():
        (problem,) = clinic.problems()
    assert problem.startswith("warning Tenant: its certificate ")
    assert problem.endswith(f"expires soon, on {NOW + timedelta(29):%Y-%m-%d}")


def test_a_missing_intermediate(clinic: Clinic) -> None:
    """The host doesn't look at it here, so it is the only fault."""
    clinic.certificate = leaf_of(clinic.authority.create_child_ca().issue_cert(f"relay.{DOMAIN}"))
    with clinic.tenant(clinic.tls(asks=False)):
        first, *_ = clinic.problems()
    assert first.startswith("failed Tenant: its chain is not whole: the certificate of the issuer ")


def test_a_self_signed_client_certificate(clinic: Clinic) -> None:
    clinic.certificate = self_signed(f"relay.{DOMAIN}")
    with clinic.tenant(clinic.tls(asks=False)):
        first, *_ = clinic.problems()
    assert first == "failed Tenant: its certificate is self-signed"


def test_a_client_certificate_for_another_domain(clinic: Clinic) -> None:
    clinic.certificate = identity_of(clinic.authority.issue_cert("relay.fabrikam.test"))
    with clinic.tenant():
        assert clinic.problems() == [
            "warning Tenant: its names (relay.fabrikam.test) are in none of the accepted domains"
        ]


def test_a_client_certificate_that_can_t_be_read_any_more(clinic: Clinic) -> None:
    clinic.write()
    (clinic.folder / "data" / "secrets.key").unlink()
    steps = clinic.examined()
    (failed,) = texts(steps, Status.FAILED)
    assert failed.startswith("its client certificate can't be read: ")
    assert texts(steps, Status.SKIPPED) == [
        "its hosts: the relay doesn't call them without the certificate, and lets mail wait"
    ]


@pytest.mark.parametrize(
    ("usage", "found"),
    [
        (ExtendedKeyUsageOID.SERVER_AUTH, "its extended key usage is serverAuth without clientAuth"),
        (ExtendedKeyUsageOID.CLIENT_AUTH, "its extended key usage has clientAuth"),
    ],
)
def test_the_usages_of_a_client_certificate(clinic: Clinic, usage: object, found: str) -> None:
    clinic.certificate = issue(clinic.authority, names=[f"relay.{DOMAIN}"], usages=[usage])
    assert [text for text in texts(clinic.steps()) if text.startswith(found)]


def test_a_usage_that_is_for_neither_side(clinic: Clinic) -> None:
    clinic.certificate = issue(clinic.authority, names=[f"relay.{DOMAIN}"], usages=[ExtendedKeyUsageOID.CODE_SIGNING])
    assert "its extended key usage has neither clientAuth nor serverAuth" in texts(clinic.steps(), Status.FAILED)


def test_a_ca_of_ones_own_before_microsoft(clinic: Clinic) -> None:
    clinic.connector["smart_hosts"] = ["contoso-test.mail.protection.outlook.com"]
    assert "its certificate is by no public CA" in texts(clinic.steps(), Status.FAILED)


# What the tenant says


def test_an_external_recipient_is_refused(clinic: Clinic) -> None:
    denied = "550 5.7.64 TenantAttribution; Relay Access Denied [ValidationStatus of '' is EmptyCertificate]"
    with clinic.tenant(RCPT=["250 ok", denied]):
        (step,) = (step for step in clinic.steps(external=BOB) if step.status is not Status.OK)
    assert step.text == f"{TENANT} answers for the external recipient {BOB} from {ANN}: {denied}"
    assert step.explanation is not None
    assert step.explanation.causes
    assert step.remedy == step.explanation.remedies[0]


def test_an_internal_recipient_is_refused(clinic: Clinic) -> None:
    with clinic.tenant(RCPT="550 5.1.1 no such user"):
        (step,) = (step for step in clinic.steps() if step.status is not Status.OK)
    assert (step.status, step.text.partition(": ")[2]) == (Status.FAILED, "550 5.1.1 no such user")
    assert step.explanation is not None


def test_a_sender_is_refused_for_now(clinic: Clinic) -> None:
    with clinic.tenant(MAIL="451 4.7.1 greylisted"):
        (problem,) = clinic.problems()
    assert problem.startswith("warning Tenant: ")
    assert problem.endswith(": 451 4.7.1 greylisted")
