"""Routing: which outbound connector takes a recipient (docs/flow.md 8)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from posthouse.mail.address import parse_address
from posthouse.organization.index import Exit
from posthouse.organization.model import Organization, OutboundConnector


@dataclass(frozen=True, eq=False)
class Route:
    """The way that one recipient goes; without a connector there is none."""

    organization: Organization
    forward_path: str
    exit: Exit | None

    @property
    def connector(self) -> OutboundConnector | None:
        return self.exit.connector if self.exit else None

    @cached_property
    def has_mailbox(self) -> bool:
        """False where a `mailbox` connector's Mailboxes don't list the recipient."""
        return self.exit is None or self.exit.holds(str(parse_address(self.forward_path)).lower())

    @cached_property
    def reason(self) -> str:
        """A sentence: why this way, or why there is none."""
        return _reason(self)


def route(organization: Organization, forward_path: str) -> Route:
    """The enabled connector that names the recipient's domain most closely.

    Its domain itself, then AllAcceptedDomains, then `*.` over most labels, then `*`; among equals the first by Name.
    """
    known = organization.routes
    return known.get(forward_path) or known.remember(forward_path, _route(organization, forward_path))


def _route(organization: Organization, forward_path: str) -> Route:
    domain = parse_address(forward_path).domain
    return Route(organization, forward_path, organization.outbound_index.table.find(domain))


def _reason(route: Route) -> str:
    connector = route.connector
    domain = parse_address(route.forward_path).domain
    if connector is None:
        return f"no enabled outbound connector has {domain} in its RecipientDomains, and none is for all domains"
    if domain in connector.recipient_domains:
        why = f"{domain} is in its RecipientDomains"
    elif connector.all_accepted_domains and domain in route.organization.domain_names:
        why = f"{domain} is an accepted domain, and it is for AllAcceptedDomains"
    else:
        why = f"of all RecipientDomains its own name {domain} most closely"
    return f"{connector.name}: {why}"
