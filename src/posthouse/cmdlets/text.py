"""A value as text, where a script puts it in a string."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from posthouse.cmdlets.values import CUSTOM_OBJECT, PSObject, TypeReference, Value, type_name

_EXPONENT = re.compile(r"e([+-])0?(\d+)$")
_DIGITS_BEFORE_EXPONENT = 15  # .NET writes 1E+15 from there on


def to_text(value: Value) -> str:
    """As `"$value"` does:

    in the invariant culture, arrays with spaces between (about_Quoting_Rules, about_Preference_Variables: $OFS).
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, datetime):
        return value.strftime("%m/%d/%Y %H:%M:%S")
    if isinstance(value, timedelta):
        return span_text(value)
    if isinstance(value, list | bytes):
        return " ".join(_part_text(part) for part in value)
    return _object_text(value)


def _part_text(value: Value) -> str:
    """An array within an array is its type's name."""
    return type_name(value) if isinstance(value, list) else to_text(value)


def _object_text(value: Value) -> str:
    if isinstance(value, PSObject):
        if value.text is not None:
            return value.text
        if value.type_name == CUSTOM_OBJECT:
            return "@{" + "; ".join(f"{name}={_inner_text(part)}" for name, part in value.properties.items()) + "}"
    if isinstance(value, TypeReference):
        return value.name
    source = getattr(value, "source", None)
    return source if isinstance(source, str) else type_name(value)


def _inner_text(value: Value) -> str:
    return "" if isinstance(value, PSObject) and value.text is None else _part_text(value)


def number_text(value: float) -> str:
    """The shortest text that reads back, as .NET writes it: 1, 0.1, 1E+20."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value.is_integer() and abs(value) < 10**_DIGITS_BEFORE_EXPONENT:
        return str(int(value))
    return _EXPONENT.sub(lambda match: f"E{match[1]}{match[2].zfill(2)}", repr(value)).replace(".0E", "E")


def span_text(span: timedelta) -> str:
    """A TimeSpan in the constant format: `[-][d.]hh:mm:ss[.fffffff]`."""
    sign = "-" if span < timedelta() else ""
    whole = abs(span)
    hours, rest = divmod(whole.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    days = f"{whole.days}." if whole.days else ""
    fraction = f".{whole.microseconds:06d}0" if whole.microseconds else ""
    return f"{sign}{days}{hours:02d}:{minutes:02d}:{seconds:02d}{fraction}"
