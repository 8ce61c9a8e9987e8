"""The properties and methods that a script may use on values: a table for each type, and nothing else.

The names and what they do are .NET's (https://learn.microsoft.com/dotnet/api/system.string and the like).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

from posthouse.cmdlets.conversion import INT, ConversionError, to_boolean
from posthouse.cmdlets.date_members import DATE_METHODS, DATE_PROPERTIES, SPAN_PROPERTIES, Member
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.limits import Budget
from posthouse.cmdlets.numbers import format_value
from posthouse.cmdlets.operators import compare, equal, sort_key
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import ArrayList, GenericList, Hashtable, PSObject, Value, collected, items, type_name

_int = INT.convert


# Texts


def _split(text: str, *separators: Value) -> list[Value]:
    """Each character of a separator splits; an array of texts, each as a whole; with the option, no empty parts."""
    options = [part for part in separators if to_text(part).lower() == "removeemptyentries"]
    given = [part for part in separators if not any(part is option for option in options)]
    first = given[0] if given else None
    wholes = [to_text(part) for part in first] if isinstance(first, list) else list(to_text(first or ""))
    parts = [text] if wholes or first == "" else text.split()
    for whole in filter(None, wholes):
        parts = [piece for part in parts for piece in part.split(whole)]
    return [part for part in parts if part or not options]


def _substring(text: str, start: Value, length: Value = None) -> str:
    first = _int(start)
    count = len(text) - first if length is None else _int(length)
    if not 0 <= first <= len(text) or count < 0 or first + count > len(text):
        raise ValueError("Index and length must refer to a location within the string.")
    return text[first : first + count]


def _ignores_case(comparison: Value) -> bool:
    return "ignorecase" in to_text(comparison).lower() or comparison is True


def _starts(text: str, part: Value, comparison: Value = None) -> bool:
    part = to_text(part)
    return text.lower().startswith(part.lower()) if _ignores_case(comparison) else text.startswith(part)


def _ends(text: str, part: Value, comparison: Value = None) -> bool:
    part = to_text(part)
    return text.lower().endswith(part.lower()) if _ignores_case(comparison) else text.endswith(part)


def _replace(text: str, old: Value, new: Value) -> str:
    if not to_text(old):
        raise ValueError("String cannot be of zero length.")
    return text.replace(to_text(old), to_text(new))


def _insert(text: str, at: Value, part: Value) -> str:
    if not 0 <= _int(at) <= len(text):
        raise ValueError("Specified argument was out of the range of valid values.")
    return text[: _int(at)] + to_text(part) + text[_int(at) :]


def _cut(text: str, start: Value, length: Value = None) -> str:
    removed = _substring(text, start, length)
    return text[: _int(start)] + text[_int(start) + len(removed) :]


def _trimmed(value: Value) -> str | None:
    return "".join(to_text(part) for part in items(value)) or None


_TEXT: Mapping[str, Member] = {
    "toupper": lambda s: s.upper(),
    "tolower": lambda s: s.lower(),
    "toupperinvariant": lambda s: s.upper(),
    "tolowerinvariant": lambda s: s.lower(),
    "trim": lambda s, chars=None: s.strip(_trimmed(chars)),
    "trimstart": lambda s, chars=None: s.lstrip(_trimmed(chars)),
    "trimend": lambda s, chars=None: s.rstrip(_trimmed(chars)),
    "split": _split,
    "replace": _replace,
    "startswith": _starts,
    "endswith": _ends,
    "contains": lambda s, part: to_text(part) in s,
    "indexof": lambda s, part, start=0: s.find(to_text(part), _int(start)),
    "lastindexof": lambda s, part: s.rfind(to_text(part)),
    "substring": _substring,
    "padleft": lambda s, width, char=" ": s.rjust(_int(width), to_text(char)),
    "padright": lambda s, width, char=" ": s.ljust(_int(width), to_text(char)),
    "insert": _insert,
    "remove": _cut,
    "tochararray": lambda s: list(s),
}

# Arrays and hashtables


def _fixed(*_: Value) -> Value:
    raise ValueError("Collection was of a fixed size.")


def _index_of(values: list[Value], value: Value) -> int:
    return next((i for i, item in enumerate(values) if equal(item, value, case_sensitive=True)), -1)


def _remove(values: list[Value], value: Value) -> None:
    at = _index_of(values, value)
    if at >= 0:
        del values[at]


def _remove_at(values: list[Value], at: Value) -> None:
    if not 0 <= _int(at) < len(values):
        raise ValueError("Index was out of range. Must be non-negative and less than the size of the collection.")
    del values[_int(at)]


def _add(values: list[Value], value: Value) -> int:
    values.append(value)
    return len(values) - 1


_ARRAY: Mapping[str, Member] = {
    "contains": lambda values, value: _index_of(values, value) >= 0,
    "indexof": _index_of,
    "add": _fixed,
    "remove": _fixed,
    "clone": lambda values: list(values),
}
_LIST: Mapping[str, Member] = {
    "add": _add,
    "addrange": lambda values, more: values.extend(list(items(more))),
    "remove": _remove,
    "removeat": _remove_at,
    "insert": lambda values, at, value: values.insert(_int(at), value),
    "clear": lambda values: values.clear(),
    "sort": lambda values: values.sort(key=sort_key),
    "reverse": lambda values: values.reverse(),
    "toarray": lambda values: list(values),
}


def _add_entry(table: Hashtable, key: Value, value: Value) -> None:
    if key in table:
        raise ValueError(
            f"Item has already been added. Key in dictionary: '{to_text(key)}'  Key being added: '{to_text(key)}'"
        )
    table[key] = value


def entries(table: Hashtable) -> list[Value]:
    """What a hashtable is where its entries are enumerated."""
    return [
        PSObject.of("System.Collections.DictionaryEntry", {"Name": key, "Key": key, "Value": value})
        for key, value in table.items()
    ]


_HASHTABLE: Mapping[str, Member] = {
    "add": _add_entry,
    "remove": lambda table, key: table.pop(key, None) and None,
    "clear": lambda table: table.clear(),
    "containskey": lambda table, key: key in table,
    "contains": lambda table, key: key in table,
    "containsvalue": lambda table, value: any(equal(item, value) for item in table.values()),
    "getenumerator": entries,
    "clone": lambda table: Hashtable(table, ordered=table.ordered),
}

_SWITCH: Mapping[str, Member] = {"ispresent": lambda given: given}

# All types

_METHODS: tuple[tuple[type, Mapping[str, Member]], ...] = (
    (str, _TEXT),
    (GenericList, {**_ARRAY, **_LIST, "add": lambda values, value: values.append(value)}),
    (ArrayList, {**_ARRAY, **_LIST}),
    (list, _ARRAY),
    (Hashtable, _HASHTABLE),
    (datetime, DATE_METHODS),
    (timedelta, {"add": lambda span, other: span + other, "subtract": lambda span, other: span - other}),
)


def _string(value: Value, pattern: Value = "") -> str:
    return format_value(value, to_text(pattern))


def _described(value: Value) -> PSObject:
    full = type_name(value)
    return PSObject.of("System.RuntimeType", {"Name": full.rsplit(".", 1)[-1], "FullName": full}, full)


def _where(value: Value, block: Value) -> list[Value]:
    return [item for item in items(value) if to_boolean(collected(block.run(item)))]


def _for_each(value: Value, block: Value) -> list[Value]:
    return [part for item in items(value) for part in block.run(item)]


_COMMON: Mapping[str, Member] = {
    "tostring": _string,
    "gettype": _described,
    "equals": lambda value, other: type_name(value) == type_name(other) and equal(value, other, case_sensitive=True),
    "compareto": compare,
    "where": _where,
    "foreach": _for_each,
}
_COPIES = frozenset(("clone", "toarray", "getenumerator", "where", "foreach"))
METHOD_NAMES = frozenset(name for _, table in _METHODS for name in table) | frozenset(_COMMON)
"""Every method that some value has: a script that calls another is refused before it runs."""


def get(value: Value, name: str) -> Value:
    """`value.name`; $null if there is no such property. Of an array without one, those of its elements."""
    key = name.lower()
    if isinstance(value, Hashtable) and name in value:
        return value[name]
    if isinstance(value, PSObject) and name in value.properties:
        return value.properties[name]
    if key in ("count", "length") and (key == "count" or not isinstance(value, PSObject | Hashtable)):
        return _count(value, key)
    if key == "psobject" and isinstance(value, PSObject | Hashtable):
        return _reflected(value)
    table = _properties(value)
    if key in table:
        return table[key](value)
    if isinstance(value, list):
        found = [part for item in value for part in items(get(item, name)) if part is not None]
        return found if len(found) != 1 else found[0]
    return None


def _count(value: Value, key: str) -> int:
    if isinstance(value, str) and key == "length":
        return len(value)
    if isinstance(value, list | bytes | Hashtable):
        return len(value)
    return 0 if value is None else 1


def _properties(value: Value) -> Mapping[str, Member]:
    if isinstance(value, Hashtable):
        return {"keys": lambda table: list(table), "values": lambda table: list(table.values())}
    if isinstance(value, datetime):
        return DATE_PROPERTIES
    if isinstance(value, bool):
        return _SWITCH
    return SPAN_PROPERTIES if isinstance(value, timedelta) else {}


def _reflected(value: PSObject | Hashtable) -> PSObject:
    table = value.properties if isinstance(value, PSObject) else value
    kind = "System.Management.Automation.PSNoteProperty"
    listed = [PSObject.of(kind, {"Name": key, "Value": part}) for key, part in table.items()]
    return PSObject.of("System.Management.Automation.PSMemberSet", {"Properties": listed})


def put(target: Value, name: str, value: Value) -> None:
    """`target.name = value`. Raises `PSError` where there is nothing to assign to."""
    if isinstance(target, Hashtable):
        target[name] = value
    elif isinstance(target, PSObject) and name in target.properties:
        if target.setters is not None:
            setter = {key.lower(): setter for key, setter in target.setters.items()}.get(name.lower())
            if setter is None:
                raise PSError(f"'{name}' is a ReadOnly property.", error_id="PropertyAssignmentException")
            value = setter(value)
        target.properties[name] = value
    else:
        text = f"The property '{name}' cannot be found on this object. Verify that the property exists and can be set."
        raise PSError(text, error_id="PropertyNotFound")


def invoke(value: Value, name: str, arguments: tuple[Value, ...], budget: Budget) -> Value:
    """`value.name(arguments)`. Raises `PSError`.

    Of an array without such a method it is each element's (about_Member-Access_Enumeration).
    """
    if value is None:
        raise PSError("You cannot call a method on a null-valued expression.", error_id="InvokeMethodOnNull")
    method = _method(value, name.lower())
    if method is None and isinstance(value, list) and value:
        return [invoke(item, name, arguments, budget) for item in value]
    if method is None:
        text = f"Method invocation failed because [{type_name(value)}] does not contain a method named '{name}'."
        raise PSError(text, error_id="MethodNotFound")
    try:
        _charge(value, name.lower(), arguments, budget)
        return method(*arguments)
    except (ConversionError, ValueError) as error:
        raise _argument_error(name, arguments, str(error)) from None
    except (OverflowError, TypeError, AttributeError) as error:
        raise _argument_error(name, arguments, "Its arguments do not fit the method.") from error


def _argument_error(name: str, arguments: tuple[Value, ...], why: str) -> PSError:
    text = f'Exception calling "{name}" with "{len(arguments)}" argument(s): "{why}"'
    return PSError(text, error_id="MethodException", exception="System.Management.Automation.MethodInvocationException")


def _method(value: Value, name: str) -> Member | None:
    """The method, which knows the value that it is called on."""
    if isinstance(value, PSObject):
        own = {key.lower(): method for key, method in value.methods.items()}
        if name in own:
            return own[name]
    table = next((table for kind, table in _METHODS if isinstance(value, kind)), {})
    method = table.get(name) or _COMMON.get(name)
    return partial(method, value) if method else None


def _charge(value: Value, name: str, arguments: tuple[Value, ...], budget: Budget) -> None:
    """What a method may make at most, before it makes it."""
    size = len(value) if isinstance(value, str) or (isinstance(value, list | Hashtable) and name in _COPIES) else 1
    if name in ("padleft", "padright") and arguments:
        size = max(size, _int(arguments[0]))
    elif name == "replace" and isinstance(value, str) and len(arguments) > 1 and to_text(arguments[0]):
        size += value.count(to_text(arguments[0])) * len(to_text(arguments[1]))
    else:
        size += sum(
            len(part)
            for part in arguments
            if isinstance(part, str) or (isinstance(part, list | bytes) and name == "addrange")
        )
    budget.charge(size)
