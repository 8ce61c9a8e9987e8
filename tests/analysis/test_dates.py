from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.analysis.dates import Dated, find_date, parse_date
from posthouse.mail.headers import format_date


@pytest.mark.parametrize(
    "text",
    [
        "Tue, 3 Nov 2026 10:00:00 +0000",
        "3 Nov 2026 10:00:00 +0000",
        "Tue,  3 Nov 2026 10:00:00 +0000 (UTC)",
        "tue 03 nov 2026 10:00 -0000",
        "Tuesday, 3 November 2026 10:00:00 GMT",
        "Tue, 03 Nov 26 10:00:00 UT",
        "Tue, 03 Nov 126 10:00:00 +0000",
        "3-Nov-2026 10:00:00 Z",
        "Tue, 3 Nov 2026 11:00:00 +0100 (W. Europe Standard Time)",
        "Tue, 3 Nov 2026 11:00:00 CET",
        "Tue, 3 Nov 2026 02:00:00 -0800 (PST)",
        "Tue, 3 Nov 2026 02:00:00 PST",
        "Tue, 3 Nov 2026 15:30:00 IST",
        "Tue, 3 Nov 2026 10:00:00",
        "Tue, 3 Nov 2026 10:00:00 +9999",
        "Tue, 3 Nov 2026 10.00.00 +00:00",
        "Tue Nov  3 10:00:00 2026",
        "Tue Nov 3 02:00:00 PST 2026",
        "Tue Nov 3 02:00:00 2026 -0800",
        "2026-11-03 10:00:00.0 +0000 UTC m=+1.2",
        "2026/11/03 10:00:00",
        "2026-11-03T10:00:00Z",
        "2026-11-03T11:00:00.000+01:00",
        "Mon, 3 Nov 2026 10:00:00 +0000",
        "Tue, 3 Nov 2026 10:00:00 +0000 (GMT+00:00)",
        "Tue, 3 Nov 2026 02:00:00 (PST)",
        "Tue, 3 Nov 2026 03:00:00 PDT",
        "Tue, 3 Nov 2026 11:00:00 MEZ",
        "Tue, 3 Nov 2026 06:30:00 NST",
        "Tue, 3 Nov 2026 10:00:00 XYZ",
        "Tue, 3 Nov 2026 04:00:00 - 0600",
        "Tue, 3 Nov 2026 11:00:00 +100",
        "Tue, 3 Nov 2026 12:00:00 +02",
        "Tue, 3 Nov 2026 12:00:00 GMT+0200",
        "Tue, 3 Nov 2026 10:00:00 AM +0000",
        "Tue Nov 03 2026 11:00:00 GMT+0100 (CET)",
        "Fri Nov 03 02:00:00 2026 -0800",
        "Nov 3, 2026 at 10:00:00 AM",
        "November 3, 2026 2:00:00 a.m. PST",
        "11/3/2026 10:00:00 AM",
        "11/3/2026 10:00",
        "11-03-2026 10:00:00",
        "\t Tue,\t3 Nov 2026 10:00:00 +0000",
    ],
)
def test_ten_o_clock_in_all_its_forms(text: str) -> None:
    assert parse_date(text) == datetime(2026, 11, 3, 10, tzinfo=UTC)


def test_the_local_time_is_kept() -> None:
    at = parse_date("Tue, 3 Nov 2026 11:30:00 +0130")
    assert at
    assert (at.hour, at.utcoffset()) == (11, timedelta(hours=1, minutes=30))


@pytest.mark.parametrize(
    ("clock", "hour"),
    [("12:05 AM", 0), ("1:05 AM", 1), ("12:05 PM", 12), ("1:05pm", 13), ("11:05 p.m.", 23), ("13:05 PM", 13)],
)
def test_a_clock_of_twelve_hours(clock: str, hour: int) -> None:
    assert parse_date(f"11/3/2026 {clock}") == datetime(2026, 11, 3, hour, 5, tzinfo=UTC)


@pytest.mark.parametrize("letter", "ABCDEFGHIKLMNOPQRSTUVWXYZ")
def test_a_military_zone_says_nothing(letter: str) -> None:
    assert find_date(f"3 Nov 2026 10:00:00 {letter}") == Dated("", datetime(2026, 11, 3, 10, tzinfo=UTC), "")


def test_the_day_comes_first_where_it_can_be_no_month() -> None:
    assert parse_date("13/11/2026 10:00") == datetime(2026, 11, 13, 10, tzinfo=UTC)


def test_fractions_of_a_second_are_kept() -> None:
    at = parse_date("2026-11-03 10:00:00.028704749 +0000 UTC")
    assert at == datetime(2026, 11, 3, 10, 0, 0, 28704, tzinfo=UTC)


def test_an_impossible_date_does_not_hide_the_next() -> None:
    assert parse_date("31 Feb 2026 10:00:00, 3 Nov 2026 10:00:00") == datetime(2026, 11, 3, 10, tzinfo=UTC)


def test_a_leap_second_is_a_second() -> None:
    assert parse_date("Sat, 31 Dec 2016 23:59:60 +0000") == datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "31 Feb 2026 10:00:00",
        "3 Nov 2026",
        "3 Nov 1066 10:00:00",
        "3 Nov 2026 25:00:00",
        "3 Foo 2026 1:00",
    ],
)
def test_what_is_no_date(text: str) -> None:
    assert parse_date(text) is None


def test_what_stands_around_a_date() -> None:
    assert find_date("with ESMTP id 7 Tue, 3 Nov 2026 10:00:00 +0000 (UTC) id 8") == Dated(
        "with ESMTP id 7 ", datetime(2026, 11, 3, 10, tzinfo=UTC), " (UTC) id 8"
    )


moments = st.builds(
    lambda at, minutes: datetime.fromtimestamp(at, timezone(timedelta(minutes=minutes))),
    st.integers(86_400, 4_000_000_000),
    st.integers(-14 * 60, 14 * 60),
)


@given(moments)
def test_every_rfc_5322_date_is_read(moment: datetime) -> None:
    assert parse_date(format_datetime(moment)) == moment


@given(st.integers(0, 4_000_000_000))
def test_our_own_dates_are_read(at: int) -> None:
    read = parse_date(format_date(at))
    assert read
    assert read.timestamp() == at


@given(st.text() | st.text("0123456789 :-+.,()TZNovPSt\t", max_size=60))
def test_no_text_makes_it_raise(text: str) -> None:
    at = parse_date(text)
    if at is not None:
        assert at.astimezone(UTC)
