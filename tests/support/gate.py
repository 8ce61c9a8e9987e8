"""A gate of the relay at a time of the test's choosing, with a store and a next hop that say what they are told to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from posthouse.mail import Delivery, Message, Outcome, Reply, Status
from posthouse.organization import Organization, Priority
from posthouse.relay.budget import Budget
from posthouse.relay.in_force import InForce
from posthouse.relay.limits import Limits
from posthouse.relay.settling import OpenLease, Settler
from posthouse.relay.throttle import Gate, Hands
from posthouse.relay.worker import new_id
from posthouse.settings import Settings
from posthouse.spool import Grant, Lease, Pending, Share, Spool, Wish
from support.recording import RecordingSpool

OK = Reply(250, "2.0.0", "OK")
NOBODY = Reply(451, "4.4.1", "No answer from host")
TOO_MANY = Reply(432, "4.3.2", "Concurrent connections limit exceeded.")
NOW = 1_800_000_000.0


class Allowing(RecordingSpool):
    """A store whose limits nobody else uses."""

    def __init__(self) -> None:
        super().__init__()
        self.used: dict[str, dict[int, int]] = {}
        self.shares: dict[str, int] = {}
        self.asked = 0
        self.hastened: list[str] = []

    async def permits(self, wishes: Sequence[Wish], now: float) -> list[Grant]:
        self.asked += 1
        grants: list[Grant] = []
        for wish in wishes:
            limit, bucket = wish.allowance, wish.allowance.bucket(now)
            counted = self.used.get(limit.key, {}).items()
            used = self.used[limit.key] = {each: count for each, count in counted if each <= bucket + limit.longest}
            free = limit.free(used, bucket)
            permits = wish.portion(free)
            if permits:
                used[bucket] = used.get(bucket, 0) + permits
            grants.append(Grant(permits, limit.good_until(now) - now, limit.opens_at(used) - now, free - permits))
            if not permits:
                break
        return grants

    async def connections(self, key: str, connector: str, *, most: int, held: int, wanted: int, now: float) -> Share:
        self.shares[key] = max(held, min(most, wanted))
        return Share(self.shares[key], min(most, wanted))

    async def hasten(self, connector: str, most: int, now: float) -> int:
        self.hastened.append(connector)
        return 0

    @property
    def postponed(self) -> dict[str, float]:
        """When what was given back is due again, by message."""
        found = {s.message_id: next(iter(s.postponed.values())) for s in self.settlements if s.postponed}
        return {message: due for message, due in found.items() if due is not None}


@dataclass
class Bench:
    """A gate at a time of the test's choosing. `answer` is what the next hop says."""

    limits: Limits
    spool: Allowing = field(default_factory=Allowing)
    priorities: dict[str, Priority] = field(default_factory=dict[str, Priority])
    answer: Callable[[Delivery], Reply] = lambda _: OK
    remote: str = "mx.test"
    now: float = NOW
    tried: list[Delivery] = field(default_factory=list[Delivery])
    at_once: int = 0
    most_at_once: int = 0
    ended_idle: int = 0
    ended: bool = False
    until: asyncio.Event | None = None
    """The next hop answers when this is set."""
    set_back: float = 0.0
    """Seconds that the machine's clock has been set back by."""

    def __post_init__(self) -> None:
        in_force = InForce.made(1, Organization(), Settings(hostname="relay.test"))
        self.settler = Settler(
            spool=cast("Spool", self.spool),
            budget=Budget(),
            in_force=lambda: in_force,
            hostname="relay.test",
            new_id=new_id,
            clock=self.clock,
        )
        spool = cast("Spool", self.spool)
        hands = Hands(
            spool=spool,
            settler=self.settler,
            clock=self.clock,
            elapsed=lambda: self.now,
            priority=self.priority,
            attempt=self.attempt,
            settle=self.settler.settle,
            end_idle=self.end_idle,
        )
        self.gate = Gate(hands, self.limits, self.end_gate)

    def clock(self) -> float:
        return self.now - self.set_back

    def end_gate(self, _: Gate) -> None:
        self.ended = True

    def priority(self, connector: str | None) -> Priority:
        return self.priorities.get(connector or "", Priority.NORMAL)

    async def attempt(self, delivery: Delivery) -> Sequence[Outcome]:
        self.tried.append(delivery)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        if self.until is not None:
            await self.until.wait()
        self.at_once -= 1
        reply = self.answer(delivery)
        status = Status.DELIVERED if reply.is_positive else Status.DEFERRED
        return [Outcome(recipient, status, reply, self.remote, self.now) for recipient in delivery.recipients]

    async def end_idle(self, connector: str) -> None:
        self.ended_idle += 1

    def put(self, *messages: Message, destination: str = "mx.test", attempts: int = 0) -> None:
        for message in messages:
            recipients = tuple(range(len(message.envelope.recipients)))
            lease = Lease(message, tuple(Pending(index, attempts, False) for index in recipients))
            self.gate.put(OpenLease(lease, 1), Delivery(message, recipients, self.limits.connector, destination))

    async def rest(self) -> None:
        """Until all that can happen by now has happened."""
        for _ in range(300):
            await asyncio.sleep(0)

    async def end(self) -> None:
        """Until there is nothing more to do."""
        while self.gate.tasks:
            await asyncio.gather(*self.gate.tasks)

    async def pass_time(self, seconds: float, step: float = 1.0) -> None:
        """Let time go by, as the gate's clock has it."""
        for _ in range(int(seconds / step)):
            self.now += step
            self.gate._wake.set()
            await self.rest()

    @property
    def tried_ids(self) -> list[str]:
        return [delivery.message.id for delivery in self.tried]
