"""From a leased message to its transports: routed, queued by destination, delivered in lanes, settled."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from posthouse import observe
from posthouse.mail import Delivery, Message, Outcome, Reply, Status, domain_of
from posthouse.organization import Organization, route
from posthouse.organization.policy import NO_SUCH_MAILBOX
from posthouse.relay.settling import OpenLease, Settler
from posthouse.spool import Lease, Pending
from posthouse.transports import Transport

LANES = 10
"""Deliveries at once to one destination in one worker."""
ALL_LANES = 200
"""Deliveries at once in one worker: each may hold a connection, and a mail may have a thousand destinations."""

NO_ROUTE = Reply(550, "5.4.4", "No outbound connector takes mail for this domain")
NO_TRANSPORT = Reply(451, "4.3.5", "The outbound connector can't be used; the log says more")
TRANSPORT_BROKE = Reply(451, "4.3.0", "Internal error of the transport; the log says more")

log = observe.logger


class Dispatcher:
    """Holds what this worker has leased until it is settled."""

    def __init__(
        self,
        *,
        organization: Callable[[], Organization],
        transport: Callable[[str], Transport | None],
        settler: Settler,
        clock: Callable[[], float],
    ) -> None:
        self._organization = organization
        self._transport = transport
        self._settler = settler
        self._clock = clock
        self._lanes: dict[tuple[str, str], Lanes] = {}
        self._at_once = asyncio.Semaphore(ALL_LANES)
        self._draining = False

    def take_fresh(self, message: Message) -> None:
        """Take a message just accepted: none of its recipients has been tried."""
        count = len(message.envelope.recipients)
        self.take(Lease(message, tuple(Pending(index, 0, False) for index in range(count))))

    def take(self, lease: Lease) -> None:
        """Route each recipient and queue a delivery for each destination."""
        message = lease.message
        organization = self._organization()
        groups: dict[tuple[str, str], list[int]] = {}
        for pending in lease.recipients:
            forward_path = message.envelope.recipients[pending.index].forward_path
            groups.setdefault(self._way(organization, forward_path), []).append(pending.index)
        held = OpenLease(lease, deliveries=len(groups))
        for key, recipients in groups.items():
            self._put(held, Delivery(message, tuple(recipients), *key))

    def drain(self) -> None:
        """Start nothing more; what is queued stays leased until the store gives it back."""
        self._draining = True
        for lanes in self._lanes.values():
            lanes.queue.clear()

    async def drained(self) -> None:
        """Wait for the deliveries that are on their way. Whoever stops waiting ends them."""
        tasks = [task for lanes in self._lanes.values() for task in lanes.tasks]
        await asyncio.gather(*tasks, return_exceptions=True)

    def _put(self, held: OpenLease, delivery: Delivery) -> None:
        if self._draining:
            return
        key = (delivery.connector, delivery.destination)
        lanes = self._lanes.get(key)
        if lanes is None:
            lanes = self._lanes[key] = Lanes()
        lanes.queue.append((held, delivery))
        if len(lanes.tasks) < LANES:
            task = asyncio.get_running_loop().create_task(self._work(key, lanes))
            lanes.tasks.add(task)

    async def _work(self, key: tuple[str, str], lanes: Lanes) -> None:
        """One lane: deliver until the queue is empty."""
        try:
            while lanes.queue:
                async with self._at_once:
                    if not lanes.queue:  # while this lane waited, others or a drain emptied it
                        break
                    held, delivery = lanes.queue.popleft()
                    outcomes = await self._attempt(delivery)
                await self._settle(held, delivery, outcomes)
                if _is_unreachable(outcomes):
                    await self._defer_waiting(lanes, outcomes[0])
        finally:
            task = asyncio.current_task()
            assert task is not None
            lanes.tasks.discard(task)
            if not lanes.tasks and not lanes.queue:
                self._lanes.pop(key, None)

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
            return await transport.deliver(delivery)
        except Exception as error:  # noqa: BLE001 - a defect in one transport must not lose mail or stop the lane
            log.error("transport broke", id=delivery.message.id, connector=delivery.connector, error=repr(error))
            return self._all(delivery, Status.DEFERRED, TRANSPORT_BROKE)

    async def _defer_waiting(self, lanes: Lanes, cause: Outcome) -> None:
        """What waits behind a destination that nobody answers at would only wait longer: it gets the same outcome."""
        waiting, lanes.queue = lanes.queue, deque()
        for held, delivery in waiting:
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
    """The queue of one destination and the tasks that work it off."""

    __slots__ = ("queue", "tasks")

    def __init__(self) -> None:
        self.queue: deque[tuple[OpenLease, Delivery]] = deque()
        self.tasks: set[asyncio.Task[None]] = set()


def _is_unreachable(outcomes: Sequence[Outcome]) -> bool:
    """Deferred without any host having spoken, and not for a reason that lies in the message."""
    return all(
        outcome.status is Status.DEFERRED and not outcome.remote and outcome.reply is not TRANSPORT_BROKE
        for outcome in outcomes
    )
