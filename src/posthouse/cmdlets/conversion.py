"""The types that parameters and casts name, and how a value becomes one of each.

As PowerShell converts (about_Type_Conversion), so that `Port = '25'` is a number and `-SenderDomains 'a'` is a list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from posthouse.cmdlets.dates import parse_date
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import ArrayList, GenericList, Hashtable, PSObject, TypeReference, Value, items, type_name


class ConversionError(Exception):
    """Why a value can't be of a type, in PowerShell's words."""


@dataclass(frozen=True, slots=True)
class PSType:
    """A type by its full .NET name.

    `convert` raises `ConversionError`; `values` are those of an enumeration, for completion and help.
    """

    name: str
    convert: Callable[[Value], Value]
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


def array_of(element: PSType) -> PSType:
    return PSType(
        f"{element.name}[]", lambda value: None if value is None else [element.convert(v) for v in items(value)]
    )


def enumeration(name: str, *values: str, numbered: bool = False) -> PSType:
    """One of `values`, in any case; or its number, from 0."""
    spelled = {value.lower(): value for value in values}
    if numbered:
        spelled |= {str(number): value for number, value in enumerate(values)}

    def convert(value: Value) -> str:
        text = to_text(value).strip()
        try:
            return spelled[text.lower()]
        except KeyError:
            raise _refuse(
                text,
                name,
                f"Unable to match the identifier name {text} to a valid enumerator name. "
                f"Specify one of the following enumerator names and try again: {', '.join(values)}",
            ) from None

    return PSType(name, convert, values)


def _refuse(value: Value, name: str, why: str = "Input string was not in a correct format.") -> ConversionError:
    return ConversionError(f'Cannot convert value "{to_text(value)}" to type "{name}". Error: "{why}"')


def _refuse_object(value: Value, name: str) -> ConversionError:
    return ConversionError(
        f'Cannot convert the "{to_text(value)}" value of type "{type_name(value)}" to type "{name}".'
    )


_NUMBER = re.compile(
    r"\s*([+-]?)(?:0x([0-9a-f]{1,16})|(\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:e([+-]?\d{1,3}))?)[ld]?\s*([kmgtp]b)?\s*",
    re.IGNORECASE,
)
_MULTIPLIERS = {"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40, "pb": 1 << 50}


def number(text: str) -> int | float | None:
    """A number as PowerShell reads one (about_Numeric_Literals):

    `25`, `0x1F`, `1.5e3`, `150MB`. None if it isn't one.
    """
    match = _NUMBER.fullmatch(text)
    if not match:
        return None
    sign, hexadecimal, decimal, exponent, unit = match.groups()
    if hexadecimal:
        found: int | float = int(hexadecimal, 16)
    elif exponent or "." in decimal:
        found = float(f"{decimal}e{exponent or 0}")
    else:
        found = int(decimal)
    found *= _MULTIPLIERS[unit.lower()] if unit else 1
    if isinstance(found, int) and found >= 1 << 63:
        found = float(found)
    return -found if sign == "-" else found


def _to_number(value: Value, name: str) -> int | float:
    if value is None or value == "":
        return 0
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        found = number(value)
        if found is None:
            raise _refuse(value, name)
        return found
    raise _refuse_object(value, name)


_DESCRIBED = {"System.Byte": "an unsigned byte", "System.UInt32": "a UInt32"}


def _integer(name: str, bits: int, *, signed: bool = True) -> PSType:
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    described = _DESCRIBED.get(name, f"an {name.removeprefix('System.')}")

    def convert(value: Value) -> int:
        found = _to_number(value, name)
        if found != found or found in (float("inf"), float("-inf")) or not low <= round(found) <= high:
            raise _refuse(value, name, f"Value was either too large or too small for {described}.")
        return round(found)

    return PSType(name, convert)


def to_boolean(value: Value) -> bool:
    """Whether a condition holds: not for $null, 0, "" and an empty array (about_Booleans). A parameter refuses text."""
    if isinstance(value, list | bytes):
        return to_boolean(value[0]) if len(value) == 1 else bool(value)
    return bool(value) if isinstance(value, str | int | float | None) else True


def _to_parameter_boolean(value: Value) -> bool:
    if isinstance(value, bool | int | float):
        return bool(value)
    raise ConversionError(
        f'Cannot convert value "{type_name(value)}" to type "System.Boolean". '
        "Boolean parameters accept only Boolean values and numbers, such as $True, $False, 1 or 0."
    )


def _to_date(value: Value) -> datetime:
    if isinstance(value, datetime):
        return value
    found = parse_date(value) if isinstance(value, str) else None
    if found is None:
        raise _refuse(value, "System.DateTime", "String was not recognized as a valid DateTime.")
    return found


_SPAN = re.compile(r"(-?)(?:(\d{1,8})\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?")


def _to_span(value: Value) -> timedelta:
    if isinstance(value, timedelta):
        return value
    text = to_text(value).strip()
    if re.fullmatch(r"-?\d{1,8}", text):
        return timedelta(days=int(text)) if isinstance(value, str) else timedelta(microseconds=int(text) // 10)
    match = _SPAN.fullmatch(text)
    if not match:
        raise _refuse(value, "System.TimeSpan", "String was not recognized as a valid TimeSpan.")
    sign, days, hours, minutes, seconds, fraction = match.groups()
    span = timedelta(days=int(days or 0), hours=int(hours), minutes=int(minutes), seconds=int(seconds or 0))
    span += timedelta(microseconds=int((fraction or "0").ljust(6, "0")[:6]))
    return -span if sign else span


def _to_character(value: Value) -> str:
    if isinstance(value, int) and 0 <= value <= 0x10FFFF:
        return chr(value)
    text = to_text(value)
    if len(text) != 1:
        raise _refuse(value, "System.Char", "String must be exactly one character long.")
    return text


def _to_bytes(value: Value) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    return bytes(BYTE.convert(part) for part in items(value))


def _to_hashtable(value: Value) -> Hashtable:
    if isinstance(value, Hashtable):
        return value
    raise _refuse_object(value, "System.Collections.Hashtable")


def _to_script_block(value: Value) -> Value:
    if value is None or type_name(value) == "System.Management.Automation.ScriptBlock":
        return value
    raise _refuse_object(value, "System.Management.Automation.ScriptBlock")


def _to_object(value: Value) -> Value:
    """`[pscustomobject]@{…}` makes an object; anything else stays what it is."""
    return (
        PSObject("System.Management.Automation.PSCustomObject", Hashtable(value))
        if isinstance(value, Hashtable)
        else value
    )


def _to_array(value: Value) -> list[Value] | None:
    return None if value is None else list(items(value))


def _to_list(value: Value) -> ArrayList:
    return ArrayList(() if value is None else items(value))


def _to_generic_list(value: Value) -> GenericList:
    return GenericList(() if value is None else items(value))


def _to_type(value: Value) -> TypeReference:
    return value if isinstance(value, TypeReference) else TypeReference(to_text(value))


def _to_string(value: Value) -> str:
    return to_text(value)


ANY = PSType("System.Object", lambda value: value)
STRING = PSType("System.String", _to_string)
CHARACTER = PSType("System.Char", _to_character)
BYTE = _integer("System.Byte", 8, signed=False)
INT = _integer("System.Int32", 32)
UINT = _integer("System.UInt32", 32, signed=False)
LONG = _integer("System.Int64", 64)
DOUBLE = PSType("System.Double", lambda value: float(_to_number(value, "System.Double")))
BOOLEAN = PSType("System.Boolean", to_boolean)
SWITCH = PSType("System.Management.Automation.SwitchParameter", _to_parameter_boolean)
DATE = PSType("System.DateTime", _to_date)
SPAN = PSType("System.TimeSpan", _to_span)
BYTES = PSType("System.Byte[]", _to_bytes)
HASHTABLE = PSType("System.Collections.Hashtable", _to_hashtable)
SCRIPT_BLOCK = PSType("System.Management.Automation.ScriptBlock", _to_script_block)
CUSTOM = PSType("System.Management.Automation.PSObject", _to_object)
ARRAY = PSType("System.Object[]", _to_array)
LIST = PSType("System.Collections.ArrayList", _to_list)
GENERIC_LIST = PSType("System.Collections.Generic.List`1", _to_generic_list)
TYPE = PSType("System.Type", _to_type)
STRINGS = array_of(STRING)
PARAMETER_BOOLEAN = PSType("System.Boolean", _to_parameter_boolean)

NAMED: Mapping[str, PSType] = {
    name: kind
    for kind, names in (
        (ANY, "object"),
        (STRING, "string"),
        (CHARACTER, "char"),
        (BYTE, "byte"),
        (INT, "int int32"),
        (UINT, "uint32"),
        (LONG, "long int64"),
        (DOUBLE, "double float single decimal"),
        (BOOLEAN, "bool boolean"),
        (SWITCH, "switch management.automation.switchparameter"),
        (DATE, "datetime"),
        (SPAN, "timespan"),
        (BYTES, "byte[]"),
        (HASHTABLE, "hashtable collections.hashtable"),
        (SCRIPT_BLOCK, "scriptblock management.automation.scriptblock"),
        (CUSTOM, "pscustomobject psobject management.automation.pscustomobject management.automation.psobject"),
        (ARRAY, "array object[]"),
        (LIST, "collections.arraylist"),
        (TYPE, "type"),
    )
    for name in names.split()
}
"""The types that a script may name in brackets, lower case and without `System.`."""


def named(name: str) -> PSType | None:
    """The type that `[name]` is; arrays of each too."""
    key = "".join(name.lower().split()).removeprefix("system.")
    if key in NAMED:
        return NAMED[key]
    if key.startswith("collections.generic.list["):
        return GENERIC_LIST
    element = NAMED.get(key.removesuffix("[]")) if key.endswith("[]") else None
    return array_of(element) if element else None
