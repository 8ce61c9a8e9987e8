"""An inbound connector while somebody fills in its wizard.

All of it travels in the address of each step, so every step can be bookmarked, shared and gone back to, and nothing is
kept here. Passwords are asked for last and sent with the form that saves: no address, and no history, ever has one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from posthouse.organization import ConnectorType
from posthouse.organization.connectors import ANY
from posthouse.web.conditions import tag_of
from posthouse.web.pages.forms import Errors, Form
from posthouse.web.pages.texts import Texts

SERVER, DEVICE, PARTNER = "server", "device", "partner"
ADDRESSES, CERTIFICATE, LOGIN = "addresses", "certificate", "login"
_HASH_TO_COME = "$argon2id$"
"""Stands for a password that nobody has been asked for yet, so that the rest can be checked."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Fields are spelled as in the organization's file, but for `origin` (who sends), `by` (how it is known), and
    `logins`, their users. `seen` is the tag of the connector that is changed, empty for a new one."""

    origin: str = SERVER
    name: str = ""
    comment: str = ""
    enabled: bool = True
    cloud_services_mail_enabled: bool = False
    by: tuple[str, ...] = ()
    sender_ip_addresses: tuple[str, ...] = ()
    tls_sender_certificate_name: str = ""
    logins: tuple[str, ...] = ()
    sender_domains: tuple[str, ...] = (ANY,)
    require_tls: bool = False
    restrict_domains_to_ip_addresses: bool = False
    restrict_domains_to_certificate: bool = False
    treat_messages_as_internal: bool = False
    rate_limit: str = ""
    seen: str = ""

    @classmethod
    def of_document(cls, item: Mapping[str, Any]) -> Draft:
        """Of a connector as the organization's file has it."""
        known = {field.name for field in dataclasses.fields(cls)} & item.keys()
        values: dict[str, Any] = {name: _frozen(item[name]) for name in known}
        logins = tuple(login["user"] for login in item.get("sender_credentials", ()))
        proofs = ((ADDRESSES, "sender_ip_addresses"), (CERTIFICATE, "tls_sender_certificate_name"))
        by = [proof for proof, key in proofs if item.get(key)] + ([LOGIN] if logins else [])
        is_partner = item.get("connector_type") != ConnectorType.ON_PREMISES
        values["rate_limit"] = str(item.get("rate_limit", ""))
        origin = PARTNER if is_partner else DEVICE if logins else SERVER
        return cls(**{**values, "origin": origin, "by": tuple(by), "logins": logins, "seen": tag_of(item)})

    def filled_in(self, form: Form) -> Draft:
        """With what a form says; what it doesn't have stays."""
        values: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            match now := getattr(self, field.name):
                case bool():
                    values[field.name] = form.flag(field.name, default=now)
                case tuple():
                    values[field.name] = form.several(field.name, now)
                case _:
                    values[field.name] = form.text(field.name, now)
        return Draft(**values)

    def fields(self, but: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
        """As a form sends them: for an address, or to be hidden in the form of a step that asks for others."""
        for field in dataclasses.fields(self):
            if field.name not in but:
                value = getattr(self, field.name)
                yield field.name, _written(value)

    def values(self, sender_credentials: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        """For `Items`: None is the default."""
        return {
            "connector_type": (ConnectorType.PARTNER if self.origin == PARTNER else ConnectorType.ON_PREMISES).value,
            "comment": self.comment or None,
            "enabled": self.enabled,
            "cloud_services_mail_enabled": self.cloud_services_mail_enabled,
            "sender_ip_addresses": list(self.sender_ip_addresses) if ADDRESSES in self.by else None,
            "tls_sender_certificate_name": self.tls_sender_certificate_name if CERTIFICATE in self.by else None,
            "sender_credentials": [dict(each) for each in sender_credentials] or None,
            "sender_domains": list(self.sender_domains),
            "require_tls": self.require_tls,
            "restrict_domains_to_ip_addresses": self.restrict_domains_to_ip_addresses,
            "restrict_domains_to_certificate": self.restrict_domains_to_certificate,
            "treat_messages_as_internal": self.treat_messages_as_internal,
            "rate_limit": int(self.rate_limit) if self.rate_limit.isdecimal() else self.rate_limit or None,
        }

    @property
    def users(self) -> tuple[str, ...]:
        return self.logins if LOGIN in self.by else ()

    def values_to_check(self) -> dict[str, Any]:
        return self.values([{"user": user, "password_hash": _HASH_TO_COME} for user in self.users])

    def gaps(self, text: Texts) -> Errors:
        """What the organization's checks allow and nobody wants: a connector that knows no client."""
        if not self.by:
            return {"by": [text("Choose at least one way, or the connector matches nobody.")]}
        gaps: dict[str, list[str]] = {}
        if ADDRESSES in self.by and not self.sender_ip_addresses:
            gaps["sender_ip_addresses"] = [text("Add at least one address.")]
        if CERTIFICATE in self.by and not self.tls_sender_certificate_name:
            gaps["tls_sender_certificate_name"] = [text("Fill this in.")]
        if LOGIN in self.by and not self.logins:
            gaps["logins"] = [text("Name at least one login.")]
        return gaps


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _written(value: str | bool | tuple[str, ...]) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return value if isinstance(value, str) else "\n".join(value)
