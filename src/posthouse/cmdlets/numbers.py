"""Numbers and composite formats as .NET writes them, in the culture en-US.

https://learn.microsoft.com/dotnet/standard/base-types/standard-numeric-format-strings and …/composite-formatting
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext

from posthouse.cmdlets.dates import format_date
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.text import number_text, to_text
from posthouse.cmdlets.values import Value

_STANDARD = re.compile(r"([a-zA-Z])(\d{0,2})")
_ITEM = re.compile(r"\{\{|\}\}|\{(\d{1,3})(?:,(-?\d{1,4}))?(?::((?:[^{}]|\{\{|\}\})*))?\}|[{}]")
_PICTURE = re.compile(r"^([^0#.,%]*)([#0,]*)(?:\.([0#]*))?(%?)(.*)$", re.DOTALL)
_PRECISION = 420  # digits: of the greatest double, and 99 more
_WIDEST = 10_000


def format_value(value: Value, pattern: str) -> str:
    """A value's `ToString(pattern)`."""
    if isinstance(value, datetime):
        return _formatted_date(value, pattern or "G")
    if pattern and isinstance(value, int | float) and not isinstance(value, bool):
        return format_number(value, pattern)
    return to_text(value)


def _formatted_date(value: datetime, pattern: str) -> str:
    try:
        return format_date(value, pattern)
    except ValueError as error:
        raise PSError(str(error), error_id="FormatException", exception="System.FormatException") from None


def format_number(value: float, pattern: str) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        return number_text(float(value))
    standard = _STANDARD.fullmatch(pattern)
    if standard:
        return _standard(value, standard[1].upper(), int(standard[2]) if standard[2] else None, standard[1].islower())
    return _picture(value, pattern)


def _standard(value: float, letter: str, digits: int | None, lower: bool) -> str:
    places = 2 if digits is None else digits
    if letter in "NFP":
        text = f"{_rounded(value * 100 if letter == 'P' else value, places):,f}"
        text = text.replace(",", "") if letter == "F" else text
        return text + ("%" if letter == "P" else "")
    if letter == "C":
        text = f"${abs(_rounded(value, places)):,f}"
        return f"-{text}" if value < 0 else text
    if letter == "E":
        places = 6 if digits is None else digits
        mantissa, exponent = f"{value:.{places}e}".split("e")
        return f"{mantissa}{'e' if lower else 'E'}{exponent[0]}{exponent[1:].zfill(3)}"
    if letter in "DX" and isinstance(value, int):
        if letter == "D":
            return ("-" if value < 0 else "") + str(abs(value)).zfill(digits or 0)
        text = f"{value & (0xFFFFFFFF if -(1 << 31) <= value < 1 << 31 else 0xFFFFFFFFFFFFFFFF):x}".zfill(digits or 0)
        return text if lower else text.upper()
    if letter in "GR":
        return number_text(float(value)) if isinstance(value, float) else str(value)
    raise PSError("Format specifier was invalid.", error_id="FormatException", exception="System.FormatException")


def _rounded(value: float, places: int) -> Decimal:
    with localcontext(prec=_PRECISION):
        return Decimal(repr(value)).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def _picture(value: float, pattern: str) -> str:
    """A custom format: `0.00`, `#,##0`, `0%`."""
    match = _PICTURE.match(pattern)
    assert match
    before, whole, fraction, percent, after = match.groups()
    fraction = fraction or ""
    text = f"{abs(_rounded(value * 100 if percent else value, len(fraction))):f}"
    left, _, right = text.partition(".")
    while right and fraction[len(right) - 1] == "#" and right.endswith("0"):
        right = right[:-1]
    left = left.lstrip("0").rjust(whole.count("0"), "0")
    if "," in whole:
        left = re.sub(r"(?<=\d)(?=(?:\d{3})+$)", ",", left)
    sign = "-" if value < 0 and (left.strip("0,") or right.strip("0")) else ""
    return sign + before + left + ("." + right if right else "") + percent + after


def format_composite(pattern: str, arguments: Sequence[Value]) -> str:
    """`"{0,-10:N2}" -f …` (about_Operators)."""

    def item(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        if match[1] is None or int(match[1]) >= len(arguments):
            raise _format_error()
        text = format_value(arguments[int(match[1])], match[3] or "")
        width = int(match[2] or 0)
        if abs(width) > _WIDEST:
            raise _format_error()
        return text.ljust(-width) if width < 0 else text.rjust(width)

    return _ITEM.sub(item, pattern)


def _format_error() -> PSError:
    return PSError(
        "Error formatting a string: Index (zero based) must be greater than or equal to zero and less than the size of "
        "the argument list.",
        error_id="FormatError",
    )
