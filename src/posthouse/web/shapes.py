"""Connectors as JSON in the cmdlet's spelling (New-InboundConnector, New-OutboundConnector): models for reading and for
writing, made from the values themselves, so that a field that these get is in the API, its checks and its description.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from posthouse.admin import cmdlet_spelling
from posthouse.organization import (
    AcceptedDomain,
    ClientCertificateRef,
    Credential,
    InboundConnector,
    OutboundConnector,
    SenderCredential,
    Throttle,
)

Text = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*$")]
Secret = Annotated[str, Field(min_length=1, max_length=1024, json_schema_extra={"writeOnly": True})]
Password = Annotated[str, Field(min_length=12, max_length=1024, json_schema_extra={"writeOnly": True})]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
_MOST_KEYS, _LONGEST_LIST = 100, 10_000


def plain(value: Any) -> Any:
    """As JSON has it: what it has no type for is a text."""
    return json.loads(json.dumps(value, default=str))


class Given(BaseModel):
    """What a client sends: nothing unknown, nothing converted."""

    model_config = ConfigDict(strict=True, extra="forbid", populate_by_name=False)

    @model_validator(mode="before")
    @classmethod
    def _has_few_keys(cls, given: object) -> object:
        """Each unknown one would be a mistake to tell."""
        if isinstance(given, dict) and len(given) > _MOST_KEYS:
            raise ValueError(f"it has more than {_MOST_KEYS} keys")
        return given

    def values_given(self) -> dict[str, Any]:
        """By the names of Python; what isn't given isn't there."""
        return self.model_dump(exclude_unset=True)


class GivenLogin(Given):
    """A login that devices may use. Without a password it keeps the one that it has."""

    user: Text = Field(alias="User")
    password: Secret | None = Field(None, alias="Password")


class GivenCertificate(Given):
    """A certificate with its key: a PFX, or the thumbprint of one that is stored."""

    pfx: str | None = Field(None, alias="Pfx", max_length=100_000, description="The file in Base64.")
    password: Secret | None = Field(None, alias="Password", description="The PFX's.")
    thumbprint: Text | None = Field(None, alias="Thumbprint")


class GivenThrottle(Given):
    """0 is no limit."""

    messages_per_minute: Count | None = Field(None, alias="MessagesPerMinute")
    recipients_per_day: Count | None = Field(None, alias="RecipientsPerDay")
    connections: Count | None = Field(None, alias="Connections")


class ShownLogin(BaseModel):
    User: str


class ShownCertificate(BaseModel):
    Thumbprint: str


class ShownThrottle(BaseModel):
    MessagesPerMinute: int | None
    RecipientsPerDay: int | None
    Connections: int | None


_GIVEN: Mapping[type, Any] = {
    SenderCredential: GivenLogin,
    ClientCertificateRef: GivenCertificate,
    Throttle: GivenThrottle,
    str: Text,
    int: Count,
    bool: bool,
}
_SHOWN: Mapping[type, Any] = {
    SenderCredential: ShownLogin,
    ClientCertificateRef: ShownCertificate,
    Throttle: ShownThrottle,
    str: str,
    int: int,
    bool: bool,
}
_MEANINGS = {
    "name": "1 to 64 characters; no two of a kind differ only by case.",
    "comment": "For people.",
    "enabled": "Off, it is as if it weren't there.",
    "connector_type": "`OnPremises`: your own servers and devices, which may relay. `Partner`: others.",
    "connector_source": "What made it. Changes nothing.",
    "sender_domains": "Whose mail it takes: `*`, `contoso.com` or `*.contoso.com`.",
    "sender_ip_addresses": "Addresses and networks (CIDR) that it takes mail from.",
    "restrict_domains_to_ip_addresses": "Mail from its SenderDomains is refused from anywhere else.",
    "restrict_domains_to_certificate": "Mail from its SenderDomains is refused without its certificate.",
    "require_tls": "Mail over it must come by TLS.",
    "tls_sender_certificate_name": "The name in the client certificate: `relay.contoso.com` or `*.contoso.com`.",
    "associated_accepted_domains": "Accepted domains that it belongs to.",
    "cloud_services_mail_enabled": "Keep the internal Exchange headers that come in.",
    "treat_messages_as_internal": "Mail over it counts as the organization's own.",
    "ef_skip_last_ip": "Enhanced filtering: pass over the last address.",
    "ef_skip_ips": "Enhanced filtering: pass over these addresses.",
    "sender_credentials": "Logins that devices may use. Passwords are written, never shown.",
    "rate_limit": "Messages a minute; null is no limit.",
    "rewrite_from": "Senders that get another address: `ADDRESS`, `@OLD=@NEW` or `OLD@X=NEW@Y`.",
    "priority": "Whose mail goes first where a next hop's limits make it wait.",
    "recipient_domains": "Whose mail leaves by it: `*`, `contoso.com` or `*.contoso.com`.",
    "all_accepted_domains": "All recipients in accepted domains.",
    "transport": "How: `smtp`, `graph` for Microsoft Graph, or `mailbox` for Maildirs of this relay.",
    "use_mx_record": "To the MX of the recipient's domain.",
    "smart_hosts": "To these hosts instead.",
    "port": "Of the smart hosts, or MX.",
    "source_address": "The local address to send from.",
    "tls_settings": "How far the next hop's TLS must go; `None` is opportunistic.",
    "tls_domain": "The name that the next hop's certificate must have, with `DomainValidation`.",
    "client_certificate": "Shown to the next hop. Written as a PFX, shown as its thumbprint.",
    "credential": "The credentials that sign in to the next hop; several share the mail.",
    "endpoint": "Of Microsoft Graph; national clouds have others.",
    "throttle": "What the next hop allows us.",
    "mailboxes": "The addresses that a `mailbox` connector holds; `*` makes them as mail comes.",
    "mta_sts_mode": "MTA-STS policies of the recipient's domain (RFC 8461).",
    "smtp_dane_mode": "DANE for SMTP (RFC 7672).",
    "sender_rewriting_enabled": "Rewrite the envelope sender (SRS).",
    "test_mode": "Validation mail only.",
    "type": "Where its mailboxes are.",
    "kind": "How it signs in: as a user with a `password`, or to Microsoft Entra.",
    "user": "Who signs in, or the mailbox that sends.",
    "secret": "The password, or the application's secret. Written, never shown.",
    "tenant": "Of Microsoft Entra: its domain or id.",
    "client_id": "The application's, in Microsoft Entra.",
    "certificate": "What the application signs in with instead of a secret. Written as a PFX, shown as its thumbprint.",
    "authority": "Where tokens come from; national clouds have others.",
}
_WRITTEN_ONLY = "secret"
_EXAMPLES: Mapping[str, Any] = {
    "name": "Scanners",
    "sender_ip_addresses": ["192.168.0.0/24"],
    "sender_domains": ["*"],
    "recipient_domains": ["*"],
    "smart_hosts": ["contoso-com.mail.protection.outlook.com"],
}


def _kind(hint: Any, leaves: Mapping[type, Any]) -> Any:
    """The type in JSON of a field's type in Python."""
    if get_origin(hint) in (Union, types.UnionType):
        return next(_kind(part, leaves) for part in get_args(hint) if part is not type(None)) | None
    if get_origin(hint) is tuple:
        return Annotated[list[_kind(get_args(hint)[0], leaves)], Field(max_length=_LONGEST_LIST)]
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return Literal[tuple(member.value for member in hint)]
    return leaves.get(hint, leaves[str])  # a network is a text


