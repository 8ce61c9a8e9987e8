"""The organization in force: one immutable snapshot, with the look-ups compiled from it on first use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from posthouse.organization.connectors import (
    AcceptedDomain,
    Credential,
    InboundConnector,
    OutboundConnector,
    TenantConnection,
)
from posthouse.organization.index import InboundIndex, OutboundIndex
from posthouse.organization.memo import Memo
from posthouse.organization.rewriting import Rewriter

if TYPE_CHECKING:
    from posthouse.organization.attribution import Candidates, Peer
    from posthouse.organization.routing import Route

REMEMBERED = 1024
"""Clients, and forward-paths, whose look-ups a snapshot keeps."""


@dataclass(frozen=True, slots=True)
class DeliveryOverrides:
    """`[delivery]` values set in the organization, in seconds. None: the node's own."""

    retry_after: tuple[float, ...] | None = None
    warn_after: float | None = None
    give_up_after: float | None = None


@dataclass(frozen=True, slots=True)
class LimitOverrides:
    """`[limits]` values set in the organization, in bytes, seconds and counts; 0 is no limit. None: the node's own."""

    message_size: int | None = None
    recipients: int | None = None
    sessions: int | None = None
    sessions_per_client: int | None = None
    min_free: int | None = None
    trace_keep: float | None = None


@dataclass(frozen=True)
class Organization:
    """Has no slots, because the compiled look-ups are kept with it. `trusted_roots` are PEM texts."""

    accepted_domains: tuple[AcceptedDomain, ...] = ()
    inbound: tuple[InboundConnector, ...] = ()
    outbound: tuple[OutboundConnector, ...] = ()
    credentials: tuple[Credential, ...] = ()
    reject_direct_send: bool = False
    postmaster_address: str = ""
    trusted_roots: tuple[str, ...] = ()
    tenant: TenantConnection | None = None
    delivery: DeliveryOverrides = DeliveryOverrides()
    limits: LimitOverrides = LimitOverrides()

    @cached_property
    def domain_names(self) -> frozenset[str]:
        """The names of the accepted domains."""
        return frozenset(domain.name for domain in self.accepted_domains)

    @cached_property
    def inbound_index(self) -> InboundIndex:
        return InboundIndex(self.domain_names, self.inbound)

    @cached_property
    def outbound_index(self) -> OutboundIndex:
        return OutboundIndex(self.domain_names, self.outbound)

    @cached_property
    def candidates_by_peer(self) -> Memo[Peer, Candidates]:
        """What `candidates` has found so far."""
        return Memo(REMEMBERED)

    @cached_property
    def routes(self) -> Memo[str, Route]:
        """What `route` has found so far, by forward-path."""
        return Memo(REMEMBERED)

    @cached_property
    def rewriters(self) -> Mapping[str, Rewriter]:
        """Of the inbound connectors that give senders another address, by Name."""
        return {one.name: Rewriter(one.rewrite_from) for one in self.inbound if one.rewrite_from}

    def credentials_of(self, connector: OutboundConnector) -> tuple[Credential, ...]:
        """Those that a connector names, in its order."""
        by_name = {credential.name: credential for credential in self.credentials}
        return tuple(by_name[name] for name in connector.credential)

    @property
    def has_logins(self) -> bool:
        """Whether any enabled connector can be proven by a login, so that offering AUTH has a point."""
        return bool(self.inbound_index.logins)

    def password_hash(self, user: str) -> str | None:
        """The argon2id hash that a login's password is checked against; None for an unknown user."""
        login = self.inbound_index.logins.get(user.casefold())
        return login.credential.password_hash if login else None
