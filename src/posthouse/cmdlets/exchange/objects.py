"""Connectors and accepted domains as the objects that cmdlets give out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from posthouse.admin import Administration, to_json
from posthouse.cmdlets.exchange.changes import Kind, not_found
from posthouse.cmdlets.interface import Context
from posthouse.cmdlets.values import Hashtable, PSObject, Value
from posthouse.organization import InboundConnector, Organization, OutboundConnector


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Item = TypeVar("Item", bound=_Named)


def organization(context: Context) -> Organization:
    """Raises `AdminError`."""
    return context.service(Administration).organization()


def found(kind: Kind, items: Sequence[Item], identity: str) -> Sequence[Item]:
    """Those that `identity` means, or all where it is empty. Raises `NotFound`."""
    meant = [item for item in items if not identity or kind.is_meant(identity, item.name)]
    if identity and not meant:
        raise not_found(identity, (item.name for item in items))
    return meant


def connector_object(type_name: str, kind: Kind, connector: InboundConnector | OutboundConnector) -> PSObject:
    """What a connector says, and who it is at the end, as Exchange shows it."""
    fields = {name: _shown(name, value) for name, value in to_json(connector).items() if name != "Name"}
    fields["RewriteFrom"] = [str(rewriting) for rewriting in connector.rewrite_from]
    return PSObject.of(type_name, {**fields, **identified(kind, connector.name)}, connector.name)


def identified(kind: Kind, name: str) -> dict[str, Value]:
    return {"Name": name, "Identity": name, "Guid": kind.guid(name), "IsValid": True}


def _shown(name: str, value: Any) -> Value:
    if name == "SenderDomains":
        return [f"smtp:{domain};1" for domain in value]
    if name == "SenderCredentials":
        return [login["User"] for login in value]
    if name == "ClientCertificate":
        return value and value["Thumbprint"]
    if name == "TlsSettings":
        return None if value == "None" else value
    return Hashtable(value) if isinstance(value, dict) else value
