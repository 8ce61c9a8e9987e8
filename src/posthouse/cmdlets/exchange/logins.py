"""Logins of devices, as a parameter takes them."""

from __future__ import annotations

from posthouse.cmdlets.conversion import ConversionError, PSType
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import Hashtable, Value, items


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


LOGINS = PSType("Posthouse.SenderCredential[]", _to_logins)
