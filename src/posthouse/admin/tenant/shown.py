"""A tenant and a plan for it as programs are shown them, whichever face they ask by."""

from __future__ import annotations

from typing import Any

from posthouse.admin.tenant.acts import Done
from posthouse.admin.tenant.facts import TenantConnector, TenantState
from posthouse.admin.tenant.plan import Item, Plan
from posthouse.organization import network_text


def shown_state(state: TenantState) -> dict[str, Any]:
    """As the cmdlets spell it."""
    return {
        "AcceptedDomains": sorted(state.accepted_domains),
        "RejectDirectSend": state.reject_direct_send,
        "InboundConnectors": list(map(_connector, state.connectors)),
        "OutboundConnectors": list(state.outbound),
    }


def shown_plan(plan: Plan) -> dict[str, Any]:
    return {"informed": plan.is_informed, "items": list(map(_item, plan.items))}


def shown_done(done: Done) -> dict[str, Any]:
    return {**_item(done.item), "warnings": list(done.warnings)}


def _connector(connector: TenantConnector) -> dict[str, Any]:
    return {
        "Name": connector.name,
        "Enabled": connector.enabled,
        "ConnectorType": "OnPremises" if connector.is_on_premises else "Partner",
        "SenderIPAddresses": list(map(network_text, connector.sender_ip_addresses)),
        "TlsSenderCertificateName": connector.tls_sender_certificate_name,
        "SenderDomains": list(connector.sender_domains),
        "Comment": connector.comment,
    }


def _item(item: Item) -> dict[str, Any]:
    parameters = {key: list(value) if isinstance(value, tuple) else value for key, value in item.parameters.items()}
    return {
        "act": item.act.value,
        "about": item.about,
        "why": item.why,
        "cmdlet": item.cmdlet,
        "parameters": parameters,
    }
