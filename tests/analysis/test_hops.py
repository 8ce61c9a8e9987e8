from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.analysis.hops import SKEW_SECONDS, Hop, hops, transit
from posthouse.analysis.received import Received, Source, parse_received

TEN = datetime(2026, 11, 3, 10, tzinfo=UTC)
HOUR = 3600
DAY = 86_400


def at(*seconds: float | None) -> tuple[Hop, ...]:
    """Hops at so many seconds after ten, oldest first; None is one without a date."""
    times = [None if after is None else TEN + timedelta(seconds=after) for after in seconds]
    return hops(Received(Source(), f"h{number}", "", "", "", "", "", time) for number, time in enumerate(times))


def wrong_clocks(way: Sequence[Hop]) -> list[int]:
    return [hop.number for hop in way if hop.wrong_clock]


def skewed(way: Sequence[Hop]) -> list[int]:
    return [hop.number for hop in way if hop.skewed]


def test_delays_and_shares() -> None:
    way = at(0, 1, 1, 4)
    assert [hop.number for hop in way] == [1, 2, 3, 4]
    assert [hop.delay for hop in way] == [None, 1.0, 0.0, 3.0]
    assert [hop.share for hop in way] == [0, 0.25, 0, 0.75]
    assert transit(way) == 4.0
    assert skewed(way) == wrong_clocks(way) == []


def test_a_hop_without_a_date_is_stepped_over() -> None:
    way = at(None, 0, None, 9)
    assert [hop.delay for hop in way] == [None, None, None, 9.0]
    assert [hop.share for hop in way] == [0, 0, 0, 1]


@pytest.mark.parametrize("seconds", [(), (None,), (0,), (None, 0, None)])
def test_without_two_dates_there_is_nothing_to_measure(seconds: tuple[float | None, ...]) -> None:
    way = at(*seconds)
    assert transit(way) is None
    assert all((hop.delay, hop.share, hop.skewed) == (None, 0, False) for hop in way)


@pytest.mark.parametrize(
    ("seconds", "wrong", "marked", "whole"),
    [
        pytest.param((0, -600, 5, 7), [2], [2, 3], 7, id="slow clock: the next hop only looks slow"),
        pytest.param((0, HOUR, 5, 7), [2], [2, 3], 7, id="fast clock: the hop itself only looks slow"),
        pytest.param((HOUR, 1, 5), [1], [2], 4, id="the device's clock is fast"),
        pytest.param((HOUR, 5), [1], [2], None, id="of two the later server is believed"),
        pytest.param((0, -600, None, 5), [2], [2, 4], 5, id="over a hop without a date"),
        pytest.param((0, 2, -600, -598, 5, 7), [3, 4], [3, 4, 5], 7, id="two servers with one wrong clock"),
        pytest.param((-9000 * DAY, 0, 1), [1], [2], 1, id="a clock that was never set"),
        pytest.param((0, -SKEW_SECONDS, 1), [], [], 1, id="as good as clocks get"),
        pytest.param((0, 4 * DAY, 4 * DAY + 1), [], [], 4 * DAY + 1, id="four days in a queue are possible"),
    ],
)
def test_a_wrong_clock(
    seconds: tuple[float | None, ...], wrong: list[int], marked: list[int], whole: float | None
) -> None:
    way = at(*seconds)
    assert wrong_clocks(way) == wrong
    assert skewed(way) == marked
    assert transit(way) == whole
    assert not any(hop.share for hop in way if hop.wrong_clock)


def test_a_wrong_clock_takes_no_share_from_the_others() -> None:
    assert [hop.share for hop in at(0, -600, 5, 20)] == [0, 0, 0.25, 0.75]


def test_as_data() -> None:
    lines = (
        "from mfp (unknown [10.0.0.9]) by relay.contoso.com with SMTP id 1; Tue, 3 Nov 2026 11:00:00 +0100",
        (
            "from relay.contoso.com (r.contoso.com [192.0.2.1]) (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)"
            " (Authenticated sender: alice) by mx.example.net with ESMTPSA id 2 for <bob@example.net>;"
            " Tue, 3 Nov 2026 02:00:07.25 -0800"
        ),
    )
    _, last = hops(map(parse_received, lines))
    assert last.to_json() == {
        "number": 2,
        "from": "relay.contoso.com (r.contoso.com [192.0.2.1])",
        "from_name": "relay.contoso.com",
        "from_rdns": "r.contoso.com",
        "from_ip": "192.0.2.1",
        "by": "mx.example.net",
        "with": "ESMTPSA",
        "tls": "TLS1.3",
        "cipher": "TLS_AES_256_GCM_SHA384",
        "client_certificate": "",
        "user": "alice",
        "id": "2",
        "for": "bob@example.net",
        "via": "",
        "time": "2026-11-03T10:00:07.250000+00:00",
        "local_time": "2026-11-03T02:00:07.250000-08:00",
        "delay": 7.25,
        "skewed": False,
        "share": 1.0,
    }
    assert last.received.time
    assert last.received.time.tzinfo == timezone(timedelta(hours=-8))


@given(st.lists(st.none() | st.floats(-1e5, 1e5) | st.sampled_from([0, 1, 2, HOUR]), max_size=12))
def test_shares_add_up_and_marks_are_sound(seconds: list[float | None]) -> None:
    way = at(*seconds)
    whole = sum(hop.share for hop in way)
    assert whole == pytest.approx(1) or whole == 0
    assert all(0 <= hop.share <= 1 for hop in way)
    assert all(hop.skewed for hop in way if hop.delay is not None and hop.delay < -SKEW_SECONDS)
    assert (transit(way) or 0) >= 0
