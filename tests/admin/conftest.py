"""Certificates as an administrator has them on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from posthouse.net.certificates import Authority, Identity

PFX_PASSWORD = "Pfx-Passw0rd"


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority.create("Contoso CA")


@pytest.fixture(scope="session")
def identity(authority: Authority) -> Identity:
    return authority.issue(["relay.contoso.com"])


@pytest.fixture
def etc(tmp_path: Path, authority: Authority, identity: Identity) -> Path:
    """A folder with own-ca.pem, cert.pfx, cert.pem and cert.key."""
    folder = tmp_path / "etc"
    folder.mkdir()
    encryption = BestAvailableEncryption(PFX_PASSWORD.encode())
    pfx = serialize_key_and_certificates(b"relay", identity.key, identity.certificate, None, encryption)
    (folder / "cert.pfx").write_bytes(pfx)
    (folder / "cert.pem").write_bytes(identity.certificate.public_bytes(Encoding.PEM))
    key = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "cert.key").write_bytes(key)
    (folder / "own-ca.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    return folder
