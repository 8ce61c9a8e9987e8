"""Connectors, accepted domains and credentials, one at a time: each act is a change of the whole organization
(`Administration`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from posthouse.admin.administration import Administration, Applied, Edit
from posthouse.admin.errors import AdminError, NotFound
from posthouse.admin.presets import expanded
from posthouse.admin.references import Document
from posthouse.admin.roles import change_of
from posthouse.admin.spelling import cmdlet_spelling

ItemKind = Literal["accepted_domain", "inbound_connector", "outbound_connector", "credential"]


class Items:
    """All items of one kind. Values are as in an organization file; None takes a key away, so that its default holds.

    References to files are relative to `folder`. `approve` sees the organization that a change is made from, and raises
    `AdminError` where it should not be made.
    """

    def __init__(
        self,
        administration: Administration,
        kind: ItemKind,
        folder: Path,
        approve: Callable[[Document], None] = lambda _: None,
    ) -> None:
        self._administration = administration
        self._kind: ItemKind = kind
        self._folder = folder
        self._approve = approve

    def new(self, name: str, values: Mapping[str, Any]) -> Applied:
        def edit(document: Document) -> Document:
            return {**document, self._kind: [*document.get(self._kind, ()), self._merged({"name": name}, values)]}

        return self._changed("New", name, edit)

    def set(self, name: str, values: Mapping[str, Any]) -> Applied:
        def edit(document: Document) -> Document:
            found = self._found(document, name)
            items = [self._merged(item, values) if item is found else item for item in document[self._kind]]
            return {**document, self._kind: items}

        return self._changed("Set", name, edit)

    def remove(self, name: str) -> Applied:
        def edit(document: Document) -> Document:
            found = self._found(document, name)
            if self._kind == "credential":
                _require_unused(found["name"], document.get("outbound_connector", ()))
            return {**document, self._kind: [item for item in document[self._kind] if item is not found]}

        return self._changed("Remove", name, edit)

    def _changed(self, verb: str, name: str, edit: Edit) -> Applied:
        def approved(document: Document) -> Document:
            self._approve(document)
            return edit(document)

        act = change_of(verb, cmdlet_spelling(self._kind))
        return self._administration.change(approved, self._folder, act=act, target=name)

    def _merged(self, item: Mapping[str, Any], values: Mapping[str, Any]) -> Document:
        return _merged(item, expanded(values, item) if self._kind == "outbound_connector" else values)

    def _found(self, document: Document, name: str) -> Document:
        items: list[Document] = document.get(self._kind, [])
        found = next((item for item in items if item["name"].casefold() == name.casefold()), None)
        if found is None:
            names = ", ".join(item["name"] for item in items) or "none"
            raise NotFound(f'there is no {self._kind.replace("_", " ")} "{name}"; there are: {names}')
        return found


def _require_unused(credential: str, connectors: Iterable[Document]) -> None:
    users = [f'"{each["name"]}"' for each in connectors if credential in each.get("credential", ())]
    if users:
        raise AdminError(f'the credential "{credential}" is named by {", ".join(users)}; take it out there first')


def _merged(item: Mapping[str, Any], values: Mapping[str, Any]) -> Document:
    merged = dict(item)
    for key, value in values.items():
        if isinstance(value, Mapping) and key == "throttle":
            value = _merged(merged.get(key, {}), value)
        merged[key] = value
    return {key: value for key, value in merged.items() if value is not None}
