"""Dates as .NET reads and writes them, in the culture en-US."""

from __future__ import annotations

import re
from datetime import UTC, datetime

# https://learn.microsoft.com/dotnet/standard/base-types/standard-date-and-time-format-strings
_STANDARD = {
    "d": "M/d/yyyy",
    "D": "dddd, MMMM d, yyyy",
    "f": "dddd, MMMM d, yyyy h:mm tt",
    "F": "dddd, MMMM d, yyyy h:mm:ss tt",
    "g": "M/d/yyyy h:mm tt",
    "G": "M/d/yyyy h:mm:ss tt",
    "m": "MMMM d",
    "M": "MMMM d",
    "o": "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK",
    "O": "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK",
    "r": "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
    "R": "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
    "s": "yyyy'-'MM'-'dd'T'HH':'mm':'ss",
    "t": "h:mm tt",
    "T": "h:mm:ss tt",
    "u": "yyyy'-'MM'-'dd HH':'mm':'ss'Z'",
    "U": "dddd, MMMM d, yyyy h:mm:ss tt",
    "y": "MMMM yyyy",
    "Y": "MMMM yyyy",
}
_TOKEN = re.compile(r"(d+|f+|\.?F+|g+|h+|H+|K|m+|M+|s+|t+|y+|z+)|'([^']*)'|\"([^\"]*)\"|\\(.)|%(?=.)|(.)", re.DOTALL)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_PADDED, _SHORT, _LONG = 2, 3, 4
_MICROSECOND_DIGITS = 6


def format_date(date: datetime, pattern: str = "G") -> str:
    """`date` by a standard or a custom format string. Raises `ValueError` for a standard one that doesn't exist."""
    if len(pattern) == 1:
        if pattern not in _STANDARD:
            raise ValueError("Input string was not in a correct format.")
        if pattern == "U" and date.tzinfo:
            date = date.astimezone(UTC)
        pattern = _STANDARD[pattern]
    return "".join(_written(date, match) for match in _TOKEN.finditer(pattern))


def _written(date: datetime, match: re.Match[str]) -> str:
    token, single, double, escaped, other = match.groups()
    if token:
        return _field(date, token)
    return single or double or escaped or other or ""


def _field(date: datetime, token: str) -> str:
    letter, width = token[-1], len(token)
    if letter in "dM":
        return _day_or_month(date, letter, width)
    if letter in "fF":
        return _fraction(date, token)
    if letter in "Kz":
        return _zone(date, letter, width)
    if letter == "y":
        return f"{date.year % 100 if width <= _PADDED else date.year:0{width}d}"
    if letter == "t":
        return ("AM", "PM")[date.hour >= 12][:width]  # noon is 12 PM
    if letter == "g":
        return "A.D."
    number = {"h": date.hour % 12 or 12, "H": date.hour, "m": date.minute, "s": date.second}[letter]
    return f"{number:0{min(width, _PADDED)}d}"


def _day_or_month(date: datetime, letter: str, width: int) -> str:
    if width <= _PADDED:
        return f"{date.day if letter == 'd' else date.month:0{width}d}"
    name = _DAYS[date.weekday()] if letter == "d" else _MONTHS[date.month - 1]
    return name if width >= _LONG else name[:_SHORT]


def _fraction(date: datetime, token: str) -> str:
    """`F` leaves out zeros, and a dot before it when nothing is left."""
    point, width = token.startswith("."), len(token.lstrip("."))
    digits = f"{date.microsecond:06d}".ljust(width, "0")[: min(width, _MICROSECOND_DIGITS + 1)]
    digits = digits if token[-1] == "f" else digits.rstrip("0")
    return "." + digits if point and digits else digits


def _zone(date: datetime, letter: str, width: int) -> str:
    offset = date.utcoffset()
    if letter == "K" and (offset is None or date.tzinfo is UTC):
        return "" if offset is None else "Z"
    minutes = int(offset.total_seconds()) // 60 if offset is not None else 0
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    if letter == "z" and width <= _PADDED:
        return f"{sign}{hours:0{width}d}"
    return f"{sign}{hours:02d}:{rest:02d}"


_SLASHED = re.compile(
    r"(?P<month>\d{1,2})[/-](?P<day>\d{1,2})[/-](?P<year>\d{4})"
    r"(?:[ T]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?(?: *(?P<half>[AP]M))?)?",
    re.IGNORECASE,
)


def parse_date(text: str) -> datetime | None:
    """A date as en-US writes it, or ISO 8601; None if it is neither. One that names a zone keeps it."""
    text = text.strip()
    match = _SLASHED.fullmatch(text)
    try:
        return _slashed(match) if match else datetime.fromisoformat(text)
    except ValueError:
        return None


def _slashed(match: re.Match[str]) -> datetime:
    month, day, year, hour, minute, second = (
        int(match[name] or 0) for name in ("month", "day", "year", "hour", "minute", "second")
    )
    if match["half"]:
        if not 1 <= hour <= 12:
            raise ValueError("no such hour")
        hour = hour % 12 + (12 if match["half"].upper() == "PM" else 0)
    return datetime.fromisoformat(f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}")
