"""What a change of the organization changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from posthouse.admin.references import certificate_names, written

_LISTS = ("accepted_domain", "inbound_connector", "outbound_connector", "credential")


@dataclass(frozen=True, slots=True)
class Change:
    """One key that differs. `item` is like `accepted_domain "contoso.com"`, or empty for the organization's own keys.

    An item that comes or goes is one change, without key and values. None in `before` or `after`: nothing is set.
    """

    act: Literal["add", "change", "remove"]
    item: str
    key: str = ""
    before: Any = None
    after: Any = None


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """The changes between two stored documents, without their secrets."""
    shown_before, shown_after = _shown(before), _shown(after)
    changes = list(_changed_keys("", *map(_settings, (before, after, shown_before, shown_after))))
    for kind in _LISTS:
        old, new = _by_name(before, kind), _by_name(after, kind)
        shown_old, shown_new = _by_name(shown_before, kind), _by_name(shown_after, kind)
        changes += (Change("remove", _label(kind, name)) for name in old if name not in new)
        changes += (Change("add", _label(kind, name)) for name in new if name not in old)
        if list(old) != list(new) and old.keys() == new.keys():
            changes.append(Change("change", "", kind, list(old), list(new)))
        for name in new:
            if name in old:
                changes += _changed_keys(_label(kind, name), old[name], new[name], shown_old[name], shown_new[name])
    return tuple(changes)


def shown_items(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """All items of a stored document as a file shows them, without their secrets, by `Change.item`."""
    shown = _shown(document)
    return {_label(kind, name): item for kind in _LISTS for name, item in _by_name(shown, kind).items()}


def _changed_keys(
    item: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    shown_before: Mapping[str, Any],
    shown_after: Mapping[str, Any],
) -> Iterator[Change]:
    """Compares the values, tells them as they are shown."""
    for key in dict.fromkeys([*before, *after]):
        if before.get(key) != after.get(key):
            yield Change("change", item, key, shown_before.get(key), shown_after.get(key))


def _shown(document: Mapping[str, Any]) -> dict[str, Any]:
    """As a file shows it, but with the name of a root rather than its PEM text."""
    shown = written(document)
    if roots := shown.get("trusted_roots"):
        shown["trusted_roots"] = [name for root in roots for name in certificate_names(root)]
    return shown


def _settings(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in _LISTS}


def _by_name(document: Mapping[str, Any], kind: str) -> dict[str, Mapping[str, Any]]:
    return {item["name"]: item for item in document.get(kind, ())}


def _label(kind: str, name: str) -> str:
    return f'{kind} "{name}"'
