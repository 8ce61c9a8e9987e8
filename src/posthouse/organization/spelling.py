"""The two spellings of a setting: `sender_ip_addresses` in Python and TOML, `SenderIPAddresses` in cmdlets and JSON."""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
from typing import Any, cast

from posthouse.organization.connectors import (
    AcceptedDomain,
    ClientCertificateRef,
    InboundConnector,
    OutboundConnector,
    SenderCredential,
    Throttle,
)
from posthouse.organization.document import network_text

_WORDS = {"ip": "IP", "ips": "IPs", "mx": "MX", "ef": "EF"}
_SECRET = {"password_hash", "secret"}


def _cmdlet_spelling(snake: str) -> str:
    return "".join(_WORDS.get(word, word.capitalize()) for word in snake.split("_"))


CMDLET_SPELLING: dict[str, str] = {
    field.name: _cmdlet_spelling(field.name)
    for cls in (AcceptedDomain, InboundConnector, OutboundConnector, SenderCredential, ClientCertificateRef, Throttle)
    for field in dataclasses.fields(cls)
}
"""From snake case to the cmdlet's spelling."""

SNAKE_SPELLING: dict[str, str] = {cmdlet.lower(): snake for snake, cmdlet in CMDLET_SPELLING.items()}
"""From the cmdlet's spelling in lower case, since PowerShell doesn't tell case apart, to snake case."""


def to_json(item: AcceptedDomain | InboundConnector | OutboundConnector) -> dict[str, Any]:
    """All settings in the cmdlet's spelling. Secrets, and what names them, are left out."""
    return _json_of(item)


def _json_of(item: Any) -> dict[str, Any]:
    return {
        CMDLET_SPELLING[field.name]: _json_value(getattr(item, field.name))
        for field in dataclasses.fields(item)
        if field.name not in _SECRET
    }


def _json_value(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_json_value(item) for item in cast("tuple[object, ...]", value)]
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return network_text(value)
    return _json_of(value) if dataclasses.is_dataclass(value) else value
