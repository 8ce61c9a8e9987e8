from __future__ import annotations

import pytest

from posthouse.relay.retry import RetrySchedule

SCHEDULE = RetrySchedule(retry_after=(60.0, 300.0), warn_after=4 * 3600.0, give_up_after=2 * 86400.0)


@pytest.mark.parametrize(("attempts", "interval"), [(1, 60.0), (2, 300.0), (3, 300.0), (1000, 300.0)])
def test_the_last_interval_repeats(attempts: int, interval: float) -> None:
    assert SCHEDULE.next_attempt(attempts=attempts, now=1000.0, chance=0.5) == 1000.0 + interval


def test_jitter_spreads_by_a_tenth_either_way() -> None:
    assert SCHEDULE.next_attempt(attempts=1, now=0.0, chance=0.0) == pytest.approx(54.0)
    assert SCHEDULE.next_attempt(attempts=1, now=0.0, chance=1.0) == pytest.approx(66.0)


def test_a_message_is_given_up_when_its_next_attempt_would_be_too_late() -> None:
    assert not SCHEDULE.is_hopeless(received_at=0.0, next_attempt=2 * 86400.0)
    assert SCHEDULE.is_hopeless(received_at=0.0, next_attempt=2 * 86400.0 + 1)


def test_a_message_is_late_after_warn_after() -> None:
    assert not SCHEDULE.is_late(received_at=0.0, now=4 * 3600.0 - 1)
    assert SCHEDULE.is_late(received_at=0.0, now=4 * 3600.0)
