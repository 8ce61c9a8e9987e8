"""What an administrator should know about an organization that is valid: settings that do nothing, or not yet."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from posthouse.organization.connectors import InboundConnector, OutboundConnector
from posthouse.organization.model import Organization

NOT_ACTED_ON: dict[type, tuple[str, ...]] = {
    InboundConnector: (
        "associated_accepted_domains",
        "treat_messages_as_internal",
        "ef_skip_last_ip",
        "ef_skip_ips",
    ),
    OutboundConnector: (
        "mta_sts_mode",
        "smtp_dane_mode",
        "sender_rewriting_enabled",
        "test_mode",
    ),
}
"""Fields that are read, kept and written back, and change nothing in this version."""


def notices(organization: Organization) -> tuple[str, ...]:
    """One line each, naming the item and its key."""
    used = {name for connector in organization.outbound for name in connector.credential}
    if organization.tenant:
        used.add(organization.tenant.credential)
    return (
        *(line for connector in organization.inbound for line in _inbound(connector)),
        *(line for connector in organization.outbound for line in _outbound(connector)),
        *(
            f'credential "{credential.name}" signs in nowhere; name it in the credential of an outbound connector'
            for credential in organization.credentials
            if credential.name not in used
        ),
    )


def _inbound(connector: InboundConnector) -> Iterator[str]:
    label = f'inbound_connector "{connector.name}"'
    yield from _not_acted_on(label, connector)
    if not (connector.sender_ip_addresses or connector.tls_sender_certificate_name or connector.sender_credentials):
        yield (
            f"{label}: it matches nobody; set sender_ip_addresses, tls_sender_certificate_name or sender_credentials"
        )


def _outbound(connector: OutboundConnector) -> Iterator[str]:
    label = f'outbound_connector "{connector.name}"'
    yield from _not_acted_on(label, connector)
    if not connector.recipient_domains and not connector.all_accepted_domains:
        yield f"{label}: it carries nothing; set recipient_domains or all_accepted_domains"


def _not_acted_on(label: str, item: InboundConnector | OutboundConnector) -> Iterator[str]:
    for field in dataclasses.fields(item):
        if field.name in NOT_ACTED_ON[type(item)] and getattr(item, field.name) != field.default:
            yield f"{label}: {field.name} is kept but not acted on yet"
