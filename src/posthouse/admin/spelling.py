"""How a connector is spelled where an administrator sees it: `sender_ip_addresses` is SenderIPAddresses."""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
from typing import Any

from posthouse.organization import AcceptedDomain, Credential, InboundConnector, OutboundConnector, network_text

_WORDS = {"ef": "EF", "ip": "IP", "ips": "IPs", "mx": "MX"}
_SECRET = {"password_hash", "secret"}


def cmdlet_spelling(field: str) -> str:
    """The name of a field as the cmdlets of Exchange Online spell it."""
    return "".join(_WORDS.get(word, word.capitalize()) for word in field.split("_"))


def to_json(item: AcceptedDomain | InboundConnector | OutboundConnector | Credential) -> dict[str, Any]:
    """All that an item of the organization says, in the cmdlet's spelling. Secrets and their names are left out."""
    return _spelled(item)


def _spelled(item: Any) -> dict[str, Any]:
    fields = (field.name for field in dataclasses.fields(item) if field.name not in _SECRET)
    return {cmdlet_spelling(name): _plain(getattr(item, name)) for name in fields}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return network_text(value)
    return _spelled(value) if dataclasses.is_dataclass(value) else value
