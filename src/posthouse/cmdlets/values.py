"""PowerShell's values, as Python holds them.

`$null`, booleans, strings, numbers, dates and time spans are Python's own; an array is a `list`, a `byte[]` is `bytes`.
Hashtables, objects and script blocks are the classes below. A script sees only what they show it: it never reaches an
attribute of a Python object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

Value = Any
"""Any of the values above. Nothing else may reach a script."""

Method = Callable[..., Value]


class Hashtable(MutableMapping[Value, Value]):
    """Keeps the order of its keys, and finds a text key in any case (about_Hash_Tables)."""

    __slots__ = ("_items", "ordered")

    def __init__(
        self, items: Mapping[Any, Value] | Iterable[tuple[Value, Value]] = (), *, ordered: bool = False
    ) -> None:
        self._items: dict[Value, tuple[Value, Value]] = {}
        self.ordered = ordered
        self.update(items)

    def __getitem__(self, key: Value) -> Value:
        return self._items[_folded(key)][1]

    def __setitem__(self, key: Value, value: Value) -> None:
        folded = _folded(key)
        spelled = self._items[folded][0] if folded in self._items else key
        self._items[folded] = (spelled, value)

    def __delitem__(self, key: Value) -> None:
        del self._items[_folded(key)]

    def __iter__(self) -> Iterator[Value]:
        return (key for key, _ in self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"Hashtable({dict(self.items())!r})"

    def clear(self) -> None:
        self._items.clear()


def _folded(key: Value) -> Value:
    """What two keys have alike if they are the same key. 1 and $true are equal in Python, but not the same key."""
    return key.lower() if isinstance(key, str) else (type(key).__name__, id(key) if _is_reference(key) else key)


def _is_reference(value: Value) -> bool:
    return isinstance(value, list | Hashtable | PSObject)


class ArrayList(list[Value]):
    """A System.Collections.ArrayList, which unlike an array can grow."""


class GenericList(ArrayList):
    """A System.Collections.Generic.List, whose Add returns nothing. It takes elements of any type."""


@dataclass(slots=True, eq=False)
class PSObject:
    """An object with named properties: what cmdlets return, and what stands for a .NET object.

    `text` is what the object is inside a string (an Exchange object is its name). A property in `setters` may be
    assigned: the function makes the value stored from the value given, or raises `PSError`. Without `setters` any
    property there is may be assigned. `methods` are called with the arguments of the script.
    """

    type_name: str
    properties: Hashtable
    text: str | None = None
    methods: Mapping[str, Method] = field(default_factory=dict[str, Method])
    setters: Mapping[str, Callable[[Value], Value]] | None = None

    @classmethod
    def of(cls, type_name: str, properties: Mapping[str, Value], text: str | None = None) -> PSObject:
        return cls(type_name, Hashtable(properties), text)


CUSTOM_OBJECT = "System.Management.Automation.PSCustomObject"


class ScriptBlock(Protocol):
    """Code between braces, which a cmdlet may run."""

    source: str

    def run(self, item: Value, arguments: tuple[Value, ...] = ()) -> Iterator[Value]:
        """What it outputs while `$_` is `item`."""
        ...


@dataclass(frozen=True, slots=True)
class TypeReference:
    """A type literal as a value: `[int]`."""

    name: str


_SCALARS: tuple[tuple[type, str], ...] = (
    (bool, "System.Boolean"),
    (float, "System.Double"),
    (str, "System.String"),
    (datetime, "System.DateTime"),
    (timedelta, "System.TimeSpan"),
    (bytes, "System.Byte[]"),
    (GenericList, "System.Collections.Generic.List`1"),
    (ArrayList, "System.Collections.ArrayList"),
    (list, "System.Object[]"),
    (TypeReference, "System.RuntimeType"),
)
_INT32 = 1 << 31


def type_name(value: Value) -> str:
    """The full .NET name of a value's type."""
    if isinstance(value, PSObject):
        return value.type_name
    if isinstance(value, Hashtable):
        return "System.Collections.Specialized.OrderedDictionary" if value.ordered else "System.Collections.Hashtable"
    for kind, name in _SCALARS:
        if isinstance(value, kind):
            return name
    if isinstance(value, int):
        return "System.Int32" if -_INT32 <= value < _INT32 else "System.Int64"
    return "System.Management.Automation.ScriptBlock"


def items(value: Value) -> Iterable[Value]:
    """What a value is in a pipeline: an array its elements, $null one $null, all else itself (about_Pipelines)."""
    return value if isinstance(value, list | bytes) else (value,)


def collected(values: Iterable[Value]) -> Value:
    """What a pipeline's output is as one value: nothing is $null, one is itself, several are an array."""
    found = list(values)
    return found if len(found) > 1 else (found[0] if found else None)
