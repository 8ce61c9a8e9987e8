"""Changes of the organization: each in one transaction, checked and on record, or with -WhatIf only checked.

What an identity means and what `@{Add=…}` makes of a list is decided within the transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from posthouse.admin import Act, AdminError, Administration, ItemKind, cmdlet_spelling
from posthouse.admin.errors import AlreadyThere, NotFound
from posthouse.admin.roles import change_of
from posthouse.cmdlets.exchange.types import Changes
from posthouse.cmdlets.exchange.wording import errors_of, worded
from posthouse.cmdlets.interface import Bound, Context
from posthouse.organization.fields import Invalid, Reader

Document = dict[str, Any]
Edit = Callable[[Document], Document]
Nothing = tuple[()]
"""What a cmdlet outputs that has nothing to show."""

_SOME = 10
_UNNAMED = Path()
"""Cmdlets name no files for the organization to read, so the folder for relative ones is any."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A list of the organization. `keys` are those of its items, by the parameters that set them.

    Two names with the same `folded` form are the same name.
    """

    key: ItemKind
    keys: Mapping[str, str]
    readers: Mapping[str, Reader[Any]]
    folded: Callable[[str], str] = str.casefold

    @property
    def noun(self) -> str:
        return cmdlet_spelling(self.key)

    def guid(self, name: str) -> str:
        """Made from the name: an item has no other identity."""
        return str(uuid5(NAMESPACE_URL, f"posthouse:{self.key}:{self.folded(name)}"))

    def is_meant(self, identity: str, name: str) -> bool:
        return self.folded(identity) in (self.folded(name), self.guid(name))

    def found(self, document: Mapping[str, Any], identity: str) -> Document:
        items: list[Document] = document.get(self.key, [])
        for item in items:
            if self.is_meant(identity, item["name"]):
                return item
        raise not_found(identity, (item["name"] for item in items))

    def values(self, item: Mapping[str, Any], bound: Bound) -> Document:
        """What the parameters make of an item's keys. None takes a key away, so that its default holds."""
        return {
            key: self._listed(key, item, value) if isinstance(value, Changes) else value
            for key, value in ((self.keys[name], bound[name]) for name in bound if name in self.keys)
        }

    def _listed(self, key: str, item: Mapping[str, Any], changes: Changes) -> list[str]:
        def normal(text: str) -> object:
            try:
                return self.readers[key]([text])
            except Invalid:
                return text

        return changes.applied(item.get(key, ()), normal)


def not_found(identity: str, names: Iterator[str]) -> NotFound:
    """Exchange's sentence, and what there is, unless that is a long list."""
    some = list(islice(names, _SOME + 1))
    there = ", ".join([*some[:_SOME], *("…" for _ in some[_SOME:])]) or "none"
    return NotFound(
        f"The operation couldn't be performed because object '{identity}' couldn't be found. There are: {there}."
    )


def new_item(kind: Kind, context: Context, name: str, bound: Bound) -> bool:
    def edit(document: Document) -> Document:
        items: list[Document] = document.get(kind.key, [])
        if any(kind.is_meant(name, item["name"]) for item in items):
            raise AlreadyThere(f'The {kind.key.replace("_", " ")} "{name}" already exists. Choose another name.')
        return {**document, kind.key: [*items, _without_none({"name": name, **kind.values({}, bound)})]}

    return change(context, edit, change_of("New", kind.noun), name, f'{kind.key} "{name}"')


def set_item(kind: Kind, context: Context, bound: Bound) -> Nothing:
    """Of a Set- cmdlet."""
    identity = bound["Identity"]

    def edit(document: Document) -> Document:
        found = kind.found(document, identity)
        changed = _without_none({**found, **kind.values(found, bound)})
        return {**document, kind.key: [changed if item is found else item for item in document[kind.key]]}

    name = bound.get("Name", identity)
    change(context, edit, change_of("Set", kind.noun), identity, f'{kind.key} "{name}"')
    return ()


def remove_item(kind: Kind, context: Context, bound: Bound) -> Nothing:
    """Of a Remove- cmdlet."""
    identity = bound["Identity"]

    def edit(document: Document) -> Document:
        found = kind.found(document, identity)
        return {**document, kind.key: [item for item in document[kind.key] if item is not found]}

    change(context, edit, change_of("Remove", kind.noun), identity)
    return ()


def change(context: Context, edit: Edit, act: Act, target: str, item: str = "") -> bool:
    """Whether it was done. Where it isn't to be, what would go wrong is told all the same."""
    administration = context.service(Administration)
    wanted = context.should_process(target)
    with told(context, target, item):
        applied = administration.change(edit, _UNNAMED, dry_run=not wanted, act=act, target=target)
        if not wanted:
            return False
        if not applied.changes:
            context.warning(f"The command completed successfully but no settings of '{target}' have been modified.")
        for notice in applied.notices:
            context.warning(worded(notice, item))
    return True


@contextmanager
def told(context: Context, target: str, item: str = "") -> Iterator[None]:
    """Makes error records of an `AdminError`, the last of which ends the object."""
    try:
        yield
    except AdminError as error:
        *others, last = errors_of(error, target, item)
        for other in others:
            context.error(other)
        raise last from error


def _without_none(item: Document) -> Document:
    return {key: value for key, value in item.items() if value is not None}
