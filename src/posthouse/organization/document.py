"""The organization as a document: what `posthouse apply` reads and `export` writes (docs/reference.md)."""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from posthouse.organization import rules
from posthouse.organization.connectors import Network, Rewriting, TransportKind
from posthouse.organization.fields import Invalid, read_keys, shown
from posthouse.organization.model import Organization
from posthouse.organization.schema import ITEMS, SETTINGS

Document = dict[str, Any]

_CHECKS: Mapping[str, Callable[[Any], Iterator[str]]] = {
    "inbound_connector": rules.check_inbound,
    "outbound_connector": rules.check_outbound,
    "credential": rules.check_credential,
}
_FIELDS = {
    "accepted_domain": "accepted_domains",
    "inbound_connector": "inbound",
    "outbound_connector": "outbound",
    "credential": "credentials",
}
_ALWAYS_WRITTEN = {"type", "connector_type", "sender_domains"}
_DURATION_UNITS = {"d": 86400, "h": 3600, "m": 60}
_SIZE_UNITS = {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10}
_DURATIONS = {"retry_after", "warn_after", "give_up_after", "trace_keep"}
_SIZES = {"message_size", "min_free"}


class OrganizationError(ValueError):
    """A document that can't be an organization. Each of `problems` is a line: the item, its key, what is allowed."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def from_document(document: Mapping[str, Any]) -> Organization:
    """The organization that a document describes. Raises `OrganizationError` with all its problems."""
    values, problems = read_keys(document, SETTINGS, elsewhere=ITEMS)
    for key, field in _FIELDS.items():
        values[field], item_problems = _read_items(key, document.get(key, []))
        problems += item_problems
    if not problems:
        organization = Organization(**values)
        problems = list(rules.check_organization(organization))
        if not problems:
            return organization
    raise OrganizationError(*problems)


def to_document(organization: Organization) -> Document:
    """The document that `from_document` reads back as the same organization, most defaults left out."""
    document = _written_keys(organization)
    return {
        **{key: value for key, value in document.items() if key not in _FIELDS.values()},
        **{key: document[field] for key, field in _FIELDS.items() if field in document},
    }


def _read_items(key: str, items: object) -> tuple[tuple[Any, ...], list[str]]:
    if not isinstance(items, list | tuple):
        return (), [f"{key}: {shown(items)} is not a list of tables; write [[{key}]] above each"]
    found: list[Any] = []
    problems: list[str] = []
    names: set[str] = set()
    for number, item in enumerate(cast("list[object]", items), 1):
        label = _label(key, number, item)
        try:
            value = _read_item(key, item)
        except Invalid as invalid:
            problems += (f"{label}: {text}" for text in invalid.texts)
            continue
        if value.name.casefold() in names:
            problems.append(f"{label}: name: another {key} has this name, whatever its case; rename one")
        names.add(value.name.casefold())
        found.append(value)
    return tuple(found), problems


def _label(key: str, number: int, item: object) -> str:
    name = cast("Mapping[str, object]", item).get("name") if isinstance(item, Mapping) else None
    return f"{key} {shown(name)}" if isinstance(name, str) and name else f"{key} {number}"


def _read_item(key: str, item: object) -> Any:
    value = ITEMS[key](_with_destination(item) if key == "outbound_connector" else item)
    if key in _CHECKS and (texts := list(_CHECKS[key](value))):
        raise Invalid(*texts)
    return value


def _with_destination(item: object) -> object:
    """UseMXRecord is true by default, as in Exchange, where nothing else says where the mail goes."""
    if not isinstance(item, Mapping):
        return item
    given = cast("Mapping[str, object]", item)
    if given.get("smart_hosts") or given.get("transport", TransportKind.SMTP) != TransportKind.SMTP:
        return given
    return {"use_mx_record": True, **given}


def _written_keys(value: Any) -> Document:
    """The fields of a dataclass that don't have their default, and those that one wants to see anyway."""
    return {
        field.name: _written(field.name, found)
        for field in dataclasses.fields(value)
        if (found := getattr(value, field.name)) != field.default or field.name in _ALWAYS_WRITTEN
    }


def _written(key: str, value: Any) -> Any:
    if isinstance(value, tuple):
        return [_written(key, item) for item in cast("tuple[object, ...]", value)]
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return network_text(value)
    if isinstance(value, Rewriting):
        return str(value)
    if dataclasses.is_dataclass(value):
        return _written_keys(value)
    if key in _DURATIONS:
        return _duration_text(value)
    return _size_text(value) if key in _SIZES else value


def network_text(network: Network) -> str:
    """A network of one is written as its address."""
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)


def _duration_text(seconds: float) -> str:
    for unit, length in _DURATION_UNITS.items():
        if seconds and seconds % length == 0:
            return f"{seconds / length:.0f}{unit}"
    return f"{seconds:f}".rstrip("0").rstrip(".") + "s"


def _size_text(size: int) -> str | int:
    for unit, length in _SIZE_UNITS.items():
        if size and size % length == 0:
            return f"{size // length} {unit}"
    return size
