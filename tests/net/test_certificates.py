"""Certificates as they come from files: what can be used, and the line that says why not."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization import pkcs12 as pfx

from net.tls_peers import identity_of, issue
from posthouse.net.certificates import (
    Authority,
    CertificateError,
    Identity,
    IdentityFile,
    load_files,
    load_pem,
    load_pfx,
    names_of,
    self_signed,
)


def certificates_pem(identity: Identity) -> bytes:
    return b"".join(link.public_bytes(Encoding.PEM) for link in (identity.certificate, *identity.chain))


def key_pem(identity: Identity, password: str = "", form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return identity.key.private_bytes(Encoding.PEM, form, encryption)


@pytest.fixture(scope="module")
def identity(intermediate: trustme.CA) -> Identity:
    return identity_of(intermediate.create_child_ca().issue_cert("relay.contoso.test", "*.contoso.test"))


@pytest.fixture(scope="module")
def other() -> Identity:
    return self_signed("other.test")


# PEM


def test_a_pem_chain_is_put_in_order_from_the_leaf_on(identity: Identity, other: Identity) -> None:
    leaf, *issuers = (link.public_bytes(Encoding.PEM) for link in (identity.certificate, *identity.chain))
    shuffled = certificates_pem(other) + b"".join(reversed(issuers)) + leaf
    loaded = load_pem(shuffled, key_pem(identity))
    assert loaded.certificate == identity.certificate
    assert loaded.chain == identity.chain
    assert len(loaded.chain) == 2


def test_the_key_may_be_in_the_certificates_file(identity: Identity) -> None:
    loaded = load_pem(key_pem(identity) + certificates_pem(identity))
    assert (loaded.certificate, loaded.chain) == (identity.certificate, identity.chain)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_an_encrypted_key_opens_with_its_password(identity: Identity, form: PrivateFormat) -> None:
    key = key_pem(identity, "secret", form)
    assert load_pem(certificates_pem(identity), key, "secret").certificate == identity.certificate
    with pytest.raises(CertificateError, match="the private key is encrypted; give its password"):
        load_pem(certificates_pem(identity), key)
    with pytest.raises(CertificateError, match="wrong password for the private key"):
        load_pem(certificates_pem(identity), key, "wrong")


def test_a_password_for_a_key_that_needs_none_does_no_harm(identity: Identity) -> None:
    assert load_pem(certificates_pem(identity), key_pem(identity), "secret").certificate == identity.certificate


def test_a_key_of_another_certificate_is_refused(identity: Identity, other: Identity) -> None:
    with pytest.raises(CertificateError, match="the private key belongs to another certificate"):
        load_pem(certificates_pem(identity), key_pem(other))


def test_a_pem_without_certificate_or_key_is_refused(identity: Identity) -> None:
    with pytest.raises(CertificateError, match="no PEM certificate in it"):
        load_pem(key_pem(identity))
    with pytest.raises(CertificateError, match="no PEM private key with it"):
        load_pem(certificates_pem(identity))


def test_a_damaged_key_is_refused(identity: Identity) -> None:
    lines = key_pem(identity).splitlines()
    with pytest.raises(CertificateError, match="the private key is damaged"):
        load_pem(certificates_pem(identity), b"\n".join([lines[0], b"AAAA", *lines[2:]]))


def test_a_key_that_tls_has_no_use_for_is_refused(identity: Identity) -> None:
    key = dsa.generate_private_key(1024).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(CertificateError, match="neither RSA nor elliptic curve"):
        load_pem(certificates_pem(identity), key)


# PFX


@pytest.mark.parametrize("password", ["", "pass word ä"])
def test_a_pfx_holds_everything(identity: Identity, password: str) -> None:
    loaded = load_pfx(identity.to_pfx(password), password)
    assert (loaded.certificate, loaded.chain) == (identity.certificate, identity.chain)
    assert key_pem(loaded) == key_pem(identity)


def test_a_pfx_as_windows_exports_it(identity: Identity) -> None:
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .key_cert_algorithm(pfx.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .build(b"secret")
    )
    data = pfx.serialize_key_and_certificates(
        b"le-relay", identity.key, identity.certificate, identity.chain, encryption
    )
    assert load_pfx(data, "secret").thumbprint == identity.thumbprint


def test_a_pfx_with_another_password_is_refused(identity: Identity) -> None:
    data = identity.to_pfx("secret")
    with pytest.raises(CertificateError, match=r"^cert\.pfx: wrong password; give the one"):
        load_pfx(data, "wrong", source="cert.pfx")
    with pytest.raises(CertificateError, match="protected by a password; give the one"):
        load_pfx(data)


def test_a_pfx_without_its_private_key_is_refused(identity: Identity) -> None:
    data = pfx.serialize_key_and_certificates(None, None, identity.certificate, None, NoEncryption())
    with pytest.raises(CertificateError, match="no private key; export it again with its private key"):
        load_pfx(data)


def test_a_pfx_without_a_certificate_is_refused(identity: Identity) -> None:
    data = pfx.serialize_key_and_certificates(None, identity.key, None, None, NoEncryption())
    with pytest.raises(CertificateError, match="no certificate for its private key"):
        load_pfx(data)


@pytest.mark.parametrize("data", [b"", b"no certificate", b"0\x82\x01\x00"])
def test_what_is_no_pfx_is_refused(data: bytes) -> None:
    with pytest.raises(CertificateError, match="neither PEM nor PFX"):
        load_pfx(data, "secret")


# Files


def test_files_are_known_by_their_content(tmp_path: Path, identity: Identity) -> None:
    file, key = tmp_path / "relay.crt", tmp_path / "relay.key"
    key.write_bytes(key_pem(identity))
    for content in (certificates_pem(identity), identity.to_pfx("secret")):
        file.write_bytes(content)
        assert load_files(file, key, "secret").thumbprint == identity.thumbprint


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match=r"absent\.pem: No such file or directory; give a PEM or PFX file"):
        load_files(tmp_path / "absent.pem")


def test_errors_are_one_line(tmp_path: Path, identity: Identity) -> None:
    (tmp_path / "relay.pem").write_bytes(certificates_pem(identity))
    with pytest.raises(CertificateError) as caught:
        load_files(tmp_path / "relay.pem")
    assert re.fullmatch(r".*relay\.pem: .+", str(caught.value))


def test_changed_files_are_read_again(tmp_path: Path, identity: Identity, other: Identity) -> None:
    file = tmp_path / "relay.pem"
    file.write_bytes(key_pem(identity) + certificates_pem(identity))
    followed = IdentityFile(file)
    assert not followed.refresh()
    file.write_bytes(key_pem(other) + certificates_pem(other))
    assert followed.refresh()
    assert followed.identity.thumbprint == other.thumbprint
    assert not followed.refresh()


def test_a_file_that_was_replaced_is_read_again(tmp_path: Path, identity: Identity) -> None:
    """Same size and time, as a tool that keeps times leaves it: the inode tells."""
    file, fresh = tmp_path / "relay.pfx", tmp_path / "fresh.pfx"
    file.write_bytes(identity.to_pfx())
    followed = IdentityFile(file)
    fresh.write_bytes(file.read_bytes())
    os.utime(fresh, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    fresh.replace(file)
    assert followed.refresh()


def test_a_renewal_that_is_half_done_keeps_the_old_identity(
    tmp_path: Path, identity: Identity, other: Identity, capfd: pytest.CaptureFixture[str]
) -> None:
    certificate, key = tmp_path / "relay.crt", tmp_path / "relay.key"
    certificate.write_bytes(certificates_pem(identity))
    key.write_bytes(key_pem(identity))
    followed = IdentityFile(certificate, key)

    certificate.write_bytes(certificates_pem(other)[:100])
    assert not followed.refresh()
    certificate.write_bytes(certificates_pem(other))
    assert not followed.refresh()
    certificate.rename(tmp_path / "gone")
    assert not followed.refresh()
    assert followed.identity.thumbprint == identity.thumbprint
    logged = capfd.readouterr().err
    assert "no PEM certificate" in logged
    assert "belongs to another certificate" in logged
    assert "No such file" in logged

    (tmp_path / "gone").rename(certificate)
    key.write_bytes(key_pem(other))
    assert followed.refresh()
    assert followed.identity.thumbprint == other.thumbprint


def test_a_broken_file_is_reported_once(tmp_path: Path, identity: Identity, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "relay.pfx"
    file.write_bytes(identity.to_pfx())
    followed = IdentityFile(file)
    file.write_bytes(b"half")
    for _ in range(3):
        assert not followed.refresh()
    assert capfd.readouterr().err.count("certificate not reloaded") == 1


# Names, and what we make ourselves


def test_names_come_from_the_san_in_lower_case(authority: trustme.CA) -> None:
    identity = issue(authority, names=["Relay.Contoso.test", "*.contoso.test"])
    assert identity.names == ("relay.contoso.test", "*.contoso.test")
    assert identity.subject == "CN=Device.contoso.test"


def test_the_cn_counts_only_without_a_san_and_where_it_may(authority: trustme.CA) -> None:
    certificate = issue(authority).certificate
    assert names_of(certificate) == ("device.contoso.test",)
    assert names_of(certificate, subject_counts=False) == ()


def test_the_thumbprint_is_the_one_that_windows_shows(identity: Identity) -> None:
    assert re.fullmatch(r"[0-9A-F]{40}", identity.thumbprint)


def test_an_authority_issues_what_it_signed() -> None:
    authority = Authority.create("Rehearsal")
    identity = authority.issue(["relay.contoso.test", "*.contoso.test"])
    root = x509.load_pem_x509_certificate(authority.certificate_pem)
    identity.certificate.verify_directly_issued_by(root)
    assert identity.names == ("relay.contoso.test", "*.contoso.test")
    assert root.not_valid_after_utc - identity.certificate.not_valid_after_utc < timedelta(seconds=5)


@pytest.mark.parametrize("rsa_key", [False, True])
def test_a_self_signed_certificate_is_for_its_host(rsa_key: bool) -> None:
    identity = self_signed("relay.contoso.test", rsa_key=rsa_key)
    identity.certificate.verify_directly_issued_by(identity.certificate)
    assert identity.names == ("relay.contoso.test",)
    assert isinstance(identity.key, rsa.RSAPrivateKey) == rsa_key


def test_a_long_host_name_fits_into_a_certificate() -> None:
    name = ".".join(["x" * 60] * 3)
    assert self_signed(name).names == (name,)
