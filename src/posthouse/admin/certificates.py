"""The certificates with keys that connectors and credentials of the organization have."""

from __future__ import annotations

from posthouse.net.certificates import CertificateError, Identity, load_pfx
from posthouse.organization import Organization
from posthouse.spool import Secrets, SpoolError, Store


def stored_identities(store: Store, organization: Organization) -> dict[str, Identity]:
    """By thumbprint, in the organization's order. What can't be read is left out: doctor says why. Blocking."""
    secrets = Secrets(store)
    held = (
        *(each.client_certificate for each in organization.outbound),
        *(c.certificate for c in organization.credentials),
    )
    found: dict[str, Identity] = {}
    for reference in filter(None, held):
        try:
            found[reference.thumbprint] = load_pfx(secrets.get(reference.secret))
        except (CertificateError, SpoolError, KeyError):
            continue
    return found
