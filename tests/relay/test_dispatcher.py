"""Leased messages routed, queued by destination, delivered, settled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import pytest

from posthouse.mail import Delivery, Message, Outcome, Reply, Status, domain_of
from posthouse.organization import AcceptedDomain, Organization, OutboundConnector, Throttle, TransportKind
from posthouse.relay.budget import Budget
from posthouse.relay.dispatcher import ALL_LANES, LANES, Dispatcher
from posthouse.relay.in_force import InForce
from posthouse.relay.settling import Settler
from posthouse.relay.worker import new_id
from posthouse.settings import Settings
from posthouse.spool import Lease, Pending, Settlement, Spool
from posthouse.transports import Transport
from support.gate import Allowing
from support.recording import RecordingSpool

MakeMessage = Callable[..., Message]
OK = Reply(250, "2.0.0", "OK")
NOBODY = Reply(451, "4.4.1", "No answer from host")

ORGANIZATION = Organization(
    accepted_domains=(AcceptedDomain("contoso.com"),),
    outbound=(
        OutboundConnector("Mailboxes", all_accepted_domains=True, transport=TransportKind.MAILBOX, mailboxes=("*",)),
        OutboundConnector(
            "Branch",
            recipient_domains=("branch.test",),
            transport=TransportKind.MAILBOX,
            mailboxes=("user@branch.test",),
        ),
        OutboundConnector("Internet", recipient_domains=("*.net",), use_mx_record=True),
    ),
)


class Scripted:
    """A transport that does what the test says, and counts how many deliveries are under way at once."""

    def __init__(self, answer: Callable[[Delivery], Sequence[Outcome]]) -> None:
        self.answer = answer
        self.deliveries: list[Delivery] = []
        self.at_once = self.most_at_once = 0

    def destination(self, forward_path: str) -> str:
        return domain_of(forward_path)

    async def deliver(self, delivery: Delivery) -> Sequence[Outcome]:
        self.deliveries.append(delivery)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        return self.answer(delivery)

    async def end_idle(self) -> None: ...

    async def close(self) -> None: ...


def all_of(delivery: Delivery, status: Status, reply: Reply, remote: str = "mx.test") -> list[Outcome]:
    return [Outcome(recipient, status, reply, remote, 0.0) for recipient in delivery.recipients]


def delivered(delivery: Delivery) -> list[Outcome]:
    return all_of(delivery, Status.DELIVERED, OK)


def made(spool: RecordingSpool, transport: Transport | None) -> Dispatcher:
    in_force = InForce.made(1, ORGANIZATION, Settings(hostname="relay.test"))
    settler = Settler(
        spool=cast("Spool", spool),
        budget=Budget(),
        in_force=lambda: in_force,
        hostname="relay.test",
        new_id=new_id,
        clock=lambda: 1000.0,
    )
    return Dispatcher(
        organization=lambda: ORGANIZATION,
        transport=lambda _: transport,
        settler=settler,
        spool=cast("Spool", spool),
        clock=lambda: 1000.0,
        elapsed=lambda: 1000.0,
    )


def dispatch(spool: RecordingSpool, transport: Transport | None, *messages: Message) -> Dispatcher:
    """Take the messages and wait until all their deliveries are settled."""

    async def run() -> Dispatcher:
        dispatcher = made(spool, transport)
        for message in messages:
            dispatcher.take_fresh(message)
        await dispatcher.drained()
        return dispatcher

    return asyncio.run(run())


def test_recipients_of_one_destination_share_a_delivery(spool: RecordingSpool, message: MakeMessage) -> None:
    transport = Scripted(delivered)
    dispatch(spool, transport, message("a@example.net", "user@contoso.com", "b@example.net"))
    assert sorted((d.connector, d.destination, d.recipients) for d in transport.deliveries) == [
        ("Internet", "example.net", (0, 2)),
        ("Mailboxes", "contoso.com", (1,)),
    ]


def test_a_recipient_that_no_connector_takes_fails(spool: RecordingSpool, message: MakeMessage) -> None:
    dispatch(spool, Scripted(delivered), message("user@example.org", "user@example.net"))
    outcomes = {o.recipient: o for settlement in spool.settlements for o in settlement.outcomes}
    assert outcomes[0].status is Status.FAILED
    assert outcomes[0].reply.enhanced == "5.4.4"
    assert outcomes[1].status is Status.DELIVERED


def test_a_mailbox_that_is_not_listed_is_not_made(spool: RecordingSpool, message: MakeMessage) -> None:
    transport = Scripted(delivered)
    dispatch(spool, transport, message("nobody@branch.test", "USER@branch.test"))
    outcomes = {o.recipient: o for settlement in spool.settlements for o in settlement.outcomes}
    assert (outcomes[0].status, str(outcomes[0].reply)) == (Status.FAILED, "550 5.1.1 Mailbox unavailable")
    assert outcomes[1].status is Status.DELIVERED
    assert [(d.connector, d.recipients) for d in transport.deliveries] == [("Branch", (1,))]


def test_only_a_message_that_just_came_has_been_tried_by_nobody(spool: RecordingSpool, message: MakeMessage) -> None:
    """A worker that died may have sent what is claimed, whatever its number of attempts says."""
    transport = Scripted(delivered)

    async def run(fresh: Message, claimed: Message) -> None:
        dispatcher = made(spool, transport)
        dispatcher.take_fresh(fresh)
        dispatcher.take(Lease(claimed, (Pending(0, 0, False),)))
        await dispatcher.drained()

    asyncio.run(run(message("a@example.net"), message("user@contoso.com")))
    assert {domain_of(d.message.envelope.recipients[0].forward_path): d.is_first for d in transport.deliveries} == {
        "example.net": True,
        "contoso.com": False,
    }


def test_a_destination_has_ten_deliveries_at_once(spool: RecordingSpool, message: MakeMessage) -> None:
    transport = Scripted(delivered)
    dispatch(spool, transport, *(message("user@example.net") for _ in range(30)))
    assert transport.most_at_once == LANES


def test_many_destinations_together_have_a_bound_too(spool: RecordingSpool, message: MakeMessage) -> None:
    transport = Scripted(delivered)
    dispatch(spool, transport, message(*(f"user@d{number}.net" for number in range(ALL_LANES + 50))))
    assert len(transport.deliveries) == ALL_LANES + 50
    assert transport.most_at_once == ALL_LANES


def test_what_waits_behind_an_unreachable_destination_is_deferred_with_it(
    spool: RecordingSpool, message: MakeMessage
) -> None:
    transport = Scripted(lambda delivery: all_of(delivery, Status.DEFERRED, NOBODY, remote=""))
    dispatch(spool, transport, *(message("user@example.net") for _ in range(50)))
    assert len(transport.deliveries) <= LANES
    assert all(o.status is Status.DEFERRED for settlement in spool.settlements for o in settlement.outcomes)


def test_a_host_that_answers_4xx_holds_nobody_else_back(spool: RecordingSpool, message: MakeMessage) -> None:
    transport = Scripted(lambda delivery: all_of(delivery, Status.DEFERRED, Reply(451, "4.3.2", "Busy")))
    dispatch(spool, transport, *(message("user@example.net") for _ in range(20)))
    assert len(transport.deliveries) == 20


def test_a_defect_in_a_transport_defers_the_mail(spool: RecordingSpool, message: MakeMessage) -> None:
    def broken(delivery: Delivery) -> Sequence[Outcome]:
        raise ZeroDivisionError

    dispatch(spool, Scripted(broken), message("user@example.net"))
    (outcome,) = spool.last.outcomes
    assert (outcome.status, outcome.reply.enhanced) == (Status.DEFERRED, "4.3.0")


def test_a_message_that_breaks_a_transport_holds_nobody_else_back(spool: RecordingSpool, message: MakeMessage) -> None:
    def broken(delivery: Delivery) -> Sequence[Outcome]:
        raise ZeroDivisionError

    transport = Scripted(broken)
    dispatch(spool, transport, *(message("user@example.net") for _ in range(20)))
    assert len(transport.deliveries) == 20


def test_a_connector_that_cannot_be_used_keeps_its_mail_waiting(spool: RecordingSpool, message: MakeMessage) -> None:
    dispatch(spool, None, message("user@example.net"))
    (outcome,) = spool.last.outcomes
    assert (outcome.status, outcome.reply.enhanced) == (Status.DEFERRED, "4.3.5")


def test_a_settlement_that_breaks_does_not_stop_its_lane(
    spool: RecordingSpool, message: MakeMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks = iter([True] * LANES)
    settle = spool.settle

    def broken(settlement: Settlement) -> None:
        if next(breaks, False):
            raise ZeroDivisionError
        settle(settlement)

    monkeypatch.setattr(spool, "settle", broken)
    dispatch(spool, Scripted(delivered), *(message("user@example.net") for _ in range(15)))
    assert len(spool.settlements) == 5


def test_a_delivery_that_outlasts_the_drain_has_ended_before_its_lease_is_given_back(
    spool: RecordingSpool, message: MakeMessage
) -> None:
    """Otherwise two could deliver it at once."""
    ended: list[str] = []

    class Hanging(Scripted):
        async def deliver(self, delivery: Delivery) -> Sequence[Outcome]:
            try:
                return await asyncio.get_running_loop().create_future()
            finally:
                ended.append(delivery.message.id)

    async def run(message: Message) -> None:
        dispatcher = made(spool, Hanging(delivered))
        dispatcher.take_fresh(message)
        await asyncio.sleep(0)
        dispatcher.drain()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await dispatcher.drained()
        assert ended == [message.id]

    asyncio.run(run(message("user@example.net")))
    assert spool.settlements == []


def test_an_idle_dispatcher_holds_nothing(spool: RecordingSpool, message: MakeMessage) -> None:
    dispatcher = dispatch(spool, Scripted(delivered), *(message("user@example.net") for _ in range(5)))
    assert not dispatcher._lanes


def test_a_drain_waits_for_the_last_delivery_of_a_connector_whose_limits_are_gone(message: MakeMessage) -> None:
    """Or it would be sent, and unsettled be sent again."""
    answered, spool = asyncio.Event(), Allowing()

    class Slow(Scripted):
        async def deliver(self, delivery: Delivery) -> Sequence[Outcome]:
            await answered.wait()
            return self.answer(delivery)

    async def run() -> None:
        dispatcher = made(spool, Slow(delivered))
        limited = [replace(each, throttle=Throttle(messages_per_minute=60)) for each in ORGANIZATION.outbound]
        dispatcher.limit(replace(ORGANIZATION, outbound=tuple(limited)))
        dispatcher.take_fresh(message("user@example.net"))
        await turns()
        dispatcher.limit(ORGANIZATION)
        await turns()
        dispatcher.drain()
        drained = asyncio.ensure_future(dispatcher.drained())
        await turns()
        answered.set()
        await drained

    asyncio.run(run())
    assert [settlement.outcomes[0].status for settlement in spool.settlements] == [Status.DELIVERED]


async def turns() -> None:
    """As many of the loop as whatever can happen by now takes."""
    for _ in range(50):
        await asyncio.sleep(0)


def test_a_destination_that_asks_to_slow_down_keeps_half_of_what_it_got(
    spool: RecordingSpool, message: MakeMessage
) -> None:
    too_many = Reply(421, "4.7.0", "Too many connections from your address")

    def answer(delivery: Delivery) -> Sequence[Outcome]:
        first = next(iter(transport.deliveries))
        return all_of(delivery, Status.DEFERRED, too_many) if delivery is first else delivered(delivery)

    async def run() -> None:
        dispatcher = made(spool, transport)
        for _ in range(40):
            dispatcher.take_fresh(message("user@example.net"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        [gate] = dispatcher._gates.values()
        [way] = gate._ways()
        assert way.brake is not None
        assert way.brake.pace.connections == LANES / 2
        assert way.brake.pace.rate >= LANES / 2
        dispatcher.drain()
        await dispatcher.drained()

    transport = Scripted(answer)
    asyncio.run(run())
