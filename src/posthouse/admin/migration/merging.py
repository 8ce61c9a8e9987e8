"""An understood organization put into the one that is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from posthouse.admin.references import Document

_LISTS = ("accepted_domain", "inbound_connector", "outbound_connector", "credential")


def merged(before: Mapping[str, Any], understood: Mapping[str, Any], *, replace: bool) -> Document:
    """What `understood` names is set, a key that is None there gets its default, and the rest stays.

    With `replace` the lists that it has, of connectors or domains, become just what it says.
    """
    document: Document = {**before}
    for key, value in understood.items():
        if key in _LISTS:
            document[key] = _items([] if replace else before.get(key, ()), value)
        elif isinstance(value, Mapping):
            document[key] = {**before.get(key, {}), **value}
        else:
            document[key] = value
    return document


def _items(before: Any, understood: Any) -> list[Document]:
    items: dict[str, Document] = {item["name"].casefold(): dict(item) for item in before}
    for item in understood:
        known = items.get(item["name"].casefold(), {})
        together = {**known, **item, "name": known.get("name", item["name"])}
        items[item["name"].casefold()] = {key: value for key, value in together.items() if value is not None}
    return list(items.values())
