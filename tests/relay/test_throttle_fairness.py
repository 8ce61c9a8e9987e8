"""Whose mail goes next, and when what went back to the store is due again."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from posthouse.organization import Priority
from posthouse.relay.fairness import COST, Clocks, FairQueue

Mail = tuple[str, int]

SENDERS = st.sampled_from("abcde")
ARRIVALS = st.lists(SENDERS, min_size=1, max_size=80)


def filled(*senders: str, priority: Priority = Priority.NORMAL) -> FairQueue[Mail]:
    """A mail of each of these senders, in the order of their coming."""
    queue: FairQueue[Mail] = FairQueue()
    for number, sender in enumerate(senders):
        queue.put(sender, priority, f"{number:04}", (sender, number))
    return queue


def taken(queue: FairQueue[Mail], count: int = 1000) -> list[Mail]:
    """What goes next, so many times."""
    mails: list[Mail] = []
    while len(mails) < count and (mail := queue.first(lambda _: True)) is not None:
        queue.take(mail[0], mail)
        mails.append(mail)
    return mails


def test_a_newcomer_overtakes_a_flood() -> None:
    queue = filled(*"f" * 50)
    taken(queue, 10)
    queue.put("n", Priority.NORMAL, "9999", ("n", 9999))
    assert "n" in [sender for sender, _ in taken(queue, 2)]


def test_senders_take_turns() -> None:
    assert "".join(sender for sender, _ in taken(filled(*"aaaabbc"))) == "abcabaa"


@given(ARRIVALS)
def test_all_mail_goes_each_sender_in_its_order(arrivals: list[str]) -> None:
    mails = taken(filled(*arrivals))
    assert sorted(mails) == sorted((sender, number) for number, sender in enumerate(arrivals))
    for sender in set(arrivals):
        numbers = [number for one, number in mails if one == sender]
        assert numbers == sorted(numbers)


@given(ARRIVALS)
def test_nobody_gets_two_turns_more_than_another_who_waits(arrivals: list[str]) -> None:
    turns: Counter[str] = Counter()
    left = Counter(arrivals)
    for sender, _ in taken(filled(*arrivals)):
        turns[sender] += 1
        left[sender] -= 1
        waiting = [turns[other] for other in left if left[other]]
        assert all(turns[sender] - other <= 1 for other in waiting)


def test_priority_gives_turns_but_never_all_of_them() -> None:
    queue: FairQueue[Mail] = FairQueue()
    for number in range(100):
        for priority in Priority:
            queue.put(priority.value, priority, f"{number:04}", (priority.value, number))
    turns = Counter(sender for sender, _ in taken(queue, 84))
    assert turns == {"High": 64, "Normal": 16, "Low": 4}
    assert COST[Priority.NORMAL] / COST[Priority.HIGH] == 4


def test_who_had_no_mail_has_saved_no_turns() -> None:
    queue = filled(*"a" * 40)
    taken(queue, 20)
    for number in range(100, 110):
        queue.put("b", Priority.NORMAL, str(number), ("b", number))
    assert "bb" not in "".join(sender for sender, _ in taken(queue, 10))


def test_older_mail_that_comes_back_takes_its_place() -> None:
    queue = filled(*"aaa")
    queue.put("a", Priority.NORMAL, "0000.5", ("a", -1))
    assert [number for _, number in taken(queue)] == [0, -1, 1, 2]


def test_what_may_not_go_is_passed_over() -> None:
    queue = filled(*"aab")
    assert queue.first(lambda mail: mail[1] == 1) == ("a", 1)
    assert queue.first(lambda _: False) is None
    assert len(queue) == 3


def test_a_flood_makes_room_with_its_newest_mail() -> None:
    queue = filled(*"bffffffb")
    assert [queue.displace() for _ in range(4)] == [("f", 6), ("f", 5), ("f", 4), ("f", 3)]
    assert sorted(queue) == [("b", 0), ("b", 7), ("f", 1), ("f", 2)]
    assert (queue.waiting("f"), queue.waiting("x")) == (2, 0)


@given(st.lists(st.tuples(SENDERS, st.floats(0, 5)), min_size=2, max_size=60))
def test_a_senders_mail_is_due_at_the_pace_it_could_go_at_alone(asks: list[tuple[str, float]]) -> None:
    clocks, now = Clocks(), 1000.0
    due: dict[str, list[float]] = {}
    for sender, pause in asks:
        now += pause
        due.setdefault(sender, []).append(clocks.due(sender, now, now + 10, 2.0))
        assert due[sender][-1] >= now + 12 - 1e-6
    for times in due.values():
        assert all(later - earlier >= 2 - 1e-6 for earlier, later in pairwise(times))


def test_a_newcomer_does_not_wait_for_a_floods_clock() -> None:
    clocks = Clocks()
    assert [clocks.due("flood", 0, 0, 2.0) for _ in range(1000)][-1] == 2000
    assert clocks.due("newcomer", 0, 0, 2.0) == 2


def test_mail_of_many_senders_comes_back_no_more_than_twice_as_fast_as_it_may_go() -> None:
    clocks = Clocks()
    due = sorted(clocks.due(sender, 0, 0, 1.0) for _ in range(3) for sender in range(1000))
    assert all(due[place + 100] - due[place] >= 45 for place in range(0, 2900, 100))
    assert due[-1] <= 1.1 * 3000 / 2


def test_clocks_of_senders_that_have_run_down_are_forgotten() -> None:
    clocks = Clocks()
    for sender in range(5000):
        clocks.due(sender, now=0.0, earliest=0.0, interval=1.0)
    for sender in range(5000, 25_000):
        clocks.due(sender, now=1e6 + sender * 100.0, earliest=0.0, interval=1.0)
    assert len(clocks._last) <= 10_000
