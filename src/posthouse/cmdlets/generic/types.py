"""The .NET types that any script may make, with New-Object or `[type]::new()`."""

from __future__ import annotations

from functools import partial

from posthouse.cmdlets.interface import NetType, Services
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import CUSTOM_OBJECT, ArrayList, GenericList, Hashtable, PSObject, Value, items

_EXCEPTIONS = (
    "System.Exception",
    "System.ApplicationException",
    "System.ArgumentException",
    "System.ArgumentNullException",
    "System.ArgumentOutOfRangeException",
    "System.InvalidOperationException",
    "System.NotSupportedException",
    "System.TimeoutException",
    "System.Management.Automation.RuntimeException",
)


def _list(kind: type[ArrayList], _services: Services, content: Value = None) -> ArrayList:
    """Of a collection, or empty with room for a number of elements."""
    return kind(() if content is None or isinstance(content, int) else items(content))


def _exception(name: str, _services: Services, message: Value = None, inner: Value = None) -> PSObject:
    text = f"Exception of type '{name}' was thrown." if message is None else to_text(message)
    return PSObject.of(name, {"Message": text, "InnerException": inner}, text)


TYPES = (
    NetType(("System.Collections.ArrayList", "ArrayList"), partial(_list, ArrayList)),
    NetType(("System.Collections.Generic.List",), partial(_list, GenericList)),
    NetType(("System.Collections.Hashtable", "Hashtable"), lambda _services: Hashtable()),
    NetType(
        ("System.Management.Automation.PSObject", CUSTOM_OBJECT, "PSObject", "PSCustomObject", "System.Object"),
        lambda _services, value=None: PSObject.of(CUSTOM_OBJECT, {}) if value is None else value,
    ),
    *(NetType((name,), partial(_exception, name)) for name in _EXCEPTIONS),
)
