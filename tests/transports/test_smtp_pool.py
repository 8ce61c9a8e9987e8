"""Sessions kept warm between deliveries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from posthouse.mail import Delivery, Envelope, Outcome
from posthouse.transports import PoolLimits
from support.peers import CLOSE, EXTENSIONS, Peer

Mail = Callable[..., Delivery]
To = Callable[..., Envelope]

WAYS = {"pipelined": EXTENSIONS, "one by one": ("SIZE 0",), "chunking": (*EXTENSIONS, "CHUNKING")}


def all_delivered(outcomes: list[Outcome]) -> bool:
    return bool(outcomes) and all(outcome.status == "delivered" for outcome in outcomes)


@pytest.mark.parametrize("extensions", WAYS.values(), ids=WAYS)
def test_one_session_serves_many_deliveries(sender, mail: Mail, extensions):
    with Peer(extensions=extensions) as peer:
        assert all_delivered(sender.deliver(peer, mail(), mail(), mail()))
    assert len(peer.messages) == 3
    (session,) = peer.sessions
    assert [command for command in session.commands if command[:4] in ("EHLO", "RSET", "QUIT")] == [
        "EHLO relay.contoso.com",
        "QUIT",
    ]


def test_deliveries_at_once_have_a_session_each(sender, mail: Mail):
    async def both() -> None:
        transport = sender.transport(peer)
        await asyncio.gather(transport.deliver(mail()), transport.deliver(mail()))
        await transport.close()

    with Peer() as peer:
        asyncio.run(both())
    assert len(peer.sessions) == 2


def test_each_destination_has_its_own(sender, mail: Mail, to: To):
    sender.resolver.hosts["example.com"] = ["127.0.0.1"]
    with Peer() as peer:
        sender.deliver(peer, mail(), mail(to("b@example.com"), destination="example.com"), mail())
    assert len(peer.sessions) == 2


def test_a_refusal_doesn_t_cost_the_session(sender, mail: Mail):
    with Peer(RCPT=["550 5.1.1 unknown", "250 ok"], DATA=["554 5.5.1 nobody", "354 go"]) as peer:
        outcomes = sender.deliver(peer, mail(), mail())
    assert [outcome.status for outcome in outcomes] == ["failed", "delivered"]
    assert len(peer.sessions) == 1


def test_a_server_that_hangs_up_between_deliveries_defers_nothing(sender, mail: Mail):
    with Peer(MAIL=["250 ok", CLOSE, "250 ok"]) as peer:
        assert all_delivered(sender.deliver(peer, mail(), mail()))
    assert len(peer.sessions) == 2


def test_a_server_that_says_421_to_the_next_mail_defers_nothing(sender, mail: Mail):
    with Peer(MAIL=["250 ok", "421 4.4.2 idle too long", "250 ok"]) as peer:
        assert all_delivered(sender.deliver(peer, mail(), mail()))
    assert len(peer.sessions) == 2


def test_one_that_fails_on_the_new_session_too_is_deferred(sender, mail: Mail):
    with Peer(MAIL=["250 ok", CLOSE]) as peer:
        outcomes = sender.deliver(peer, mail(), mail())
    assert [outcome.reply.enhanced for outcome in outcomes] == ["2.0.0", "4.4.2"]
    assert len(peer.sessions) == 2


@pytest.mark.parametrize("goodbye", ["250 2.0.0 queued\r\n421 4.3.2 going down", "250 2.0.0 queued\r\n250 what?"])
def test_a_session_that_ends_while_idle_is_not_used_again(sender, mail: Mail, goodbye: str):
    with Peer(CONTENT=[goodbye, "250 2.0.0 queued"]) as peer:
        assert all_delivered(sender.deliver(peer, mail(), mail()))
    assert len(peer.sessions) == 2


@pytest.mark.parametrize(
    ("limits", "sessions"),
    [(PoolLimits(transactions=2), 2), (PoolLimits(transactions=1), 3), (PoolLimits(idle=0), 3)],
)
def test_a_session_has_its_time(sender, mail: Mail, limits: PoolLimits, sessions: int):
    with Peer() as peer:
        assert all_delivered(sender.deliver(peer, mail(), mail(), mail(), limits=limits))
    assert len(peer.sessions) == sessions


def test_an_idle_session_says_quit(sender, mail: Mail):
    async def deliver_and_wait() -> None:
        transport = sender.transport(peer, limits=PoolLimits(idle_seconds=0.05))
        await transport.deliver(mail())
        await asyncio.to_thread(peer.quit_said.wait)
        await transport.deliver(mail())
        await transport.close()

    with Peer() as peer:
        asyncio.run(deliver_and_wait())
    assert len(peer.sessions) == 2


def test_sessions_that_ended_while_idle_take_no_room(sender, mail: Mail, to: To):
    sender.resolver.hosts |= {f"{n}.example.net": ["127.0.0.1"] for n in range(3)}
    dead = [mail(to(f"b@{n}.example.net"), destination=f"{n}.example.net") for n in range(3)]
    goodbyes = ["250 2.0.0 queued\r\n421 4.3.2 going down"] * 3
    with Peer(CONTENT=[*goodbyes, "250 2.0.0 queued"]) as peer:
        assert all_delivered(sender.deliver(peer, *dead, mail(), mail(), limits=PoolLimits(idle=3)))
    assert len(peer.sessions) == 4


def test_closing_waits_for_the_goodbye_but_not_forever(sender, mail: Mail):
    with Peer(QUIT=CLOSE) as peer:
        assert all_delivered(sender.deliver(peer, mail()))
    assert peer.sessions[0].commands[-1] == "QUIT"


def test_a_delivery_that_ends_after_closing_leaves_no_session(sender, mail: Mail):
    async def close_during_delivery() -> Outcome:
        transport = sender.transport(peer)
        task = asyncio.create_task(transport.deliver(mail()))
        await asyncio.to_thread(peer.contacted.wait)
        await transport.close()
        (outcome,) = await task
        await asyncio.to_thread(peer.quit_said.wait)
        return outcome

    with Peer() as peer:
        assert asyncio.run(close_during_delivery()).status == "delivered"


def test_a_cancelled_delivery_leaves_nothing_behind(sender, mail: Mail):
    async def cancelled() -> list[Outcome]:
        transport = sender.transport(peer)
        await transport.deliver(mail())
        task = asyncio.create_task(transport.deliver(mail()))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        outcomes = list(await transport.deliver(mail()))
        await transport.close()
        return outcomes

    with Peer() as peer:
        assert all_delivered(asyncio.run(cancelled()))
    assert len(peer.sessions) == 2


def test_the_source_address_goes_with_every_session(sender, mail: Mail):
    sender.connector = replace(sender.connector, source_address="127.0.0.9")
    with Peer() as peer:
        sender.deliver(peer, mail(), mail(), limits=PoolLimits(idle=0))
    assert {session.client for session in peer.sessions} == {"127.0.0.9"}
