"""Dates as mail servers write them: RFC 5322 3.3 and 4.3, the usual lapses from it, asctime's form and ISO 8601."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_ZONES = {"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7} | {
    "BST": 1, "CET": 1, "CEST": 2, "MET": 1, "MEST": 2, "EET": 2, "EEST": 3, "MSK": 3, "IST": 5.5, "JST": 9, "AEST": 10,
}  # fmt: skip
"""Hours east of Greenwich: those of RFC 5322 4.3 and others that are seen. Any other name counts as UTC."""

_WEEKDAY = r"(?:\b(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}\.?,?[ \t]{0,3})?"
_MONTH = r"(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_TIME = r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2})(?:[.,]\d{1,9})?)?"
_ZONE = r"(?:[ \t]{0,3}(?P<sign>[+-])(?P<zone_hour>\d{2}):?(?P<zone_minute>\d{2})|[ \t]{0,3}\(?(?P<zone>[a-z]{1,5})\b)?"
_FORMS = (
    re.compile(
        rf"{_WEEKDAY}(?<!\d)(?P<day>\d{{1,2}})[ \t-]{{1,3}}{_MONTH}[ \t-]{{1,3}}(?P<year>\d{{2,4}}),?[ \t]{{1,3}}"
        rf"{_TIME}{_ZONE}",
        re.IGNORECASE,
    ),
    re.compile(
        rf"{_WEEKDAY}{_MONTH}[ \t]{{1,3}}(?P<day>\d{{1,2}})[ \t]{{1,3}}{_TIME}(?:[ \t]{{1,3}}(?P<zone>[a-z]{{1,5}}))?"
        r"[ \t]{1,3}(?P<year>\d{4})(?:[ \t]{0,3}(?P<sign>[+-])(?P<zone_hour>\d{2})(?P<zone_minute>\d{2}))?",
        re.IGNORECASE,
    ),
    re.compile(rf"(?<!\d)(?P<year>\d{{4}})-(?P<month>\d{{2}})-(?P<day>\d{{2}})[T ]{_TIME}{_ZONE}", re.IGNORECASE),
)


def parse_date(text: str) -> datetime | None:
    """The first date in the text, aware; None where there is none. Without a zone it counts as UTC."""
    return split_date(text)[1]


def split_date(text: str) -> tuple[str, datetime | None]:
    """What stands before the first date in the text, and the date; the whole text where there is none."""
    for form in _FORMS:
        match = form.search(text)
        if match is not None:
            return text[: match.start()], _date(match)
    return text, None


def _date(match: re.Match[str]) -> datetime | None:
    month = match["month"].lower()
    try:
        return datetime(
            _year(match["year"]),
            int(month) if month.isdecimal() else _MONTHS[month],
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            min(int(match["second"] or 0), 59),  # a leap second is one that a server may write
            tzinfo=_zone(match),
        )
    except ValueError:
        return None


def _year(text: str) -> int:
    """RFC 5322 4.3 for years of two and three digits. Raises `ValueError` for one that mail has not seen."""
    year = int(text)
    if len(text) == 2:
        year += 2000 if year < 50 else 1900
    elif len(text) == 3:
        year += 1900
    if not 1970 <= year <= 2999:
        raise ValueError(year)
    return year


def _zone(match: re.Match[str]) -> timezone:
    if match["sign"]:
        hours, minutes = int(match["zone_hour"]), int(match["zone_minute"])
        if hours > 23 or minutes > 59:
            return UTC
        return timezone((-1 if match["sign"] == "-" else 1) * timedelta(hours=hours, minutes=minutes))
    hours_east = _ZONES.get((match["zone"] or "").upper(), 0)
    return timezone(timedelta(hours=hours_east)) if hours_east else UTC
