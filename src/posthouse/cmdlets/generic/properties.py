"""Which properties a cmdlet is to look at: names, wildcards, script blocks, or calculated properties."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from posthouse.cmdlets import members
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.patterns import like
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import Hashtable, PSObject, Value, collected, items, type_name

_BLOCK = "System.Management.Automation.ScriptBlock"
_KEYS = ("name", "label", "expression", "width", "alignment", "formatstring", "ascending", "descending")


@dataclass(frozen=True, slots=True)
class Selector:
    """One property:

    its name, how to get it, and what a calculated property (about_Calculated_Properties) says besides.
    """

    name: str
    get: Callable[[Value], Value]
    wildcard: bool
    options: Hashtable


def selectors(value: Value) -> list[Selector]:
    return [_selector(part) for part in items(value)] if value is not None else []


def _selector(value: Value) -> Selector:
    if isinstance(value, Hashtable):
        return _calculated(value)
    if is_block(value):
        return Selector(value.source.strip(), _expression(value), False, Hashtable())
    name = to_text(value)
    return Selector(name, lambda item: members.get(item, name), any(char in name for char in "*?["), Hashtable())


def _calculated(table: Hashtable) -> Selector:
    options = Hashtable((_key(to_text(key)), value) for key, value in table.items())
    expression = options.get("expression")
    if expression is None:
        raise PSError("The mandatory Expression entry is missing.", category="InvalidArgument", error_id="Expression")
    name = to_text(options.get("name", options.get("label", ""))) or to_text(expression).strip()
    return Selector(name, _expression(expression), False, options)


def _key(written: str) -> str:
    """A key may be shortened: `n` and `l` are the name, `e` the expression."""
    found = [key for key in _KEYS if key.startswith(written.lower())]
    if not found:
        text = f"The {written} key is not valid."
        raise PSError(text, category="InvalidArgument", error_id="DictionaryKeyIllegal")
    return found[0]


def _expression(value: Value) -> Callable[[Value], Value]:
    if is_block(value):
        return lambda item: collected(value.run(item))
    name = to_text(value)
    return lambda item: members.get(item, name)


def is_block(value: Value) -> bool:
    return type_name(value) == _BLOCK and value is not None


def expanded(chosen: Iterable[Selector], item: Value) -> list[tuple[str, Selector]]:
    """The properties of an object that selectors choose, wildcards written out."""
    names = [to_text(name) for name in properties_of(item)]
    found: list[tuple[str, Selector]] = []
    for selector in chosen:
        if selector.wildcard:
            matching = [name for name in names if like(name, selector.name)]
            found += [(name, _selector(name)) for name in matching]
        else:
            spelled = next((name for name in names if name.lower() == selector.name.lower()), selector.name)
            found.append((spelled, selector))
    return found


def properties_of(item: Value) -> Hashtable:
    if isinstance(item, PSObject):
        return item.properties
    return item if isinstance(item, Hashtable) else Hashtable()
