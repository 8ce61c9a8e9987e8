"""What a client certificate was found to be, and which names match it. The finding is net's work, the judging ours."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass


class ValidationStatus(enum.StrEnum):
    """The status words of the 5.7.64 reply, as Exchange Online writes them."""

    VALID = "Valid"
    EMPTY_CERTIFICATE = "EmptyCertificate"
    EXPIRED = "Expired"
    NOT_YET_VALID = "NotYetValid"
    SELF_SIGNED = "SelfSigned"
    UNKNOWN_ISSUER = "UnknownIssuer"
    NAME_MISMATCH = "NameMismatch"
    INVALID_USAGE = "InvalidUsage"
    INVALID = "Invalid"


@dataclass(frozen=True, slots=True)
class CertificateVerdict:
    """The verified leaf: `names` are its SAN dNSNames, else its CN; `subject` is what people call it by.

    `NAME_MISMATCH` is never a verdict of the chain: it is said where no connector's name matches a valid certificate.
    """

    status: ValidationStatus
    names: tuple[str, ...] = ()
    subject: str = ""

    @property
    def is_valid(self) -> bool:
        return self.status is ValidationStatus.VALID


def patterns_of(name: str) -> tuple[str, ...]:
    """The TlsSenderCertificateName values that match a certificate's name: itself, and `*.` over its parent.

    A certificate for `*.contoso.com` is its own wildcard, and one label below `contoso.com` gives the same.
    """
    name = name.lower().rstrip(".")
    _, dot, parent = name.partition(".")
    wildcard = f"*.{parent}"
    return (name, wildcard) if dot and wildcard != name else (name,)


def name_matches(pattern: str, name: str) -> bool:
    """`*.d` matches the name `*.d` and names one label below `d`; without `*`, only itself."""
    return pattern.lower() in patterns_of(name)


def is_named(names: Iterable[str], expected: str) -> bool:
    """Whether a certificate with these names is for `expected`, which may be a wildcard itself (TlsDomain).

    A wildcard covers exactly one label (RFC 6125 6.4.3), on whichever side it stands.
    """
    return any(name_matches(name, expected) or name_matches(expected, name) for name in names)
