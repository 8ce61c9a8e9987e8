"""What else in the organization speaks of an accepted domain: to know before one is removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from posthouse.organization import InboundConnector, Organization, OutboundConnector

_INBOUND = ("associated_accepted_domains", "sender_domains", "tls_sender_certificate_name")
_OUTBOUND = ("recipient_domains", "mailboxes")


@dataclass(frozen=True, slots=True)
class Mention:
    """`direction` is inbound, outbound, or empty for a setting of the organization itself. `blocks`: as long as this
    stands the domain can't be removed."""

    direction: str
    name: str
    key: str
    value: str
    blocks: bool = False


def mentions(organization: Organization, domain: str) -> Iterator[Mention]:
    """Those of the connectors first."""
    for inbound in organization.inbound:
        for key in _INBOUND:
            blocks = key == "associated_accepted_domains"
            yield from (Mention("inbound", inbound.name, key, v, blocks) for v in _speaking_of(domain, inbound, key))
    for outbound in organization.outbound:
        for key in _OUTBOUND:
            yield from (Mention("outbound", outbound.name, key, v) for v in _speaking_of(domain, outbound, key))
    if _is_of(organization.postmaster_address, domain):
        yield Mention("", "", "postmaster_address", organization.postmaster_address)


def _speaking_of(domain: str, connector: InboundConnector | OutboundConnector, key: str) -> list[str]:
    value: str | tuple[str, ...] = getattr(connector, key)
    values = (value,) if isinstance(value, str) else value
    is_certificate = key == "tls_sender_certificate_name"
    return [each for each in values if _is_of(each, domain) or (is_certificate and each.endswith(f".{domain}"))]


def _is_of(value: str, domain: str) -> bool:
    return value.rpartition("@")[2].removeprefix("*.").lower() == domain
