"""Dates as mail servers write them: RFC 5322 3.3 and 4.3, the usual lapses from it, asctime's form, ISO 8601, and the
forms with a 12-hour clock that some Windows servers have.

A weekday is never looked at: the other fields say it all, and it is often wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_ZONES = {"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7} | {
    "NST": -3.5, "NDT": -2.5, "AST": -4, "ADT": -3, "BRT": -3, "ART": -3, "AKST": -9, "AKDT": -8, "HST": -10,
    "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "MET": 1, "MEST": 2, "MEZ": 1, "MESZ": 2, "EET": 2, "EEST": 3, "SAST": 2,
    "IDT": 3, "MSK": 3, "MSD": 4, "IST": 5.5, "ICT": 7, "SGT": 8, "HKT": 8, "AWST": 8, "JST": 9, "KST": 9,
    "ACST": 9.5, "ACDT": 10.5, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip
"""Hours east of Greenwich: those of RFC 5322 4.3 and others that are seen. Any other name counts as UTC; so do the
military letters, as that section says, since RFC 822 had them the wrong way round."""

_MONTH = r"(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_DAY = r"(?<!\d)(?P<day>\d{1,2})"
_TIME = (
    r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?:[ \t]?(?P<half>[ap])\.?m\b\.?)?"
)
_OFFSET = r"(?P<sign>[+-])[ ]?(?P<zone_hour>\d{1,2}):?(?P<zone_minute>\d{2})?(?!\d)"
_NAMED = rf"\(?(?P<zone>{'|'.join(sorted(_ZONES, key=len, reverse=True))}|UTC?|GMT|WET|[a-ik-z])\b\)?"
_ZONE = rf"(?:[ \t]{{0,3}}(?:(?:UTC?|GMT)?{_OFFSET}|{_NAMED}))?"
_YEAR_AND_OFFSET = rf"(?P<year>\d{{4}})(?:[ \t]{{0,3}}{_OFFSET})?"
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"{_DAY}[ \t-]{{1,3}}{_MONTH}[ \t-]{{1,3}}(?P<year>\d{{2,4}}),?[ \t]{{1,3}}{_TIME}{_ZONE}",
        rf"\b{_MONTH}[ \t]{{1,3}}{_DAY}[ \t]{{1,3}}{_TIME}(?:[ \t]{{1,3}}{_NAMED})?[ \t]{{1,3}}{_YEAR_AND_OFFSET}",
        rf"\b{_MONTH}[ \t]{{1,3}}{_DAY},?[ \t]{{1,3}}(?P<year>\d{{4}}),?(?: at)?[ \t]{{1,3}}{_TIME}{_ZONE}",
        rf"(?<!\d)(?P<year>\d{{4}})[-/](?P<month>\d{{1,2}})[-/](?P<day>\d{{1,2}})(?:T|[ \t]{{1,3}}){_TIME}{_ZONE}",
        rf"(?<!\d)(?P<month>\d{{1,2}})[-/](?P<day>\d{{1,2}})[-/](?P<year>\d{{4}}),?[ \t]{{1,3}}{_TIME}{_ZONE}",
    )
)
_WEEKDAY_BEFORE = re.compile(r"\b(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}\.?,?[ \t]{0,3}\Z", re.IGNORECASE)
_LONGEST_WEEKDAY = 16


@dataclass(frozen=True, slots=True)
class Dated:
    """A date in a text, aware, and what stands before and behind it."""

    before: str
    time: datetime
    after: str


def parse_date(text: str) -> datetime | None:
    """The first date in the text, aware; None where there is none. Without a zone it counts as UTC."""
    dated = find_date(text)
    return dated.time if dated else None


def find_date(text: str) -> Dated | None:
    for form in _FORMS:
        for match in form.finditer(text):
            time = _date(match)
            if time is not None:
                return Dated(_without_weekday(text[: match.start()]), time, text[match.end() :])
    return None


def _without_weekday(text: str) -> str:
    tail = _WEEKDAY_BEFORE.search(text, max(len(text) - _LONGEST_WEEKDAY, 0))
    return text[: tail.start()] if tail else text


def _date(match: re.Match[str]) -> datetime | None:
    try:
        month, day = _month_and_day(match["month"].lower(), int(match["day"]))
        return datetime(
            _year(match["year"]),
            month,
            day,
            _hour(int(match["hour"]), (match["half"] or "").lower()),
            int(match["minute"]),
            min(int(match["second"] or 0), 59),  # a leap second is one that a server may write
            int((match["fraction"] or "0").ljust(6, "0")[:6]),
            tzinfo=_zone(match),
        )
    except ValueError:
        return None


def _month_and_day(month: str, day: int) -> tuple[int, int]:
    """In numbers the month comes first, as the servers that write it so are American, unless it can't be one."""
    number = int(month) if month.isdecimal() else _MONTHS[month]
    return (day, number) if number > 12 else (number, day)


def _hour(hour: int, half: str) -> int:
    """Midnight is 12 AM, noon 12 PM. A 24-hour clock may carry a needless PM."""
    if half == "a":
        return hour % 12 if hour <= 12 else hour
    return hour + 12 if half == "p" and hour < 12 else hour


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
        hours, minutes = int(match["zone_hour"]), int(match["zone_minute"] or 0)
        if hours > 23 or minutes > 59:
            return UTC
        return timezone((-1 if match["sign"] == "-" else 1) * timedelta(hours=hours, minutes=minutes))
    hours_east = _ZONES.get((match["zone"] or "").upper(), 0)
    return timezone(timedelta(hours=hours_east)) if hours_east else UTC
