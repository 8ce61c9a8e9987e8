"""The properties and methods of dates and time spans: those of System.DateTime and System.TimeSpan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from operator import attrgetter

from posthouse.cmdlets.conversion import DOUBLE, INT
from posthouse.cmdlets.numbers import format_value
from posthouse.cmdlets.values import Value

Member = Callable[..., Value]
_TICKS = 10_000_000  # a second
_int, _float = INT.convert, DOUBLE.convert


def _months_later(date: datetime, count: Value) -> datetime:
    months = date.year * 12 + date.month - 1 + _int(count)
    year, month = divmod(months, 12)
    for day in range(date.day, 27, -1):
        try:
            return date.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    return date.replace(year=year, month=month + 1)


def _local(date: datetime) -> datetime:
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone()


def _time_of_day(date: datetime) -> timedelta:
    return timedelta(hours=date.hour, minutes=date.minute, seconds=date.second, microseconds=date.microsecond)


def _adding(unit: str) -> Member:
    return lambda date, count: date + timedelta(**{unit: _float(count)})


def _dated(pattern: str) -> Member:
    return lambda date: format_value(date, pattern)


DATE_METHODS: Mapping[str, Member] = {
    **{f"add{unit}": _adding(unit) for unit in ("days", "hours", "minutes", "seconds", "milliseconds")},
    "addmonths": _months_later,
    "addyears": lambda date, count: _months_later(date, _int(count) * 12),
    "add": lambda date, span: date + span,
    "subtract": lambda date, other: (
        date.replace(tzinfo=None) - other.replace(tzinfo=None) if isinstance(other, datetime) else date - other
    ),
    "touniversaltime": lambda date: date.astimezone(UTC),
    "tolocaltime": _local,
    "toshortdatestring": _dated("d"),
    "tolongdatestring": _dated("D"),
    "toshorttimestring": _dated("t"),
    "tolongtimestring": _dated("T"),
}
DATE_PROPERTIES: Mapping[str, Member] = {
    **{name: attrgetter(name) for name in ("year", "month", "day", "hour", "minute", "second")},
    "millisecond": lambda date: date.microsecond // 1000,
    "dayofweek": lambda date: format_value(date, "dddd"),
    "dayofyear": lambda date: date.timetuple().tm_yday,
    "date": lambda date: date.replace(hour=0, minute=0, second=0, microsecond=0),
    "timeofday": _time_of_day,
    "kind": lambda date: "Unspecified" if date.tzinfo is None else "Utc" if date.tzinfo is UTC else "Local",
    "ticks": lambda date: ((date.toordinal() - 1) * 86400 + int(_time_of_day(date).total_seconds())) * _TICKS,
}


def _part(seconds: int, modulus: int) -> Member:
    def whole(span: timedelta) -> int:
        found = int(abs(span).total_seconds()) // seconds % modulus
        return -found if span < timedelta() else found

    return whole


def _total(seconds: float) -> Member:
    return lambda span: span.total_seconds() / seconds


SPAN_PROPERTIES: Mapping[str, Member] = {
    "days": _part(86400, 1 << 40),
    "hours": _part(3600, 24),
    "minutes": _part(60, 60),
    "seconds": _part(1, 60),
    "milliseconds": lambda span: span.microseconds // 1000,
    "ticks": lambda span: int(span.total_seconds() * _TICKS),
    "totaldays": _total(86400),
    "totalhours": _total(3600),
    "totalminutes": _total(60),
    "totalseconds": _total(1),
    "totalmilliseconds": _total(0.001),
}
