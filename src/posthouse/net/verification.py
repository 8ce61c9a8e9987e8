"""What a peer's certificate is worth, in the words of the 5.7.64 reply.

OpenSSL's own check during the handshake cannot be used: it would break the session of a client whose certificate is
bad, where we want to take the mail and say what is wrong. So the chain is verified here, after the handshake.
"""

from __future__ import annotations

import enum
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import certifi
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL, crypto

from posthouse.net.certificates import CertificateError, names_of
from posthouse.organization.certificate import CertificateVerdict, ValidationStatus

SESSION_LIFETIME = 300
"""Seconds for which a TLS session can be resumed, and so for which a verdict must be remembered."""

NO_CERTIFICATE = CertificateVerdict(ValidationStatus.EMPTY_CERTIFICATE)

_REMEMBERED = 1024
_SUBJECT_LENGTH = 256
_UNPROVEN_NAMES = 16
_STATUSES = {
    SSL.X509VerificationCodes.ERR_CERT_HAS_EXPIRED: ValidationStatus.EXPIRED,
    SSL.X509VerificationCodes.ERR_CERT_NOT_YET_VALID: ValidationStatus.NOT_YET_VALID,
    SSL.X509VerificationCodes.ERR_DEPTH_ZERO_SELF_SIGNED_CERT: ValidationStatus.SELF_SIGNED,
    SSL.X509VerificationCodes.ERR_SELF_SIGNED_CERT_IN_CHAIN: ValidationStatus.UNKNOWN_ISSUER,
    SSL.X509VerificationCodes.ERR_UNABLE_TO_GET_ISSUER_CERT: ValidationStatus.UNKNOWN_ISSUER,
    SSL.X509VerificationCodes.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ValidationStatus.UNKNOWN_ISSUER,
    SSL.X509VerificationCodes.ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: ValidationStatus.UNKNOWN_ISSUER,
}

_UNREADABLE = (ValueError, x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType)
"""What cryptography raises for a certificate that OpenSSL let pass."""


class Purpose(enum.Enum):
    """What the peer shows its certificate for.

    A client may show one for servers: public CAs issue no others since 2026. Only a client may be named by its
    subject's CN alone.
    """

    CLIENT = frozenset({ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH})
    SERVER = frozenset({ExtendedKeyUsageOID.SERVER_AUTH})


class ChainUnknownError(Exception):
    """A resumed session shows no chain, and what its certificate was found to be is no longer known."""


class _Known(NamedTuple):
    verdict: CertificateVerdict
    until: float


class Verifier:
    """Judges certificates by the public roots (certifi) and an organization's own; remembers what it found.

    The memory spares the work for a peer that comes again, and is all there is to go by when a session is resumed: the
    certificate is in the ticket, its chain is not.
    """

    def __init__(self, own_roots: Iterable[str] = ()) -> None:
        """`own_roots` are PEM texts. Raises `CertificateError` for one that holds no certificate."""
        self._store = crypto.X509Store()
        self._store.load_locations(certifi.where())
        for pem in own_roots:
            for root in _roots(pem):
                self._store.add_cert(crypto.X509.from_cryptography(root))
        self._known: OrderedDict[tuple[Purpose, bytes], _Known] = OrderedDict()

    def verify(
        self, certificate: crypto.X509, chain: Sequence[crypto.X509] | None, purpose: Purpose
    ) -> CertificateVerdict:
        """`chain` is what came with the certificate; None when its session was resumed.

        Raises `ChainUnknownError` when a resumed session can only be judged by a chain that isn't known any more.
        """
        key = (purpose, certificate.digest("sha256"))
        known = self._known.get(key)
        if known and known.until > time.time() and (known.verdict.is_valid or chain is None):
            self._known.move_to_end(key)
            return known.verdict
        fresh = self._judge(certificate, chain or (), purpose)
        if chain is None and fresh.verdict.status is ValidationStatus.UNKNOWN_ISSUER:
            raise ChainUnknownError
        self._known[key] = fresh
        self._known.move_to_end(key)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return fresh.verdict

    def _judge(self, certificate: crypto.X509, chain: Sequence[crypto.X509], purpose: Purpose) -> _Known:
        until = time.time() + SESSION_LIFETIME
        try:
            leaf = certificate.to_cryptography()
            names = names_of(leaf, subject_counts=purpose is Purpose.CLIENT)
            subject = leaf.subject.rfc4514_string()[:_SUBJECT_LENGTH]
            status = _status_by_dates(leaf)
            if status is ValidationStatus.VALID:
                status, until = self._status_by_chain(certificate, chain, until)
            if status is ValidationStatus.VALID and not _usages(leaf) & purpose.value:
                status = ValidationStatus.INVALID_USAGE
        except _UNREADABLE:
            return _Known(CertificateVerdict(ValidationStatus.INVALID), until)
        if status is not ValidationStatus.VALID:
            names = names[:_UNPROVEN_NAMES]
        return _Known(CertificateVerdict(status, names, subject), until)

    def _status_by_chain(
        self, certificate: crypto.X509, chain: Sequence[crypto.X509], until: float
    ) -> tuple[ValidationStatus, float]:
        """A valid one is valid until the first certificate of its chain expires."""
        try:
            verified = crypto.X509StoreContext(self._store, certificate, chain).get_verified_chain()
        except crypto.X509StoreContextError as error:
            return _STATUSES.get(error.errors[0], ValidationStatus.INVALID), until
        expiry = min(link.to_cryptography().not_valid_after_utc for link in verified)
        return ValidationStatus.VALID, expiry.timestamp()


def _status_by_dates(leaf: x509.Certificate) -> ValidationStatus:
    """The leaf's own dates come first: who can't renew in time needs to hear that, whatever else is wrong."""
    now = datetime.now(UTC)
    if now > leaf.not_valid_after_utc:
        return ValidationStatus.EXPIRED
    if now < leaf.not_valid_before_utc:
        return ValidationStatus.NOT_YET_VALID
    return ValidationStatus.VALID


def _usages(leaf: x509.Certificate) -> frozenset[x509.ObjectIdentifier]:
    """The extended key usages; a certificate without the extension is good for all (RFC 5280 4.2.1.12)."""
    try:
        return frozenset(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return Purpose.CLIENT.value


def _roots(pem: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise CertificateError(
            "trusted_roots: no PEM certificate in it; it needs -----BEGIN CERTIFICATE-----"
        ) from None
