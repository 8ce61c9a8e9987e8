"""What changes while mail waits at a gate: permits that are nearly gone, credentials, limits, next hops, the worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from posthouse.mail import Message
from posthouse.organization import Throttle
from posthouse.relay import throttle
from posthouse.relay.limits import Limits
from support.gate import NOBODY, OK, Bench

MakeMails = Callable[..., list[Message]]
NONE = Throttle()


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def people(count: int) -> list[str]:
    return [f"user{number}@example.net" for number in range(count)]


def test_a_list_that_is_too_long_for_what_is_left_of_the_day_holds_nobody_back(mails: MakeMails) -> None:
    async def test() -> None:
        bench = Bench(Limits("Sink", Throttle(recipients_per_day=10)))
        bench.put(*mails(6, "a"))
        await bench.rest()
        bench.put(*mails(1, "list", *people(6)))
        await bench.rest()
        assert bench.tried[-1].recipients == (0, 1, 2, 3)
        [back] = [s for s in bench.spool.settlements if s.postponed]
        assert sorted(back.postponed) == [4, 5]

    run(test())


def test_permits_that_brought_mail_to_nobody_are_there_for_the_next_try(mails: MakeMails) -> None:
    async def test() -> None:
        bench = Bench(Limits("Sink", Throttle(recipients_per_day=4)), answer=lambda _: NOBODY, remote="")
        for number in range(20):
            bench.put(*mails(1, f"try{number:02}", *people(2)))
            await bench.rest()
        bench.answer, bench.remote = lambda _: OK, "mx.test"
        bench.put(*mails(2, "later", *people(2)))
        await bench.rest()
        assert bench.tried_ids[-2:] == ["later0000", "later0001"]

    run(test())


def test_connections_of_a_credential_that_is_no_longer_used_are_given_back(
    mails: MakeMails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "LINGER", 0.0)

    async def test() -> None:
        old, new = (("old", Throttle(connections=3)),), (("new", Throttle(connections=2)),)
        bench = Bench(Limits("Sink", NONE, old))
        bench.put(*mails(10))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert bench.spool.shares["credential/old/connections"] == 3
        bench.gate.limit(Limits("Sink", NONE, new))
        await bench.end()
        assert len(bench.tried) == 10
        assert bench.spool.shares == {"credential/old/connections": 0, "credential/new/connections": 0}

    run(test())


def test_a_gate_is_there_until_its_last_mail_is_settled(mails: MakeMails) -> None:
    async def test() -> None:
        answered = asyncio.Event()
        bench = Bench(Limits("Sink"), until=answered)
        bench.put(*mails(1))
        await bench.rest()
        assert not bench.ended
        answered.set()
        await bench.end()
        assert bench.ended
        assert bench.spool.settlements

    run(test())


def test_a_clock_that_is_set_back_holds_up_no_mail(mails: MakeMails) -> None:
    async def test() -> None:
        bench = Bench(Limits("Sink", Throttle(messages_per_minute=30)))
        bench.put(*mails(8))
        await bench.rest()
        bench.set_back = 3600.0
        await bench.pass_time(40)
        assert len(bench.tried) == 8
        bench.put(*mails(100, "flood"))
        await bench.rest()
        assert 0 < min(bench.spool.postponed.values()) - (bench.now - 3600) < 200

    run(test())


def test_what_went_back_for_long_comes_when_there_are_permits_for_it(mails: MakeMails) -> None:
    async def test() -> None:
        bench = Bench(Limits("Sink", Throttle(messages_per_minute=30)))
        bench.put(*mails(200, "flood"))
        await bench.rest()
        assert bench.spool.hastened == []
        bench.gate.limit(Limits("Sink", Throttle(messages_per_minute=3000)))
        await bench.pass_time(3)
        assert bench.spool.hastened == ["Sink"]

    run(test())


def test_mail_that_waits_for_a_days_permits_is_not_fetched_for_nothing(mails: MakeMails) -> None:
    async def test() -> None:
        bench = Bench(Limits("Sink", Throttle(recipients_per_day=1)))
        bench.put(*mails(5))
        await bench.pass_time(60)
        assert len(bench.spool.postponed) == 4
        assert bench.spool.hastened == []

    run(test())


def test_a_days_limit_is_warned_of_before_it_is_used_up(mails: MakeMails, capsys: pytest.CaptureFixture[str]) -> None:
    async def test() -> None:
        bench = Bench(Limits("Sink", Throttle(recipients_per_day=100)))
        bench.put(*mails(80))
        await bench.rest()
        assert "nearly used up" not in capsys.readouterr().err
        bench.put(*mails(15, "more"))
        await bench.rest()
        assert capsys.readouterr().err.count("nearly used up") == 1

    run(test())
