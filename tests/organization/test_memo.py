"""What look-ups remember, and how little a stranger can make them keep."""

from __future__ import annotations

from posthouse.organization import Organization, Peer, candidates, route
from posthouse.organization.memo import Memo
from posthouse.organization.model import REMEMBERED


def test_it_begins_anew_when_it_is_full() -> None:
    memo: Memo[int, str] = Memo(2)

    assert [memo.remember(key, str(key)) for key in (1, 2, 3)] == ["1", "2", "3"]
    assert memo == {3: "3"}


def test_the_same_question_gets_the_same_answer_and_strangers_fill_no_memory() -> None:
    organization = Organization()
    peer = Peer("192.0.2.1")

    assert candidates(organization, peer) is candidates(organization, Peer("192.0.2.1"))
    assert route(organization, "a@example.net") is route(organization, "a@example.net")
    for number in range(3 * REMEMBERED):
        candidates(organization, Peer(f"2001:db8::{number:x}"))
        route(organization, f"{number}@example.net")
    assert len(organization.candidates_by_peer) <= REMEMBERED
    assert len(organization.routes) <= REMEMBERED
