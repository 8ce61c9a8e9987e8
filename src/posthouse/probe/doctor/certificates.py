"""A certificate of our own: until when it is good, is its chain whole, whom and what is it for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto

from posthouse.net.certificates import Identity
from posthouse.net.verification import Purpose, Verifier
from posthouse.organization.certificate import ValidationStatus, patterns_of
from posthouse.organization.domains import ancestry
from posthouse.probe.doctor.step import About, Step

SOON = timedelta(days=30)


def certificate_steps(about: About, identity: Identity, verifier: Verifier, *, chain_matters: bool) -> Iterator[Step]:
    """Dates and chain; that the key fits was checked when it was read. A bad chain may matter to nobody: a warning."""
    yield expiry_step(about, f"its certificate {identity.subject}", identity.certificate)
    for link in identity.chain:
        if (step := expiry_step(about, f"the intermediate {link.subject.rfc4514_string()}", link)).remedy:
            yield step
    yield _chain_step(about, identity, verifier, matters=chain_matters)


def expiry_step(about: About, whose: str, certificate: x509.Certificate) -> Step:
    now, until = datetime.now(UTC), certificate.not_valid_after_utc
    if until < now:
        return about.failed(f"{whose} has expired on {until:%Y-%m-%d}", "renew it")
    if certificate.not_valid_before_utc > now:
        return about.failed(
            f"{whose} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
            "wait, or look at this machine's clock",
        )
    if until < now + SOON:
        return about.warning(f"{whose} expires soon, on {until:%Y-%m-%d}", "renew it in time")
    return about.ok(f"{whose} is valid until {until:%Y-%m-%d}")


def _chain_step(about: About, identity: Identity, verifier: Verifier, *, matters: bool) -> Step:
    def problem(text: str, remedy: str) -> Step:
        return about.failed(text, remedy) if matters else about.warning(text, remedy)

    leaf, *chain = (crypto.X509.from_cryptography(link) for link in (identity.certificate, *identity.chain))
    match verifier.verify(leaf, chain, Purpose.CLIENT).status:
        case ValidationStatus.VALID | ValidationStatus.EXPIRED | ValidationStatus.NOT_YET_VALID:
            return about.ok(f"its chain is whole: {_chain_text(identity)}")
        case ValidationStatus.SELF_SIGNED:
            return problem("its certificate is self-signed", "get one from a public CA; Microsoft 365 takes no other")
        case ValidationStatus.UNKNOWN_ISSUER:
            return problem(*_missing_link(identity))
        case ValidationStatus.INVALID_USAGE:
            return problem("its extended key usage allows neither clients nor servers", "get a certificate for TLS")
        case status:
            return problem(f"its certificate is {status}", "get another one")


def _chain_text(identity: Identity) -> str:
    last = (identity.chain or (identity.certificate,))[-1]
    return f"{len(identity.chain)} besides the leaf, issued by {last.issuer.rfc4514_string()}"


def _missing_link(identity: Identity) -> tuple[str, str]:
    """A chain that ends in no root that is trusted: either it is not all there, or its root is nobody's."""
    last = (identity.chain or (identity.certificate,))[-1]
    issuer = last.issuer.rfc4514_string()
    if last.issuer == last.subject:
        return f"its root {issuer} is no public CA", "add it to trusted_roots; Microsoft 365 takes public CAs only"
    return (
        f"its chain is not whole: the certificate of the issuer {issuer} is missing",
        "add it to the PFX or PEM file as an intermediate; where the issuer is a root of your own, to trusted_roots",
    )


def is_by_public_ca(identity: Identity) -> bool:
    leaf, *chain = (crypto.X509.from_cryptography(link) for link in (identity.certificate, *identity.chain))
    return Verifier().verify(leaf, chain, Purpose.CLIENT).status is not ValidationStatus.UNKNOWN_ISSUER


def usage_step(about: About, certificate: x509.Certificate) -> Step:
    """Since 2026 public CAs issue no clientAuth any more; Microsoft 365 doesn't ask for it."""
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return about.ok("it has no extended key usage, so it is good for all")
    if ExtendedKeyUsageOID.CLIENT_AUTH in usages:
        return about.ok("its extended key usage has clientAuth")
    if ExtendedKeyUsageOID.SERVER_AUTH in usages:
        return about.ok(
            "its extended key usage is serverAuth without clientAuth, as public CAs issue it since 2026; fine"
        )
    return about.failed("its extended key usage has neither clientAuth nor serverAuth", "get a certificate for TLS")


def names_step(about: About, identity: Identity, domains: frozenset[str]) -> Step:
    """A certificate proves a tenant by a name in one of its accepted domains (TlsSenderCertificateName)."""
    patterns = dict.fromkeys(pattern for name in identity.names for pattern in patterns_of(name))
    own = [pattern for pattern in patterns if not domains.isdisjoint(ancestry(pattern.removeprefix("*.")))]
    if own:
        return about.ok(f"TlsSenderCertificateName in the tenant may be {' or '.join(own)}")
    return about.warning(
        f"its names ({', '.join(identity.names) or 'none'}) are in none of the accepted domains",
        "get one for a name in them like relay.contoso.com; with this one only mail from accepted domains is relayed",
    )
