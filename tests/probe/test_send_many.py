"""Many mails over a few connections."""

import asyncio
import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.mail import Reply
from posthouse.probe import many
from posthouse.probe.many import ManyResult, Tally, send_many
from posthouse.probe.send import SendOptions
from support.peers import CLOSE, GOOD, Peer

BOB = "bob@example.net"
OK = Reply(250, "2.0.0", "queued")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "_PAUSE", 0.001)


def sent(port: int, count: int, concurrency: int = 1, **options: Any) -> ManyResult:
    tally = Tally(count)
    defaults = {"server": "127.0.0.1", "port": port, "sender": "app@contoso.com", "recipients": [BOB]}
    asyncio.run(send_many(SendOptions(**defaults | options), tally, concurrency))
    return tally.result()


def ids(peer: Peer) -> set[bytes]:
    return {re.findall(rb"^Message-ID: <(.+)>", message.content, re.MULTILINE)[0] for message in peer.messages}


def test_each_arrives_once_over_connections_that_are_used_again() -> None:
    with Peer() as peer:
        result = sent(peer.port, 100, 4)
    assert (result.sent, result.refused, result.failed, result.unfinished) == (100, 0, 0, 0)
    assert result.accepted
    assert result.replies == {"250 2.0.0": 100}
    assert len(peer.messages) == len(ids(peer)) == 100
    assert len(peer.sessions) == 4
    assert all(session.commands[-1] == "QUIT" for session in peer.sessions)
    assert not any(command == "RSET" for session in peer.sessions for command in session.commands)


def test_there_are_no_more_connections_than_mails() -> None:
    with Peer() as peer:
        assert sent(peer.port, 2, 10).sent == 2
    assert len(peer.sessions) <= 2


def test_a_whole_message_is_the_same_each_time() -> None:
    raw = b"Subject: a\r\n\r\n.\r\n\xff\r\n"
    with Peer() as peer:
        assert sent(peer.port, 5, raw=raw).sent == 5
    assert [message.content for message in peer.messages] == [raw] * 5


def test_some_are_refused_and_the_others_arrive() -> None:
    refusal = "452 4.3.1 disk full"
    with Peer(CONTENT=[GOOD, refusal, GOOD]) as peer:
        result = sent(peer.port, 10)
    assert (result.sent, result.refused, result.failed) == (9, 1, 0)
    assert result.replies == {"250 2.0.0": 9, "452 4.3.1": 1}
    assert result.refusals == (refusal,)
    assert [explanation.reply for explanation in result.explanations] == [refusal]
    assert len(peer.sessions) == 1


def test_one_recipient_of_several_is_refused() -> None:
    with Peer(RCPT=["250 2.1.5 ok", "550 5.1.1 unknown"]) as peer:
        result = sent(peer.port, 1, recipients=[BOB, "eve@example.net"])
    assert (result.sent, result.refused, result.accepted) == (0, 1, False)
    assert result.replies == {"250 2.0.0": 1, "550 5.1.1": 1}


def test_a_server_that_ends_sessions_between_mails_costs_none() -> None:
    """At MAIL nothing has been taken yet: the mail goes over another connection."""
    with Peer(MAIL=[GOOD, GOOD, CLOSE, GOOD, GOOD, CLOSE, GOOD]) as peer:
        result = sent(peer.port, 8)
    assert (result.sent, result.failed, result.errors) == (8, 0, ())
    assert len(peer.messages) == len(ids(peer)) == 8
    assert len(peer.sessions) == 3


def test_a_connection_that_breaks_in_the_content_costs_one_mail() -> None:
    with Peer(CONTENT=[GOOD, CLOSE, GOOD]) as peer:
        result = sent(peer.port, 8)
    assert (result.sent, result.failed, result.unfinished) == (7, 1, 0)
    assert len(result.errors) == 1
    assert "closed the connection" in result.errors[0]


def test_a_server_that_is_gone_is_given_up() -> None:
    with Peer(MAIL=[*[GOOD] * 3, CLOSE], CONNECT=[GOOD, CLOSE]) as peer:
        result = sent(peer.port, 1_000_000)
    assert (result.sent, result.failed, result.unfinished) == (3, 0, 999_997)
    assert result.errors
    assert len(peer.sessions) < 10


def test_nobody_is_there() -> None:
    with Peer() as peer:
        port = peer.port
    result = sent(port, 10, 3)
    assert (result.sent, result.unfinished) == (0, 10)
    assert result.errors == (f"127.0.0.1 port {port}: refused the connection; does a server listen there?",)
    assert (result.latency.p50, result.rate) == (None, 0)


def test_who_is_told_that_there_are_too_many_connections_leaves_it_to_the_others() -> None:
    with Peer(CONNECT=[GOOD, "421 4.7.0 too many connections"]) as peer:
        result = sent(peer.port, 20, 5)
    assert result.sent == 20
    assert result.errors == ("421 4.7.0 too many connections",)


def test_the_name_has_no_address() -> None:
    result = sent(25, 10, server="nobody.invalid.")
    assert (result.unfinished, len(result.errors)) == (10, 1)
    assert "has no address" in result.errors[0]


def test_progress_is_told_after_each_mail() -> None:
    told: list[int] = []
    with Peer() as peer:
        options = SendOptions(server="127.0.0.1", port=peer.port, sender="", recipients=[BOB])
        asyncio.run(send_many(options, Tally(5, told.append), 2))
    assert told == [1, 2, 3, 4, 5]


def test_who_ends_it_early_has_what_was_done() -> None:
    tally = Tally(1_000_000, lambda done: task.cancel() if done == 10 else None)

    async def run() -> None:
        nonlocal task
        options = SendOptions(server="127.0.0.1", port=peer.port, sender="", recipients=[BOB])
        task = asyncio.ensure_future(send_many(options, tally, 3))
        with pytest.raises(asyncio.CancelledError):
            await task

    task: asyncio.Future[None]
    with Peer() as peer:
        asyncio.run(run())
    result = tally.result()
    assert 10 <= result.sent <= 13
    assert result.unfinished == 1_000_000 - result.sent


@given(st.lists(st.floats(1e-5, 100), min_size=1, max_size=300))
def test_percentiles_are_the_nearest_rank_within_half_a_per_cent(seconds: list[float]) -> None:
    tally = Tally(len(seconds))
    for each in seconds:
        tally.answered([OK], each)
    latency = tally.result().latency
    for per_cent, told in ((50, latency.p50), (95, latency.p95), (99, latency.p99)):
        exact = sorted(seconds)[-(-len(seconds) * per_cent // 100) - 1]
        assert told == pytest.approx(exact, rel=0.005, abs=1e-6)


def test_the_tally_does_not_grow_with_what_a_server_thinks_up() -> None:
    tally = Tally(200_000)
    chance = random.Random(4)
    for number in range(20_000):
        hostile = Reply(chance.choice((450, 550)), f"5.{number % 1000}.{chance.randrange(1000)}", f"no {number}")
        tally.answered([hostile], chance.expovariate(1) + 1e-9)
        tally.trouble(many.SendError(f"error {number}"))
    result = tally.result()
    assert sum(result.replies.values()) == 20_000
    assert len(result.replies) <= 101
    assert len(result.refusals) == len(result.errors) == 5
    assert result.latency.p50 == pytest.approx(0.693, abs=0.05)


@pytest.mark.parametrize("count", [0, -1])
def test_a_count_is_at_least_one(count: int) -> None:
    with pytest.raises(ValueError, match="it should be at least 1"):
        Tally(count)
