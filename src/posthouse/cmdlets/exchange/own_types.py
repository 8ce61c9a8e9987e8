"""The types of the parameters that Exchange doesn't have."""

from __future__ import annotations

from posthouse.cmdlets.conversion import ConversionError, PSType, enumeration
from posthouse.cmdlets.exchange.types import to_count
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import Hashtable, Value, items
from posthouse.organization import Priority, TransportKind

TRANSPORT = enumeration("Posthouse.TransportKind", *TransportKind)
PRIORITY = enumeration("Posthouse.Priority", *Priority)

_LIMITS = {
    "messagesperminute": "messages_per_minute",
    "recipientsperday": "recipients_per_day",
    "connections": "connections",
}


def _to_logins(value: Value) -> list[dict[str, str]]:
    """A user by itself keeps the password that is stored."""
    return [_login(part) for part in items(value) if part is not None]


def _login(value: Value) -> dict[str, str]:
    if not isinstance(value, Hashtable):
        return {"user": to_text(value)}
    login = {to_text(key).lower(): to_text(part) for key, part in value.items()}
    if "user" not in login or not login.keys() <= {"user", "password"}:
        raise ConversionError("A login is a user's name, or a hashtable with the keys User and Password.")
    return login


def _to_throttle(value: Value) -> dict[str, int] | None:
    if value is None:
        return None
    limits = (
        {to_text(key).lower(): part for key, part in value.items()} if isinstance(value, Hashtable) else {"": value}
    )
    if not limits.keys() <= _LIMITS.keys():
        raise ConversionError("It is a hashtable with the keys MessagesPerMinute, RecipientsPerDay and Connections.")
    return {_LIMITS[key]: limit for key, part in limits.items() if (limit := to_count(part))}


LOGINS = PSType("Posthouse.SenderCredential[]", _to_logins)
THROTTLE = PSType("Posthouse.Throttle", _to_throttle)
REWRITE_FROM = "Ours: the address that senders get, or SENDER=ADDRESS, where SENDER is an address or @domain."
