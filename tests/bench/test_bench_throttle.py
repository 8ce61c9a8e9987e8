from __future__ import annotations

from bench.parts.throttle import Sink, most_in


def test_the_fullest_minute_is_found_wherever_it_begins() -> None:
    assert most_in(60, [0, 1, 59, 60, 61, 200]) == 3
    assert most_in(60, []) == 0


def test_what_comes_twice_is_counted() -> None:
    sink = Sink()
    for number in (1, 2, 2, 3, 3, 3):
        sink.arrived(number)
    assert sink.twice == 3
