"""Certificates that clients come with, and what is found of each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import trustme
from cryptography.x509.oid import ExtendedKeyUsageOID

from net.tls_peers import identity_of, issue, leaf_of
from posthouse.net.certificates import Identity, self_signed
from posthouse.organization.certificate import ValidationStatus

NOW = datetime.now(UTC)
DAY = timedelta(days=1)

Issuer = Callable[[trustme.CA, trustme.CA], Identity | None]
CLIENTS: dict[str, tuple[Issuer, ValidationStatus]] = {
    "none": (lambda own, other: None, ValidationStatus.EMPTY_CERTIFICATE),
    "valid": (lambda own, other: identity_of(own.issue_cert("a.test")), ValidationStatus.VALID),
    "wildcard": (lambda own, other: identity_of(own.issue_cert("*.contoso.test")), ValidationStatus.VALID),
    "intermediate": (
        lambda own, other: identity_of(own.create_child_ca().create_child_ca().issue_cert("a.test")),
        ValidationStatus.VALID,
    ),
    "missing intermediate": (
        lambda own, other: leaf_of(own.create_child_ca().issue_cert("a.test")),
        ValidationStatus.UNKNOWN_ISSUER,
    ),
    "unknown issuer": (lambda own, other: identity_of(other.issue_cert("a.test")), ValidationStatus.UNKNOWN_ISSUER),
    "self-signed": (lambda own, other: self_signed("a.test"), ValidationStatus.SELF_SIGNED),
    "serverAuth only": (
        lambda own, other: issue(own, names=["a.test"], usages=[ExtendedKeyUsageOID.SERVER_AUTH]),
        ValidationStatus.VALID,
    ),
    "other usage": (
        lambda own, other: issue(own, names=["a.test"], usages=[ExtendedKeyUsageOID.EMAIL_PROTECTION]),
        ValidationStatus.INVALID_USAGE,
    ),
    "expired": (
        lambda own, other: identity_of(own.issue_cert("a.test", not_before=NOW - 2 * DAY, not_after=NOW - DAY)),
        ValidationStatus.EXPIRED,
    ),
    "not yet valid": (
        lambda own, other: identity_of(own.issue_cert("a.test", not_before=NOW + DAY, not_after=NOW + 2 * DAY)),
        ValidationStatus.NOT_YET_VALID,
    ),
    "unreadable": (lambda own, other: issue(own, san=b"\x04\x03abc"), ValidationStatus.INVALID),
}
