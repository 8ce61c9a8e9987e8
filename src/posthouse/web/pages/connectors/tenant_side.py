"""What a tenant needs, so that it takes mail by an outbound connector that isn't stored yet."""

from __future__ import annotations

from posthouse.admin import AdminError
from posthouse.admin.tenant import plan_script
from posthouse.admin.tenant.plan import Terms, make_plan
from posthouse.admin.tenant.ways import read_addresses, ways_of
from posthouse.net.certificates import Identity
from posthouse.organization import Organization, OutboundConnector, TlsSettings
from posthouse.organization.connectors import ClientCertificateRef
from posthouse.web.pages.connectors.outbound_draft import OutboundDraft


def tenant_side(
    draft: OutboundDraft, organization: Organization, identity: Identity | None, hostname: str
) -> str | None:
    """A script for Exchange Online PowerShell; empty as long as nothing is known that proves whose mail it is. None
    where mail goes elsewhere, or somebody signs in."""
    if not draft.is_smtp or draft.credential:
        return None
    connector = OutboundConnector(
        draft.name,
        smart_hosts=draft.smart_hosts,
        source_address=draft.source_address,
        tls_settings=TlsSettings(draft.tls_settings),
        client_certificate=ClientCertificateRef("", identity.thumbprint) if identity else None,
    )
    alone = Organization(organization.accepted_domains, outbound=(connector,))
    try:
        addresses = read_addresses([draft.public_ip] if draft.public_ip else [])
    except AdminError:
        addresses = ()
    ways = ways_of(alone, lambda _: _there(identity), names=(), addresses=addresses)
    if not ways:
        return None
    plan = make_plan(alone, ways, None, Terms(hostname))
    return plan_script(plan) if plan.steps else ""


def _there(identity: Identity | None) -> Identity:
    if identity is None:
        raise KeyError("it is not there any more")
    return identity
