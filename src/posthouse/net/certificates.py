"""Certificates with their keys: read from PEM or PFX, checked at once, reloaded when their files change.

Whatever is wrong with a file becomes a `CertificateError`: one line that says what to do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from posthouse.observe import logger

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey | Ed448PrivateKey


class CertificateError(Exception):
    """A certificate cannot be used. One line: which one, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate, its private key, and the intermediates that lead to a root, each issued by the next."""

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    key: PrivateKey

    @property
    def names(self) -> tuple[str, ...]:
        return names_of(self.certificate)

    @property
    def subject(self) -> str:
        return self.certificate.subject.rfc4514_string()

    @property
    def thumbprint(self) -> str:
        return thumbprint(self.certificate)

    def to_pfx(self, password: str = "") -> bytes:
        """Everything in one piece, for storing: `load_pfx` is the way back."""
        encryption: KeySerializationEncryption = NoEncryption()
        if password:
            encryption = BestAvailableEncryption(password.encode())
        return pkcs12.serialize_key_and_certificates(None, self.key, self.certificate, self.chain, encryption)


def thumbprint(certificate: x509.Certificate) -> str:
    """The SHA-1 fingerprint as Windows and Exchange show it."""
    return hashlib.sha1(certificate.public_bytes(Encoding.DER), usedforsecurity=False).hexdigest().upper()


def names_of(certificate: x509.Certificate, *, subject_counts: bool = True) -> tuple[str, ...]:
    """The DNS names that a certificate is for, in lower case: its SAN dNSNames, else (if it counts) the subject's CN.

    RFC 6125 6.4.4: the CN is looked at only where the SAN names nothing. Raises ValueError for a broken certificate.
    """
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = extension.value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        names = []
    if not names and subject_counts:
        names = [str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return tuple(name.lower() for name in names)


def load_pem(
    certificates: bytes, key: bytes | None = None, password: str | None = None, *, source: str = "the certificate"
) -> Identity:
    """A PEM chain, its key in the same text or in another. `source` is how errors call it."""
    try:
        found = x509.load_pem_x509_certificates(certificates)
    except ValueError:
        raise CertificateError(f"{source}: no PEM certificate in it; it needs -----BEGIN CERTIFICATE-----") from None
    private_key = _load_key(certificates if key is None else key, password, source)
    own = [certificate for certificate in found if certificate.public_key() == private_key.public_key()]
    if not own:
        raise CertificateError(
            f"{source}: the private key belongs to another certificate; give the one it was made for"
        )
    return Identity(own[0], _in_order(own[0], found), private_key)


def load_pfx(data: bytes, password: str | None = None, *, source: str = "the PFX") -> Identity:
    """A PFX (PKCS #12) as Windows exports it. `source` is how errors call it."""
    try:
        content = pkcs12.load_pkcs12(data, password.encode() if password else None)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"{source}: {_pfx_problem(str(error), password)}") from None
    if content.key is None:
        raise CertificateError(f"{source}: holds no private key; export it again with its private key")
    if content.cert is None:
        raise CertificateError(f"{source}: holds no certificate for its private key; export both together")
    key = _usable(content.key, source)
    others = [entry.certificate for entry in content.additional_certs]
    return Identity(content.cert.certificate, _in_order(content.cert.certificate, others), key)


def _pfx_problem(error: str, password: str | None) -> str:
    if "password" not in error.lower():
        return "neither PEM nor PFX (PKCS #12), or damaged; export it again"
    if password:
        return "wrong password; give the one that the PFX was exported with"
    return "it is protected by a password; give the one that the PFX was exported with"


