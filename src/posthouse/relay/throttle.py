"""Mail that a next hop's limits make wait: a fair queue, a gate that keeps the limits, and the way back to the store.

A gate holds no more mail than its permits carry in a minute or two. The rest goes back to the store, due when its
sender's turn may come, so that a flood neither fills this worker nor delays others' mail.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from posthouse import observe
from posthouse.mail import Delivery, Outcome, Reply, Status
from posthouse.organization import Priority
from posthouse.relay.answers import asks_to_slow_down, is_signed_out, is_unreachable
from posthouse.relay.fairness import Clocks, FairQueue
from posthouse.relay.limits import Limits
from posthouse.relay.meter import Connections, Meter
from posthouse.relay.settling import OpenLease, Settler
from posthouse.spool import Spool, SpoolError

AT_ONCE = 10
"""Deliveries at once through one gate in one worker."""
PATIENCE = 120.0
"""Seconds that a gate's mail may take to go; what would take longer waits in the store."""
_LEAST, _MOST = 20, 2000
"""Mails that a gate holds at least, and at most; so many recipients too."""
_MEMORY = 8 << 20
"""Bytes of content that a gate holds at most: an eighth of what a worker may."""
_SLOW, _OBSERVED = 10.0, 2.0
"""Messages a second that a gate without a limit of them lets through at least, and the seconds that tell how many."""
LINGER = 0.5
"""Seconds that connections are kept which others might want, when there is nothing more to send."""
_NOTED_AFTER = 1.0
"""Seconds of waiting in a worker's hands that the trace tells of."""
_TOLD_EVERY = 60.0
_SIGNED_OUT = 30.0
"""Seconds that a credential which could not sign in is passed over."""
_LOOK = 0.5
"""Seconds between two looks at what changes by itself: connections that others want, limits."""
_STORE_PAUSE = 1.0

log = observe.logger


@dataclass(frozen=True, slots=True)
class Hands:
    """What gates need of the dispatcher around them. `attempt` and `settle` never raise."""

    spool: Spool
    settler: Settler
    clock: Callable[[], float]
    priority: Callable[[str | None], Priority]
    attempt: Callable[[Delivery], Awaitable[Sequence[Outcome]]]
    settle: Callable[[OpenLease, Delivery, Sequence[Outcome]], Coroutine[Any, Any, None]]
    end_idle: Callable[[str], Awaitable[None]]


@dataclass(slots=True, eq=False)
class Waiting:
    """`sender` is who handed the mail in, as far as that is proved: an inbound connector, and a login or an address. A
    reverse-path would let a flood that changes it take many turns."""

    held: OpenLease
    delivery: Delivery
    sender: tuple[str, str]
    since: float
    noted: bool = False

    @property
    def recipients(self) -> int:
        return len(self.delivery.recipients)

    @property
    def weight(self) -> float:
        """The part that it takes of what a gate may hold."""
        content = self.delivery.message.content
        return max(content.size / _MEMORY if content.in_memory else 0, self.recipients / _MOST)