def _field(name: str, **more: Any) -> Any:
    examples = [_EXAMPLES[name]] if name in _EXAMPLES else None
    return Field(alias=cmdlet_spelling(name), description=_MEANINGS[name], examples=examples, **more)


def _given(model: type, title: str, *, named: bool) -> Any:
    """All optional, but the name of a new one; null is the default."""
    fields: dict[str, Any] = {}
    for name, hint in get_type_hints(model).items():
        kind: Any = Secret if name == _WRITTEN_ONLY else _kind(hint, _GIVEN)
        is_required = named and name == "name"
        fields[name] = (
            kind if is_required else kind | None,
            _field(name, **({} if is_required else {"default": None})),
        )
    return create_model(title, __base__=Given, __doc__=_about(model, "as it is written"), **fields)


def _shown(model: type, title: str) -> Any:
    """All there. For the documentation: `posthouse.admin.to_json` is what is answered."""
    fields: dict[str, Any] = {
        cmdlet_spelling(name): (_kind(hint, _SHOWN), Field(description=_MEANINGS[name]))
        for name, hint in get_type_hints(model).items()
        if name != _WRITTEN_ONLY
    }
    return create_model(title, __doc__=_about(model, "as it is"), **fields)


def _about(model: type, manner: str) -> str:
    return f"{(model.__doc__ or '').split('.')[0].replace('`', '')}: {manner}."


@dataclasses.dataclass(frozen=True, slots=True)
class Shapes:
    """One kind of item: as it is made, changed and shown."""

    new: Any
    change: Any
    shown: Any


def _shapes(model: type) -> Shapes:
    name = model.__name__
    return Shapes(
        _given(model, f"New{name}", named=True), _given(model, f"Change{name}", named=False), _shown(model, name)
    )


CREDENTIAL = _shapes(Credential)
ACCEPTED_DOMAIN = _shapes(AcceptedDomain)
INBOUND_CONNECTOR = _shapes(InboundConnector)
OUTBOUND_CONNECTOR = _shapes(OutboundConnector)
