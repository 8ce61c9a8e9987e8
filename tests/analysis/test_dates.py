from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.analysis.dates import parse_date, split_date
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
        "2026-11-03 10:00:00.123456 +0000 UTC m=+1.2",
        "2026-11-03T10:00:00Z",
        "2026-11-03T11:00:00.5+01:00",
        "\t Tue,\t3 Nov 2026 10:00:00 +0000",
    ],
)
def test_ten_o_clock_in_all_its_forms(text: str) -> None:
    assert parse_date(text) == datetime(2026, 11, 3, 10, tzinfo=UTC)


def test_the_local_time_is_kept() -> None:
    at = parse_date("Tue, 3 Nov 2026 11:30:00 +0130")
    assert at
    assert (at.hour, at.utcoffset()) == (11, timedelta(hours=1, minutes=30))


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


def test_what_stands_before_a_date() -> None:
    before, at = split_date("with ESMTP id 7 Tue, 3 Nov 2026 10:00:00 +0000")
    assert before == "with ESMTP id 7 "
    assert at


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
