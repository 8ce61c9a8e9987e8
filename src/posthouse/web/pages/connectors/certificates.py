"""Certificates with their keys in the wizard: what is uploaded, until it is saved, and how one is shown."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from posthouse.net.certificates import Identity
from posthouse.net.verification import Verifier
from posthouse.organization import Organization
from posthouse.probe.doctor import Area, Step
from posthouse.probe.doctor.certificates import certificate_steps, names_step, usage_step
from posthouse.probe.doctor.step import About
from posthouse.web.pages.visitor import Visitor

_KEPT_SECONDS = 3600.0
_MOST = 50
_USAGES = {ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth", ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth"}


class Drawer:
    """What somebody has uploaded, for an hour at most. With keys, so it is in memory only, and each for its owner."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, str], tuple[float, Identity]] = OrderedDict()
        self._lock = Lock()

    def put(self, visitor: Visitor, identity: Identity) -> None:
        with self._lock:
            self._held.pop((visitor.actor.name, identity.thumbprint), None)
            self._held[visitor.actor.name, identity.thumbprint] = time.monotonic(), identity
            while len(self._held) > _MOST:
                self._held.popitem(last=False)

    def of(self, visitor: Visitor) -> dict[str, Identity]:
        with self._lock:
            oldest = time.monotonic() - _KEPT_SECONDS
            while self._held and next(iter(self._held.values()))[0] < oldest:
                self._held.popitem(last=False)
            return {
                thumbprint: identity
                for (owner, thumbprint), (_, identity) in self._held.items()
                if owner == visitor.actor.name
            }

    def discard(self, visitor: Visitor, thumbprint: str) -> None:
        with self._lock:
            self._held.pop((visitor.actor.name, thumbprint), None)


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """`issuers` are those of the chain, the nearest first; `steps` what doctor says of it."""

    thumbprint: str
    subject: str
    names: Sequence[str]
    issuers: Sequence[str]
    begins: float
    ends: float
    usages: Sequence[str]
    steps: Sequence[Step]
    is_stored: bool


def shown_certificate(identity: Identity, organization: Organization, *, is_stored: bool) -> ShownCertificate:
    about = About(Area.CONNECTOR, identity.subject)
    certificate = identity.certificate
    verifier = Verifier(organization.trusted_roots)
    return ShownCertificate(
        identity.thumbprint,
        identity.subject,
        identity.names,
        [each.issuer.rfc4514_string() for each in (certificate, *identity.chain)],
        certificate.not_valid_before_utc.timestamp(),
        certificate.not_valid_after_utc.timestamp(),
        _usages(certificate),
        (
            *certificate_steps(about, identity, verifier, chain_matters=True),
            usage_step(about, certificate),
            names_step(about, identity, organization.domain_names),
        ),
        is_stored,
    )


def _usages(certificate: x509.Certificate) -> list[str]:
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return []
    return [_USAGES.get(usage) or usage.dotted_string for usage in usages]
