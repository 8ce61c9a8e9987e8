"""Certificates, the host's and ours, with one fault at a time, named by doctor."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.x509.oid import ExtendedKeyUsageOID

from net.tls_peers import identity_of, issue, leaf_of, load_into
from posthouse.net.certificates import Identity, self_signed
from posthouse.probe.doctor import Status, Step
from support.clinic import DOMAIN, TENANT, Clinic

NOW = datetime.now(UTC)
ANN, BOB = f"postmaster@{DOMAIN}", "bob@example.net"


def texts(steps: list[Step], status: Status = Status.OK) -> list[str]:
    return [step.text for step in steps if step.status is status]


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