def _load_key(pem: bytes, password: str | None, source: str) -> PrivateKey:
    if b"PRIVATE KEY-----" not in pem:
        raise CertificateError(
            f"{source}: no PEM private key with it; it needs a key file, or the key in the same file"
        )
    encrypted = b"ENCRYPTED" in pem
    if encrypted and not password:
        raise CertificateError(f"{source}: the private key is encrypted; give its password, or a key without one")
    try:
        key = load_pem_private_key(pem, password.encode() if password and encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        problem = "wrong password for the private key" if encrypted else "the private key is damaged"
        raise CertificateError(f"{source}: {problem}; give the one it was saved with") from None
    return _usable(key, source)


def _usable(key: object, source: str) -> PrivateKey:
    if not isinstance(key, PrivateKey):
        raise CertificateError(f"{source}: its private key is neither RSA nor elliptic curve; TLS needs one of these")
    return key


def _in_order(leaf: x509.Certificate, others: Iterable[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """The issuers of `leaf` among `others`, nearest first. What doesn't belong to its chain is left out."""
    chain: list[x509.Certificate] = []
    rest = [certificate for certificate in others if certificate != leaf]
    last = leaf
    while issuer := next((candidate for candidate in rest if _issued(candidate, last)), None):
        chain.append(issuer)
        rest.remove(issuer)
        last = issuer
    return tuple(chain)


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


class IdentityFile:
    """An identity that follows its files. Who holds it calls `refresh` now and then and makes new contexts from it."""

    def __init__(self, certificate: Path, key: Path | None = None, password: str | None = None) -> None:
        """Raises `CertificateError` if the files cannot be used."""
        self._certificate, self._key, self._password = certificate, key, password
        self._stamp = self._look()
        self.identity = load_files(certificate, key, password)

    def refresh(self) -> bool:
        """Read the files again if they changed. True: `identity` is a new one. Broken ones leave it as it was.

        Certificate and key are written one by one: a pair that doesn't match is soon followed by one that fits.
        """
        stamp = self._look()
        if stamp == self._stamp:
            return False
        self._stamp = stamp  # taken before reading: what is written meanwhile counts as the next change
        try:
            self.identity = load_files(self._certificate, self._key, self._password)
        except CertificateError as error:
            logger.warning("certificate not reloaded", reason=str(error), still_used=self.identity.thumbprint)
            return False
        return True

    def _look(self) -> tuple[object, ...]:
        return tuple(_stamp(path) for path in (self._certificate, self._key) if path)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def load_files(certificate: Path, key: Path | None = None, password: str | None = None) -> Identity:
    """From a PFX, or a PEM chain with its key beside it or in the same file. The content tells which, not the name."""
    data = _read(certificate)
    if b"-----BEGIN " not in data:
        return load_pfx(data, password, source=str(certificate))
    return load_pem(data, _read(key) if key else None, password, source=str(certificate))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(f"{path}: {error.strerror}; give a PEM or PFX file that this user can read") from None


class Authority:
    """A little certificate authority for rehearsals and tests. Its certificates live as long as a rehearsal needs."""

    LIFETIME = timedelta(days=365)

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self._key = key

    @classmethod
    def create(cls, name: str) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = (
            _builder(_name(name), key, cls.LIFETIME)
            .issuer_name(_name(name))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
        )
        return cls(builder.sign(key, SHA256()), key)

    @property
    def certificate_pem(self) -> bytes:
        """The root, as an organization's `trusted_roots` wants it."""
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(self, names: Sequence[str]) -> Identity:
        """For these DNS names, the first of which is the subject's; good for servers and clients alike."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _leaf_builder(names, key, self.LIFETIME).issuer_name(self.certificate.subject)
        return Identity(builder.sign(self._key, SHA256()), (), key)


def self_signed(hostname: str, *, rsa_key: bool = False) -> Identity:
    """What a listener without a certificate uses. Old devices know RSA only."""
    key = rsa.generate_private_key(65537, 2048) if rsa_key else ec.generate_private_key(ec.SECP256R1())
    builder = _leaf_builder((hostname,), key, timedelta(days=3650)).issuer_name(_name(hostname))
    return Identity(builder.sign(key, SHA256()), (), key)


def _leaf_builder(
    names: Sequence[str], key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, lifetime: timedelta
) -> x509.CertificateBuilder:
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    return (
        _builder(_name(names[0]), key, lifetime)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    )


def _builder(
    subject: x509.Name, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, lifetime: timedelta
) -> x509.CertificateBuilder:
    """A day of leeway at the beginning, for clocks that differ."""
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    """RFC 5280 allows 64 characters in a CN; the SAN holds the whole name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])
