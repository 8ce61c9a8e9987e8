"""Every status that a certificate can get."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto

from net.tls_peers import identity_of, issue, leaf_of
from posthouse.net import verification
from posthouse.net.certificates import CertificateError, Identity, self_signed
from posthouse.net.verification import ChainUnknownError, Purpose, Verifier
from posthouse.organization.certificate import CertificateVerdict, ValidationStatus

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def judge(verifier: Verifier, identity: Identity, purpose: Purpose = Purpose.CLIENT) -> CertificateVerdict:
    return verifier.verify(*wire(identity), purpose)


def wire(identity: Identity) -> tuple[crypto.X509, list[crypto.X509]]:
    """As a handshake shows them: the chain without the leaf."""
    return as_x509(identity), [crypto.X509.from_cryptography(link) for link in identity.chain]


def as_x509(identity: Identity) -> crypto.X509:
    return crypto.X509.from_cryptography(identity.certificate)


def test_a_certificate_of_a_trusted_root_is_valid(verifier: Verifier, authority: trustme.CA) -> None:
    verdict = judge(verifier, identity_of(authority.issue_cert("relay.contoso.test", "*.contoso.test")))
    assert verdict.status is ValidationStatus.VALID
    assert verdict.names == ("relay.contoso.test", "*.contoso.test")
    assert verdict.subject.startswith("OU=Testing cert")


def test_one_that_comes_with_its_intermediate_is_valid(verifier: Verifier, intermediate: trustme.CA) -> None:
    assert judge(verifier, identity_of(intermediate.issue_cert("a.test"))).is_valid


def test_a_missing_intermediate_is_an_unknown_issuer(verifier: Verifier, intermediate: trustme.CA) -> None:
    verdict = judge(verifier, leaf_of(intermediate.issue_cert("a.test")))
    assert verdict.status is ValidationStatus.UNKNOWN_ISSUER


def test_a_strangers_certificate_has_an_unknown_issuer(verifier: Verifier, stranger: trustme.CA) -> None:
    identity = identity_of(stranger.create_child_ca().issue_cert("a.test"))
    assert judge(verifier, identity).status is ValidationStatus.UNKNOWN_ISSUER


def test_a_strangers_root_in_the_chain_does_not_help(verifier: Verifier, stranger: trustme.CA) -> None:
    leaf = identity_of(stranger.issue_cert("a.test"))
    root = crypto.load_certificate(crypto.FILETYPE_PEM, stranger.cert_pem.bytes())
    verdict = verifier.verify(as_x509(leaf), [root], Purpose.CLIENT)
    assert verdict.status is ValidationStatus.UNKNOWN_ISSUER


def test_a_self_signed_certificate(verifier: Verifier) -> None:
    verdict = judge(verifier, self_signed("relay.contoso.test"))
    assert verdict == CertificateVerdict(ValidationStatus.SELF_SIGNED, ("relay.contoso.test",), "CN=relay.contoso.test")


def test_an_expired_certificate(verifier: Verifier, authority: trustme.CA) -> None:
    leaf = authority.issue_cert("a.test", not_before=NOW - 2 * DAY, not_after=NOW - DAY)
    assert judge(verifier, identity_of(leaf)).status is ValidationStatus.EXPIRED


def test_a_certificate_that_is_not_valid_yet(verifier: Verifier, authority: trustme.CA) -> None:
    leaf = authority.issue_cert("a.test", not_before=NOW + DAY, not_after=NOW + 2 * DAY)
    assert judge(verifier, identity_of(leaf)).status is ValidationStatus.NOT_YET_VALID


def test_the_leafs_dates_come_before_all_else(verifier: Verifier, stranger: trustme.CA) -> None:
    leaf = stranger.issue_cert("a.test", not_before=NOW - 2 * DAY, not_after=NOW - DAY)
    assert judge(verifier, identity_of(leaf)).status is ValidationStatus.EXPIRED


CLIENT_AUTH, SERVER_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
EMAIL, ANY = ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE


@pytest.mark.parametrize(
    ("usages", "purpose", "status"),
    [
        ([], Purpose.CLIENT, ValidationStatus.VALID),
        ([CLIENT_AUTH], Purpose.CLIENT, ValidationStatus.VALID),
        ([SERVER_AUTH], Purpose.CLIENT, ValidationStatus.VALID),
        ([EMAIL, SERVER_AUTH], Purpose.CLIENT, ValidationStatus.VALID),
        ([EMAIL], Purpose.CLIENT, ValidationStatus.INVALID_USAGE),
        ([ANY], Purpose.CLIENT, ValidationStatus.INVALID_USAGE),
        ([], Purpose.SERVER, ValidationStatus.VALID),
        ([SERVER_AUTH], Purpose.SERVER, ValidationStatus.VALID),
        ([CLIENT_AUTH], Purpose.SERVER, ValidationStatus.INVALID_USAGE),
    ],
)
def test_extended_key_usage(
    verifier: Verifier,
    authority: trustme.CA,
    usages: list[x509.ObjectIdentifier],
    purpose: Purpose,
    status: ValidationStatus,
) -> None:
    assert judge(verifier, issue(authority, names=["a.test"], usages=usages), purpose).status is status


def test_a_client_may_be_named_by_its_cn_and_a_server_not(verifier: Verifier, authority: trustme.CA) -> None:
    identity = issue(authority)
    assert judge(verifier, identity, Purpose.CLIENT).names == ("device.contoso.test",)
    assert judge(verifier, identity, Purpose.SERVER).names == ()


def test_a_certificate_that_cannot_be_read_is_invalid(verifier: Verifier, authority: trustme.CA) -> None:
    assert judge(verifier, issue(authority, san=b"\x04\x03abc")).status is ValidationStatus.INVALID


@pytest.mark.parametrize(
    ("written", "forged"),
    [
        ("a003020102", "a003020107"),  # version 3 -> 8
        ("0603551d11", "0603551d25"),  # subjectAltName -> a second extKeyUsage
        ("82066c2e74657374", "a3066c2e74657374"),  # dNSName -> x400Address
    ],
)
def test_nor_does_any_other_nonsense_break_the_session(authority: trustme.CA, written: str, forged: str) -> None:
    der = issue(authority, names=["l.test"], usages=[SERVER_AUTH]).certificate.public_bytes(Encoding.DER)
    assert bytes.fromhex(written) in der
    leaf = crypto.load_certificate(crypto.FILETYPE_ASN1, der.replace(bytes.fromhex(written), bytes.fromhex(forged)))
    assert Verifier().verify(leaf, (), Purpose.CLIENT).status is ValidationStatus.INVALID


def test_a_leaf_cannot_issue(verifier: Verifier, authority: trustme.CA) -> None:
    """A chain by way of a certificate that is no authority."""
    middle = identity_of(authority.issue_cert("a.test"))
    forged = issue(authority, names=["b.test"], issuer=middle)
    verdict = verifier.verify(as_x509(forged), [as_x509(middle)], Purpose.CLIENT)
    assert verdict.status is ValidationStatus.INVALID


def test_the_names_of_strangers_are_not_taken_without_end(verifier: Verifier, stranger: trustme.CA) -> None:
    leaf = stranger.issue_cert(*(f"host-{number}.test" for number in range(100)))
    assert len(judge(verifier, identity_of(leaf)).names) == 16


def test_roots_of_ones_own_that_hold_no_certificate_are_refused() -> None:
    with pytest.raises(CertificateError, match="trusted_roots: no PEM certificate"):
        Verifier(["nothing"])


# What is remembered


def test_a_resumed_session_gets_the_verdict_of_its_first(verifier: Verifier, intermediate: trustme.CA) -> None:
    identity = identity_of(intermediate.issue_cert("a.test"))
    first = judge(verifier, identity)
    assert first.is_valid
    assert verifier.verify(as_x509(identity), None, Purpose.CLIENT) is first


def test_a_resumed_session_gets_a_bad_verdict_too(verifier: Verifier, intermediate: trustme.CA) -> None:
    identity = leaf_of(intermediate.issue_cert("a.test"))
    first = judge(verifier, identity)
    assert verifier.verify(as_x509(identity), None, Purpose.CLIENT) is first


def test_a_chain_that_was_mended_is_looked_at_again(verifier: Verifier, intermediate: trustme.CA) -> None:
    leaf = intermediate.issue_cert("a.test")
    assert not judge(verifier, leaf_of(leaf)).is_valid
    assert judge(verifier, identity_of(leaf)).is_valid


def test_a_resumed_session_whose_chain_is_unknown_gets_no_verdict(verifier: Verifier, intermediate: trustme.CA) -> None:
    with pytest.raises(ChainUnknownError):
        verifier.verify(as_x509(identity_of(intermediate.issue_cert("a.test"))), None, Purpose.CLIENT)


def test_a_resumed_session_that_needs_no_chain_is_judged_anew(verifier: Verifier, authority: trustme.CA) -> None:
    identity = identity_of(authority.issue_cert("a.test"))
    assert verifier.verify(as_x509(identity), None, Purpose.CLIENT).is_valid


def test_a_remembered_verdict_ends_with_its_certificate(verifier: Verifier, intermediate: trustme.CA) -> None:
    identity = identity_of(intermediate.issue_cert("a.test", not_after=NOW + DAY))
    assert judge(verifier, identity).is_valid
    with time_machine.travel(NOW + 2 * DAY):
        assert judge(verifier, identity).status is ValidationStatus.EXPIRED


def test_only_so_many_verdicts_are_remembered(
    verifier: Verifier, intermediate: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "_REMEMBERED", 2)
    used, old, new = (identity_of(intermediate.issue_cert(f"{name}.test")) for name in ("used", "old", "new"))
    for identity in (used, old, used, new):
        judge(verifier, identity)
    assert verifier.verify(as_x509(used), None, Purpose.CLIENT).is_valid
    assert verifier.verify(as_x509(new), None, Purpose.CLIENT).is_valid
    with pytest.raises(ChainUnknownError):
        verifier.verify(as_x509(old), None, Purpose.CLIENT)
