"""From a leased message to its transports: routed, queued by destination, delivered in lanes, settled."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from posthouse import observe
from posthouse.mail import Delivery, Message, Outcome, Reply, Status, domain_of
from posthouse.organization import Organization, Priority, route
from posthouse.organization.policy import NO_SUCH_MAILBOX
from posthouse.relay.answers import (
    NO_ROUTE,
    NO_TRANSPORT,
    TRANSPORT_BROKE,
    asks_to_slow_down,
    is_unreachable,
    with_quota_deferred,
)
from posthouse.relay.brake import Pace
from posthouse.relay.limits import Limits, limits_in
from posthouse.relay.settling import OpenLease, Settler
from posthouse.relay.throttle import Gate, Hands
from posthouse.spool import Lease, Pending, Spool
from posthouse.transports import Transport

LANES = 10
"""Deliveries at once to one destination in one worker."""
ALL_LANES = 200
"""Deliveries at once in one worker: each may hold a connection, and a mail may have a thousand destinations."""

log = observe.logger


class Dispatcher:
    """Holds what this worker has leased until it is settled."""

    def __init__(
        self,
        *,
        organization: Callable[[], Organization],
        transport: Callable[[str], Transport | None],
        settler: Settler,
        spool: Spool,
        clock: Callable[[], float],
        elapsed: Callable[[], float],
    ) -> None:
        self._organization = organization
        self._transport = transport
        self._settler = settler
        self._clock = clock
        self._hands = Hands(spool, settler, clock, elapsed, self._priority, self._attempt, self._settle, self._end_idle)
        self._lanes: dict[tuple[str, str], Lanes] = {}
        self._gates: dict[tuple[str, str], Gate] = {}
        self._at_once = asyncio.Semaphore(ALL_LANES)
        self._draining = False

    def take_fresh(self, message: Message) -> None:
        """Take a message just accepted: none of its recipients has been tried."""
        count = len(message.envelope.recipients)
        self.take(Lease(message, tuple(Pending(index, 0, False) for index in range(count))), is_first=True)

    def take(self, lease: Lease, *, is_first: bool = False) -> None:
        """Route each recipient and queue a delivery for each destination."""
        message = lease.message
        organization = self._organization()
        groups: dict[tuple[str, str], list[int]] = {}
        for pending in lease.recipients:
            forward_path = message.envelope.recipients[pending.index].forward_path
            groups.setdefault(self._way(organization, forward_path), []).append(pending.index)
        held = OpenLease(lease, deliveries=len(groups))
        for key, recipients in groups.items():
            self._put(held, Delivery(message, tuple(recipients), *key, is_first=is_first))

    def limit(self, organization: Organization) -> None:
        """Keep this organization's limits from now on."""
        limits = {(each.connector, ""): each for each in limits_in(organization)}
        for key, gate in self._gates.items():
            if not key[1]:
                gate.limit(limits.get(key) or Limits(key[0]))
        fresh = limits.keys() - self._gates.keys()
        self._gates |= {key: Gate(self._hands, limits[key], self._ended) for key in fresh}
        passed = [
            queue for key, queue in (*self._lanes.items(), *self._gates.items()) if key[1] and (key[0], "") in fresh
        ]
        for held, delivery in [each for queue in passed for each in queue.withdraw()]:
            self._put(held, delivery)

    def drain(self) -> None:
        """Start nothing more; what is queued stays leased until the store gives it back."""
        self._draining = True
        for queue in self._queues():
            queue.withdraw()

    async def drained(self) -> None:
        """Wait for the deliveries that are on their way. Whoever stops waiting ends them."""
        while tasks := [task for queue in self._queues() for task in queue.tasks]:
            await asyncio.gather(*tasks, return_exceptions=True)

    def _put(self, held: OpenLease, delivery: Delivery) -> None:
        if self._draining:
            return
        key = (delivery.connector, delivery.destination)
        if self._gates and (gate := self._gate(key)) is not None:
            gate.put(held, delivery)
            return
        lanes = self._lanes.get(key)
        if lanes is None:
            lanes = self._lanes[key] = Lanes(self._hands.elapsed())
        lanes.queue.append((held, delivery))
        if len(lanes.tasks) < LANES:
            task = asyncio.get_running_loop().create_task(self._work(key, lanes))
            lanes.tasks.add(task)

    def _gate(self, key: tuple[str, str]) -> Gate | None:
        """The connector's, or the destination's if it has one of its own; there is none for what goes nowhere."""
        connector, destination = key
        return (self._gates.get((connector, "")) or self._gates.get(key)) if destination else None

    async def _work(self, key: tuple[str, str], lanes: Lanes) -> None:
        """One lane: deliver until the queue is empty."""
        try:
            while lanes.queue:
                async with self._at_once:
                    if not lanes.queue:  # while this lane waited, others or a drain emptied it
                        break
                    held, delivery = lanes.queue.popleft()
                    lanes.started += 1
                    outcomes = await self._attempt(delivery)
                await self._settle(held, delivery, outcomes)
                if outcomes[0].status is Status.DEFERRED:
                    await self._spare(key, lanes, outcomes)
        finally:
            task = asyncio.current_task()
            assert task is not None
            lanes.tasks.discard(task)
            if not lanes.tasks and not lanes.queue:
                self._lanes.pop(key, None)

    async def _spare(self, key: tuple[str, str], lanes: Lanes, outcomes: Sequence[Outcome]) -> None:
        """Whom nobody answers for, or who has had too much of us, gets less of what waits."""
        first = outcomes[0]
        if is_unreachable(outcomes):
            await self._defer_waiting(lanes, first)
        elif asks_to_slow_down(first.reply) and self._gate(key) is None:
            gate = self._gates[key] = Gate(self._hands, Limits(key[0]), self._ended)
            gate.slow_down(key[1], first.reply, lanes.pace_until(self._hands.elapsed()))
            for held, delivery in lanes.withdraw():
                self._put(held, delivery)

    def _queues(self) -> Iterable[Lanes | Gate]:
        return (*self._lanes.values(), *self._gates.values())

    def _ended(self, gate: Gate) -> None:
        """A gate has nothing more to do: it stays where it has limits to keep, or a destination to spare."""
        if gate.is_needed:
            return
        self._gates = {key: each for key, each in self._gates.items() if each is not gate}

    def _priority(self, inbound: str | None) -> Priority:
        connectors = (each.priority for each in self._organization().inbound if each.name == inbound)
        return next(connectors, Priority.NORMAL)

    async def _end_idle(self, connector: str) -> None:
        transport = self._transport(connector)
        if transport is not None:
            await transport.end_idle()

    def _way(self, organization: Organization, forward_path: str) -> tuple[str, str]:
        """Connector and destination of a recipient. Each is empty where there is none.

        The mail of a connector that can't be used waits by domain.
        Mailboxes are looked up here too: RCPT has not seen the recipient of a DSN, nor a change since then.
        """
        way = route(organization, forward_path)
        if way.connector is None:
            return "", ""
        if not way.has_mailbox:
            return way.connector.name, ""
        transport = self._transport(way.connector.name)
        return way.connector.name, transport.destination(forward_path) if transport else domain_of(forward_path)

    async def _attempt(self, delivery: Delivery) -> Sequence[Outcome]:
        if not delivery.destination:
            return self._all(delivery, Status.FAILED, NO_SUCH_MAILBOX if delivery.connector else NO_ROUTE)
        transport = self._transport(delivery.connector)
        if transport is None:  # it may also have been removed meanwhile: route anew at the next attempt
            return self._all(delivery, Status.DEFERRED, NO_TRANSPORT)
        try:
            outcomes = await transport.deliver(delivery)
        except Exception as error:  # noqa: BLE001 - a defect in one transport must not lose mail or stop the lane
            log.error("transport broke", id=delivery.message.id, connector=delivery.connector, error=repr(error))
            return self._all(delivery, Status.DEFERRED, TRANSPORT_BROKE)
        return with_quota_deferred(outcomes) if outcomes[0].status is Status.FAILED else outcomes

    async def _defer_waiting(self, lanes: Lanes, cause: Outcome) -> None:
        """What waits behind a destination that nobody answers at would only wait longer: it gets the same outcome."""
        for held, delivery in lanes.withdraw():
            await self._settle(held, delivery, self._all(delivery, Status.DEFERRED, cause.reply))

    async def _settle(self, held: OpenLease, delivery: Delivery, outcomes: Sequence[Outcome]) -> None:
        try:
            await self._settler.settle(held, delivery, outcomes)
        except Exception as error:  # a defect of ours: what was tried stays leased until this worker ends
            log.error("settling broke", id=delivery.message.id, error=repr(error), exc_info=error)

    def _all(self, delivery: Delivery, status: Status, reply: Reply) -> Sequence[Outcome]:
        now = self._clock()
        return [Outcome(recipient, status, reply, "", now) for recipient in delivery.recipients]


class Lanes:
    """The queue of one destination and the tasks that work it off: since the time `since` they have `started` so many
    deliveries."""

    __slots__ = ("queue", "since", "started", "tasks")

    def __init__(self, since: float) -> None:
        self.queue: deque[tuple[OpenLease, Delivery]] = deque()
        self.tasks: set[asyncio.Task[None]] = set()
        self.since = since
        self.started = 0

    def pace_until(self, now: float) -> Pace:
        return Pace(len(self.tasks), self.started / max(1.0, now - self.since))

    def withdraw(self) -> Iterable[tuple[OpenLease, Delivery]]:
        """Take out all that waits."""
        waiting, self.queue = self.queue, deque()
        return waiting
