"""Which replies ask to slow down, and how slowly it goes then."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.mail import Outcome, Reply, Status
from posthouse.relay.answers import asks_to_slow_down, is_quota, with_quota_deferred
from posthouse.relay.brake import BREATHER, QUOTA_PAUSE, STEP, STEPS, Brake, Pace

CONNECTIONS = Reply(432, "4.3.2", "Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending")
QUOTA = Reply(554, "5.2.0", "STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to process message")


@pytest.mark.parametrize(
    "reply",
    [
        CONNECTIONS,
        QUOTA,
        Reply(432, "4.3.2", "STOREDRV.ClientSubmit; sender thread limit exceeded"),
        Reply(451, "4.7.500", "Server busy. Please try again later from [192.0.2.25]. (AS77712)"),
        Reply(451, "4.7.651", "The mail server [192.0.2.5] has been temporarily rate limited due to IP reputation."),
        Reply(451, "4.7.705", "Service unavailable"),
        Reply(421, "4.4.2", "Message submission rate for this client has exceeded the configured limit"),
        Reply(421, "4.7.0", "mx.example.net Too many connections from your address"),
        Reply(450, "4.7.1", "Error: too many messages in a short time, throttled"),
    ],
    ids=str,
)
def test_it_asks_to_slow_down(reply: Reply) -> None:
    assert asks_to_slow_down(reply)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(451, "4.3.2", "Temporary server error. Please try again later ATTR55"),
        Reply(432, "4.3.2", "STOREDRV.Deliver; recipient thread limit exceeded"),
        Reply(452, "4.5.3", "Too many recipients"),
        Reply(451, "4.4.1", "No answer from host"),
        Reply(450, "4.2.0", "Greylisted, see http://postgrey.example.net/"),
        Reply(421, "4.4.2", "too many messages in this connection"),
        Reply(452, "4.3.1", "Message exceeds the corporate limit for now"),
        Reply(554, "5.2.2", "mailbox full; STOREDRV.Submission.Exception:QuotaExceededException"),
        Reply(550, "5.7.1", "Rate limit exceeded for ever"),
        Reply(250, "2.0.0", "OK"),
    ],
    ids=str,
)
def test_it_is_about_something_else(reply: Reply) -> None:
    assert not asks_to_slow_down(reply)


def test_a_days_quota_that_is_used_up_is_no_failure_of_the_mail() -> None:
    full = Reply(550, "5.1.1", "No such user")
    outcomes = [Outcome(0, Status.FAILED, QUOTA, "mx", 0.0), Outcome(1, Status.FAILED, full, "mx", 0.0)]
    assert [(one.status, one.reply) for one in with_quota_deferred(outcomes)] == [
        (Status.DEFERRED, QUOTA),
        (Status.FAILED, full),
    ]
    assert not is_quota(CONNECTIONS)


def test_half_of_what_was_in_use_is_left_after_a_breather_and_comes_back_step_by_step() -> None:
    brake = Brake.pulled(CONNECTIONS, 1000.0, Pace(8, 4.0), None)
    start = 1000 + BREATHER
    assert brake.next_start(999.9, 1000.0) == start
    assert brake.pace_at(start) == Pace(4, 2.0)
    assert brake.next_start(start, start) == start + 0.5
    assert brake.pace_at(start + STEP * STEPS / 2) == Pace(8, 4.0)
    assert not brake.is_over(start + STEP * (STEPS - 1))
    assert brake.is_over(start + STEP * STEPS)


def test_a_second_request_halves_what_had_come_back() -> None:
    first = Brake.pulled(CONNECTIONS, 1000.0, Pace(8, 4.0), None)
    second = Brake.pulled(CONNECTIONS, 1001.0 + 5 * STEP, Pace(8, 4.0), first)
    assert second.pace == Pace(3, 1.5)
    assert second.full == first.full


def test_a_quota_rests_until_the_window_has_moved() -> None:
    brake = Brake.pulled(QUOTA, 1000.0, Pace(3, 0.5), None)
    assert brake.next_start(999.0, 1000.0) == 1000 + QUOTA_PAUSE
    assert not brake.is_over(1000 + QUOTA_PAUSE)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=50))
def test_it_never_comes_to_a_stop_for_ever(pauses: list[float]) -> None:
    brake, now = None, 1000.0
    for pause in pauses:
        now += pause
        brake = Brake.pulled(CONNECTIONS, now, Pace(10, 5.0), brake)
    assert brake is not None
    assert brake.pace_at(now).connections >= 1
    assert brake.next_start(now, now) <= now + 60
