"""What a gate lets through, what it makes wait, and what goes back to the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from typing import Any

import pytest

from posthouse.mail import MemoryContent, Message, Notify, Reply, Status
from posthouse.organization import Credential, CredentialKind, Organization, OutboundConnector, Priority, Throttle
from posthouse.relay import throttle
from posthouse.relay.brake import Pace
from posthouse.relay.limits import Limits, limits_in
from support.gate import NOBODY, NOW, OK, TOO_MANY, Bench

MakeMails = Callable[..., list[Message]]
NONE = Throttle()


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def test_a_minutes_messages_and_no_more(mails: MakeMails) -> None:
    async def test() -> None:
        bench = Bench(Limits("Sink", Throttle(messages_per_minute=30)))
        bench.put(*mails(45))
        await bench.rest()
        assert len(bench.tried) == 5  # a sixth of them at once
        await bench.pass_time(59)
        assert len(bench.tried) == 30
        await bench.pass_time(30)
        assert len(bench.tried) == 45
        assert bench.tried_ids == sorted(bench.tried_ids)

    run(test())


def test_all_senders_get_their_turns_and_those_of_high_priority_more(mails: MakeMails) -> None:
    async def test() -> None:
        bench = Bench(Limits("Sink", Throttle(messages_per_minute=60)), priorities={"Alarms": Priority.HIGH})
        bench.put(*mails(40, "flood"))
        await bench.rest()
        bench.put(*mails(1, "newcomer"), *mails(4, "a", connector="Alarms"))
        await bench.pass_time(11)
        assert [name for name in bench.tried_ids[10:] if not name.startswith("flood")] == [
            "a0000", "a0001", "a0002", "newcomer0000", "a0003",
        ]  # fmt: skip

    run(test())


def test_what_would_wait_too_long_goes_back_to_the_store_at_its_senders_pace(mails: MakeMails) -> None:
    async def test() -> None:
        bench = Bench(Limits("Sink", Throttle(messages_per_minute=30)))
        bench.put(*mails(200, "flood"))
        await bench.rest()
        due = sorted(bench.spool.postponed.items())
        assert len(due) == 200 - 60
        assert [due[n + 1][1] - due[n][1] for n in range(100)] == [pytest.approx(2.0)] * 100
        assert due[0][1] >= NOW + 60
        [first] = [s for s in bench.spool.settlements if s.message_id == due[0][0]]
        assert str(first.waits) == "450 4.4.5 waits: connector Sink allows 30 messages a minute"

    run(test())


def test_recipients_of_a_day_are_counted_and_a_list_too_long_for_a_day_goes_in_parts(mails: MakeMails) -> None:
    async def test() -> None:
        bench = Bench(Limits("Sink", Throttle(recipients_per_day=4)))
        bench.put(*mails(1, "list", *(f"user{number}@example.net" for number in range(6))))
        await bench.rest()
        assert [delivery.recipients for delivery in bench.tried] == [(0, 1, 2, 3)]
        [back] = [s for s in bench.spool.settlements if s.postponed]
        assert sorted(back.postponed) == [4, 5]
        assert (back.postponed[4] or 0) > NOW + 86400

    run(test())


def test_connections_at_once_are_asked_for_and_given_back(mails: MakeMails, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "LINGER", 0.0)

    async def test() -> None:
        bench = Bench(Limits("Sink", Throttle(connections=3)))
        bench.put(*mails(20))
        await bench.rest()
        assert len(bench.tried) == 20
        assert bench.most_at_once == 3
        await bench.end()
        assert bench.spool.shares == {"outbound/Sink/connections": 0}
        assert bench.ended_idle >= 1

    run(test())


def test_idle_sessions_elsewhere_make_way_for_one_connection(mails: MakeMails) -> None:
    async def test() -> None:
        bench = Bench(Limits("Internet", Throttle(connections=1)))
        bench.put(*mails(1, "a"), destination="one.test")
        bench.put(*mails(1, "b"), destination="two.test")
        await bench.rest()
        assert [delivery.destination for delivery in bench.tried] == ["one.test", "two.test"]
        assert bench.ended_idle == 1

    run(test())


def test_several_credentials_share_the_load(mails: MakeMails) -> None:
    async def test() -> None:
        each = Throttle(messages_per_minute=6)
        bench = Bench(Limits("Sink", NONE, (("one", each), ("two", each))))
        bench.put(*mails(8))
        await bench.rest()
        assert sorted(delivery.credential for delivery in bench.tried) == ["one", "two"]
        await bench.pass_time(36)
        assert sorted(delivery.credential for delivery in bench.tried) == ["one"] * 4 + ["two"] * 4

    run(test())


def test_a_mail_passes_both_the_connector_and_the_credential(mails: MakeMails) -> None:
    async def test() -> None:
        shares = tuple((name, Throttle(messages_per_minute=60)) for name in ("one", "two"))
        bench = Bench(Limits("Sink", Throttle(messages_per_minute=6), shares))
        bench.put(*mails(8))
        await bench.rest()
        assert len(bench.tried) == 1

    run(test())


def test_a_credential_that_cannot_sign_in_is_passed_over(mails: MakeMails) -> None:
    async def test() -> None:
        bench = Bench(Limits("Sink", NONE, (("one", NONE), ("two", Throttle(messages_per_minute=600)))))
        refusal = Reply(451, "4.7.0", "smtp.test does not sign scanner in")
        bench.answer = lambda delivery: refusal if delivery.credential == "one" else OK
        bench.put(*mails(1))
        await bench.rest()
        bench.put(*mails(6, "later"))
        await bench.rest()
        assert [delivery.credential for delivery in bench.tried] == ["one", *["two"] * 6]

    run(test())


def test_who_asks_to_slow_down_gets_half_and_comes_back(mails: MakeMails) -> None:
    async def test() -> None:
        bench = Bench(Limits("Sink"))
        bench.gate.slow_down("mx.test", TOO_MANY, Pace(1, 1.0))
        assert bench.gate.is_needed
        bench.put(*mails(20))
        await bench.rest()
        assert bench.tried == []
        await bench.pass_time(10)
        assert 4 <= len(bench.tried) <= 8
        await bench.pass_time(100)
        assert len(bench.tried) == 20
        assert not bench.gate.is_needed

    run(test())


def test_one_destination_that_asks_to_slow_down_holds_no_other_back(mails: MakeMails) -> None:
    async def test() -> None:
        bench = Bench(Limits("Internet", Throttle(messages_per_minute=600)))
        bench.answer = lambda delivery: TOO_MANY if delivery.destination == "busy.test" else OK
        bench.put(*mails(1, "a"), destination="busy.test")
        await bench.rest()
        bench.put(*mails(5, "a", "user@busy.test"), destination="busy.test")
        bench.put(*mails(5, "a"), destination="other.test")
        await bench.rest()
        assert [delivery.destination for delivery in bench.tried] == ["busy.test", *["other.test"] * 5]

    run(test())


def test_what_waits_behind_nobody_is_deferred_with_it(mails: MakeMails) -> None:
    async def test() -> None:
        bench = Bench(Limits("Sink", Throttle(messages_per_minute=6)), answer=lambda _: NOBODY, remote="")
        bench.put(*mails(5))
        await bench.rest()
        assert len(bench.tried) == 1
        assert [s.outcomes[0].reply for s in bench.spool.settlements] == [NOBODY] * 5

    run(test())


def test_a_new_limit_goes_for_what_waits_already(mails: MakeMails) -> None:
    async def test() -> None:
        bench = Bench(Limits("Sink", Throttle(messages_per_minute=1)))
        bench.put(*mails(10))
        await bench.rest()
        assert len(bench.tried) == 1
        bench.gate.limit(Limits("Sink"))
        await bench.rest()
        assert len(bench.tried) == 10

    run(test())


def test_what_waits_here_for_a_while_is_told_once(mails: MakeMails) -> None:
    async def test() -> None:
        bench = Bench(Limits("Sink", Throttle(messages_per_minute=1)))
        bench.put(*mails(3))
        await bench.rest()
        await bench.pass_time(5)
        noted = [s.message_id for s in bench.spool.settlements if s.waits and None in s.postponed.values()]
        assert noted == ["m0001", "m0002"]

    run(test())


def test_asking_costs_little_where_much_goes_through(mails: MakeMails) -> None:
    async def test() -> None:
        bench = Bench(Limits("Sink", Throttle(messages_per_minute=6000)))
        bench.put(*mails(400))
        await bench.rest()
        assert len(bench.tried) == 400
        assert bench.spool.asked <= 40

    run(test())


def test_waiting_is_no_attempt_but_late_mail_is_told_of_and_old_mail_given_up(mails: MakeMails) -> None:
    async def test() -> None:
        bench = Bench(Limits("Sink", Throttle(recipients_per_day=1)))
        first, *others = mails(3, notify=Notify.DELAY | Notify.FAILURE)
        bench.put(first)
        await bench.end()
        bench.put(others[0])
        await bench.end()
        assert bench.spool.postponed == {others[0].id: NOW + 4 * 3600}  # when its sender wants to hear of it
        bench.now = NOW + 4 * 3600
        bench.put(others[0])
        await bench.end()
        assert [dsn.reasons for dsn in bench.spool.dsns] == [f"DSN for {others[0].id}"]
        bench.spool.used["outbound/Sink/day"] = {int((NOW + 47.9 * 3600) // 900): 1}
        bench.now = NOW + 48 * 3600
        bench.put(others[1])
        await bench.end()
        [outcome] = bench.spool.last.outcomes
        assert (outcome.status, outcome.reply.enhanced) == (Status.FAILED, "5.4.7")

    run(test())


def names(limits: Iterable[Limits]) -> list[str]:
    return [each.connector for each in limits]


def test_connectors_without_limits_have_no_gate() -> None:
    throttled = Credential("limited", CredentialKind.BASIC, throttle=Throttle(messages_per_minute=30))
    organization = Organization(
        outbound=(
            OutboundConnector("Free"),
            OutboundConnector("By itself", throttle=Throttle(connections=3)),
            OutboundConnector("By credential", credential=("limited", "free")),
            OutboundConnector("By none", credential=("free",)),
            OutboundConnector("Off", enabled=False, throttle=Throttle(connections=3)),
        ),
        credentials=(throttled, Credential("free", CredentialKind.BASIC)),
    )
    assert names(limits_in(organization)) == ["By itself", "By credential"]
    by_credential = list(limits_in(organization))[1]
    assert by_credential.rate is None  # the other one has no limit


def test_large_mail_and_long_lists_do_not_fill_a_workers_hands(mails: MakeMails) -> None:
    async def test() -> None:
        bench = Bench(Limits("Sink", Throttle(messages_per_minute=600)), answer=lambda _: TOO_MANY)
        bench.gate.slow_down("mx.test", TOO_MANY, Pace(1, 1.0))
        large = MemoryContent((bytes(1 << 20),))
        bench.put(*(replace(mail, content=large) for mail in mails(12, "large")))
        await bench.rest()
        assert len(bench.spool.postponed) == 4
        bench.put(*mails(3, "list", *(f"user{number}@example.net" for number in range(1500))))
        await bench.rest()
        assert len(bench.gate._queue) <= 9

    run(test())


def test_without_a_limit_of_messages_mail_comes_back_as_fast_as_it_goes(mails: MakeMails) -> None:
    async def test() -> None:
        bench = Bench(Limits("Sink", Throttle(connections=3)))
        bench.put(*mails(1000, "early"))
        for _ in range(20):
            await bench.rest()
        bench.put(*mails(2200, "late"))
        await asyncio.sleep(0)
        due = sorted(bench.spool.postponed.values())
        assert len(due) >= 200
        assert due[-1] - due[0] < 2

    run(test())