class Gate:
    """Lets the mail of a connector through as its limits allow; or that of a destination which asked to slow down."""

    def __init__(self, hands: Hands, limits: Limits, ended: Callable[[Gate], None]) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self._hands = hands
        self._ended = ended
        self._all = Meter(f"connector {limits.connector}", f"outbound/{limits.connector}")
        self._credentials: dict[str, Meter] = {}
        self._destinations: dict[str, Meter] = {}
        self._queue: FairQueue[Waiting] = FairQueue()
        self._clocks = Clocks()
        self._connected: set[str] = set()
        self._delivering = 0
        self._why = ""
        self._looked_at = self._told_at = 0.0
        self._wake = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self.limit(limits)

    def limit(self, limits: Limits) -> None:
        """Keep these limits from now on. What is used of them stays known."""
        self.limits = limits
        self._all.limit(limits.throttle)
        meters = {name: self._credentials.get(name) or _credential(name) for name, _ in limits.credentials}
        for name, throttle in limits.credentials:
            meters[name].limit(throttle)
        self._credentials = meters
        self._room = int(min(max(limits.rate * PATIENCE, _LEAST), _MOST)) if limits.rate else _MOST
        self._wake.set()

    def put(self, held: OpenLease, delivery: Delivery) -> None:
        """Take a delivery in; one to more recipients than a day has permits for goes in parts."""
        recipients = delivery.recipients
        most = self.limits.recipients or len(recipients)
        parts = [recipients[first : first + most] for first in range(0, len(recipients), most)]
        held.deliveries += len(parts) - 1
        for part in parts:
            self._put(held, replace(delivery, recipients=part))

    def slow_down(self, destination: str, reply: Reply) -> None:
        """A destination has asked for it before there was a gate."""
        self._pull(self._destination(destination), reply)

    @property
    def is_needed(self) -> bool:
        """By its limits, or since something was asked to slow down not long ago."""
        now = self._hands.clock()
        return self.limits.are_any or any(way.starts_at(now) for way in self._ways())

    def withdraw(self) -> Iterable[tuple[OpenLease, Delivery]]:
        """Take out all that waits."""
        waiting, self._queue = list(self._queue), FairQueue()
        return [(each.held, each.delivery) for each in waiting]

    def _put(self, held: OpenLease, delivery: Delivery) -> None:
        message = delivery.message
        sender = (message.connector or "", message.client.login or message.client.ip)
        waiting = Waiting(held, delivery, sender, self._hands.clock())
        self._queue.put(sender, self._hands.priority(message.connector), message.id, waiting, waiting.weight)
        while len(self._queue) > self._room or (self._queue.weight > 1 and len(self._queue) > 1):
            self._send_back(self._queue.displace(), self._hands.clock())
        self._wake.set()
        if self._worker is None or self._worker.done():
            self._worker = self._spawn(self._work())

    def _ways(self) -> Iterable[Meter]:
        return self._credentials.values() or self._destinations.values()

    def _ways_of(self, waiting: Waiting) -> Iterable[Meter]:
        """The credentials, least used first, without those that can't sign in if others can; or the destination."""
        if not self._credentials:
            return (self._destination(waiting.delivery.destination),)
        now = self._hands.clock()
        ways = sorted(self._credentials.values(), key=lambda way: way.in_use)
        return [way for way in ways if way.rests_until <= now] or ways

    def _destination(self, name: str) -> Meter:
        meter = self._destinations.get(name)
        if meter is None:
            if len(self._destinations) >= _MOST:
                known = self._destinations.items()
                self._destinations = {each: way for each, way in known if way.in_use or way.brake}
            meter = self._destinations[name] = Meter(name, "")
        return meter

    # The worker: one step after another, until nothing waits and no connection is kept from others

    async def _work(self) -> None:
        is_over = False
        while not is_over:
            self._wake.clear()
            try:
                if self._queue:
                    await self._advance(self._hands.clock())
                else:
                    is_over = await self._let_go(self._hands.clock())
            except SpoolError as error:
                log.error("store unavailable", reason=str(error))
                await asyncio.sleep(_STORE_PAUSE)
        self._ended(self)

    async def _advance(self, now: float) -> None:
        """Start a delivery, or ask for what it lacks, or wait."""
        await self._tend_connections(now)
        if self._delivering >= AT_ONCE:
            await self._pause(math.inf, now)
            return
        waiting = self._queue.first(lambda each: any(way.starts_at(now) <= now for way in self._ways_of(each)))
        if waiting is None:
            await self._rest(now)
        elif (way := self._ready_way(waiting, now)) is not None:
            await self._start(waiting, way, now)
        else:
            await self._obtain(waiting, now)

    def _ready_way(self, waiting: Waiting, now: float) -> Meter | None:
        if not self._all.is_ready(waiting.recipients, now):
            return None
        return next((way for way in self._open_ways(waiting, now) if way.is_ready(waiting.recipients, now)), None)

    def _open_ways(self, waiting: Waiting, now: float) -> list[Meter]:
        return [way for way in self._ways_of(waiting) if way.starts_at(now) <= now]

    async def _start(self, waiting: Waiting, way: Meter, now: float) -> None:
        delivery = replace(waiting.delivery, credential=way.name) if way.name else waiting.delivery
        self._queue.take(waiting.sender, waiting)
        for meter in (self._all, way):
            meter.start(waiting.recipients, now)
        self._delivering += 1
        if self._shared and self._connected - {delivery.destination}:
            await self._end_idle()  # an idle one elsewhere would be one too many
        self._connected.add(delivery.destination)
        self._spawn(self._deliver(waiting, delivery, way, now))

    async def _deliver(self, waiting: Waiting, delivery: Delivery, way: Meter, began: float) -> None:
        outcomes = await self._hands.attempt(delivery)
        for meter in (self._all, way):
            meter.end()
        self._delivering -= 1
        self._wake.set()
        first = outcomes[0]
        if first.status is Status.DEFERRED:
            if asks_to_slow_down(first.reply) and (way.brake is None or began > way.brake.at):
                self._pull(way, first.reply)
            elif way.name and is_signed_out(first.reply):
                way.rests_until = self._hands.clock() + _SIGNED_OUT
            elif is_unreachable(outcomes):
                self._defer_waiting(delivery.destination, first)
        await self._hands.settle(waiting.held, delivery, outcomes)

    async def _obtain(self, waiting: Waiting, now: float) -> None:
        """Ask for the permits that the mail lacks, as far as there may be any by now; else wait for them."""
        recipients = waiting.recipients
        way = min(self._open_ways(waiting, now), key=lambda each: each.opens_at(recipients, now))
        meters = (self._all, way)
        opens_at = max(meter.opens_at(recipients, now) for meter in meters)
        lacking = [(meter, purse) for meter in meters for purse in meter.lacking(recipients, now)]
        if opens_at <= now and lacking:
            messages = min(len(self._queue), AT_ONCE - self._delivering + self._all.started_since(now - 1))
            wishes = [meter.wish(purse, recipients, messages) for meter, purse in lacking]
            for (_, purse), grant in zip(lacking, await self._hands.spool.permits(wishes, now), strict=False):
                purse.put(grant, now)
            return
        unconnected = (meter.connections for meter in meters if not meter.has_connection())
        reasons = [*(purse.why for _, purse in lacking), *(each.why for each in unconnected if each)]
        self._tell(reasons[0] if reasons else "", now)
        await self._pause(opens_at, now)

    async def _rest(self, now: float) -> None:
        """All that waits is for those that asked to slow down."""
        braked = [way for way in self._ways() if way.brake is not None]
        for way in braked[:1]:
            self._tell(way.why, now)
        await self._pause(min((way.starts_at(now) for way in braked), default=now), now)

    async def _pause(self, until: float, now: float) -> None:
        """Wait until then, or until something happens. What would wait too long goes back to the store."""
        if not math.isinf(until) and until - now > PATIENCE:
            for waiting in list(self._queue):
                self._queue.remove(waiting.sender, waiting)
                self._send_back(waiting, until)
            return
        self._note(now)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, min(until - now, _LOOK))):
                await self._wake.wait()

    # Connections that workers share

    @property
    def _shared(self) -> list[tuple[Meter, Connections]]:
        meters = (self._all, *self._credentials.values())
        return [(meter, meter.connections) for meter in meters if meter.connections is not None]

    async def _tend_connections(self, now: float) -> None:
        """See now and then to a fair share of them."""
        for meter, shared in self._shared:
            if now >= shared.ask_at:
                held = shared.granted
                if meter.in_use <= shared.target < held:
                    await self._end_idle()
                    held = shared.target
                await self._ask(shared, held, min(AT_ONCE, meter.in_use + len(self._queue)), now)

    async def _let_go(self, now: float) -> bool:
        """Nothing waits: give connections back after a while. Whether there are none left to give back."""
        if not any(shared.granted for _, shared in self._shared):
            return True
        try:
            async with asyncio.timeout(LINGER):
                await self._wake.wait()
        except TimeoutError:
            busy = [(shared, meter.in_use) for meter, shared in self._shared]  # those that end meanwhile stay open
            await self._end_idle()
            for shared, held in busy:
                await self._ask(shared, held, held, now)
        return False

    async def _ask(self, shared: Connections, held: int, wanted: int, now: float) -> None:
        share = await self._hands.spool.connections(shared.key, most=shared.most, held=held, wanted=wanted, now=now)
        shared.put(share, now)

    async def _end_idle(self) -> None:
        self._connected.clear()
        await self._hands.end_idle(self.limits.connector)

    # What is told, and what goes back

    def _pull(self, way: Meter, reply: Reply) -> None:
        brake = way.pull(reply, self._hands.clock())
        log.warning(
            "slowing down",
            connector=self.limits.connector,
            next_hop=way.label,
            connections=int(max(1, brake.pace.connections)),
            messages_a_minute=round(brake.pace.rate * 60),
            reply=str(reply),
        )

    def _tell(self, why: str, now: float) -> None:
        """Say in the log now and then that mail waits, and why."""
        self._why = why
        if now - self._told_at >= _TOLD_EVERY:
            self._told_at = now
            log.info("mail waits", connector=self.limits.connector, reason=why, waiting=len(self._queue))

    def _note(self, now: float) -> None:
        """Have the trace tell of what has been waiting here for a while."""
        if self._why and now - self._looked_at >= _NOTED_AFTER:
            self._looked_at = now
            for waiting in self._queue:
                if not waiting.noted and now - waiting.since >= _NOTED_AFTER:
                    waiting.noted = True
                    self._hands.settler.note(waiting.delivery, self._why)

    def _send_back(self, waiting: Waiting, opens_at: float) -> None:
        """To the store, until it may be its turn."""
        now = self._hands.clock()
        rate = self.limits.rate or max(_SLOW, 2 * self._all.started_since(now - _OBSERVED) / _OBSERVED)
        earliest = max(now, opens_at) + self._queue.waiting(waiting.sender) / rate
        due = self._clocks.due(waiting.sender, now, earliest, 1 / rate)
        why = self._why or self._all.why or next((way.why for way in self._ways() if way.why), "")
        self._spawn(self._hands.settler.postpone(waiting.held, waiting.delivery, due, why))

    def _defer_waiting(self, destination: str, cause: Outcome) -> None:
        """What waits for a destination that nobody answers at would only wait longer: it gets the same outcome."""
        for waiting in [each for each in self._queue if each.delivery.destination == destination]:
            self._queue.remove(waiting.sender, waiting)
            outcomes = [replace(cause, recipient=recipient) for recipient in waiting.delivery.recipients]
            self._spawn(self._hands.settle(waiting.held, waiting.delivery, outcomes))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task


def _credential(name: str) -> Meter:
    return Meter(f"credential {name}", f"credential/{name}", name)
