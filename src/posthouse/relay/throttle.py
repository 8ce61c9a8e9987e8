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
from posthouse.relay.brake import Brake, Pace
from posthouse.relay.fairness import Clocks, FairQueue
from posthouse.relay.limits import Limits
from posthouse.relay.meter import Meter
from posthouse.relay.settling import OpenLease, Settler
from posthouse.relay.shares import Shares
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
"""Seconds that a gate stays, with connections that others might want, when there is nothing more to send."""
_NOTED_AFTER = 1.0
"""Seconds of waiting in a worker's hands that the trace tells of."""
_TOLD_EVERY = 60.0
_SIGNED_OUT = 30.0
"""Seconds that a credential which could not sign in is passed over."""
_LOOK = 0.5
"""Seconds between two looks at what changes by itself: connections that others want."""
_FETCH_AGAIN = _STORE_PAUSE = 1.0

log = observe.logger


@dataclass(frozen=True, slots=True)
class Hands:
    """What gates need of the dispatcher around them. `attempt` and `settle` never raise. A gate's times are `elapsed`,
    since the clock may be set back; `clock` is for the store."""

    spool: Spool
    settler: Settler
    clock: Callable[[], float]
    elapsed: Callable[[], float]
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
        self._meters = {"": self._all}
        self._credentials: dict[str, Meter] = {}
        self._destinations: dict[str, Meter] = {}
        self._queue: FairQueue[Waiting] = FairQueue()
        self._clocks = Clocks()
        self._shares = Shares(hands.spool, hands.clock, limits.connector, self._meters, hands.end_idle)
        self._delivering = 0
        self._why = ""
        self._looked_at = self._told_at = -math.inf
        self._fetch_at = math.inf
        self._wake = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._keep(limits)

    def limit(self, limits: Limits) -> None:
        """Keep these limits from now on. What is used of them stays known, and what waits in the store may be early."""
        if limits != self.limits:
            self._keep(limits)
            self._fetch_at = self._hands.elapsed()
            self._run()

    def put(self, held: OpenLease, delivery: Delivery) -> None:
        """Take a delivery in."""
        message, now = delivery.message, self._hands.elapsed()
        sender = (message.connector or "", message.client.login or message.client.ip)
        self._enqueue(Waiting(held, delivery, sender, now))
        while len(self._queue) > self._room or (self._queue.weight > 1 and len(self._queue) > 1):
            self._send_back(self._queue.displace(), now)
        self._run()

    def slow_down(self, destination: str, reply: Reply, used: Pace) -> None:
        """A destination has asked for it that was `used` at some pace before there was a gate."""
        self._pull(self._destination(destination), reply, used)

    @property
    def is_needed(self) -> bool:
        """By its limits, or since something was asked to slow down not long ago."""
        now = self._hands.elapsed()
        return self.limits.are_any or any(way.starts_at(now) for way in self._ways())

    def withdraw(self) -> Iterable[tuple[OpenLease, Delivery]]:
        """Take out all that waits."""
        waiting, self._queue = list(self._queue), FairQueue()
        self._fetch_at = math.inf
        return [(each.held, each.delivery) for each in waiting]

    def _keep(self, limits: Limits) -> None:
        self.limits = limits
        self._all.limit(limits.throttle)
        for name, throttle in limits.credentials:
            self._meters.setdefault(name, Meter(f"credential {name}", f"credential/{name}", name)).limit(throttle)
        self._credentials = {name: self._meters[name] for name, _ in limits.credentials}
        self._room = int(min(max(limits.rate * PATIENCE, _LEAST), _MOST)) if limits.rate else _MOST

    def _enqueue(self, waiting: Waiting) -> None:
        message = waiting.delivery.message
        priority = self._hands.priority(message.connector)
        self._queue.put(waiting.sender, priority, message.id, waiting, waiting.weight)

    def _run(self) -> None:
        self._wake.set()
        if self._worker is None or self._worker.done():
            self._worker = self._spawn(self._work())

    def _ways(self) -> Iterable[Meter]:
        return self._credentials.values() or self._destinations.values()

    def _ways_of(self, waiting: Waiting) -> Iterable[Meter]:
        """The credentials, least used first, without those that can't sign in if others can; or the destination."""
        if not self._credentials:
            return (self._destination(waiting.delivery.destination),)
        now = self._hands.elapsed()
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

    # The worker: one step after another, until all is done and no connection is kept from others

    async def _work(self) -> None:
        is_over = False
        while not is_over:
            self._wake.clear()
            try:
                if self._queue:
                    await self._advance(self._hands.elapsed())
                else:
                    is_over = await self._end(self._hands.elapsed())
            except SpoolError as error:
                log.error("store unavailable", reason=str(error))
                await asyncio.sleep(_STORE_PAUSE)
        self._ended(self)

    async def _advance(self, now: float) -> None:
        """Start a delivery, or ask for what it lacks, or wait."""
        await self._shares.tend(("", *self._credentials), min(AT_ONCE - self._delivering, len(self._queue)), now)
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
        count = waiting.recipients
        if self._all.ready_for(count, now) < count:
            return None
        return next((way for way in self._open_ways(waiting, now) if way.ready_for(count, now) == count), None)

    def _open_ways(self, waiting: Waiting, now: float) -> list[Meter]:
        return [way for way in self._ways_of(waiting) if way.starts_at(now) <= now]

    async def _start(self, waiting: Waiting, way: Meter, now: float) -> None:
        delivery = replace(waiting.delivery, credential=way.name) if way.name else waiting.delivery
        self._queue.take(waiting.sender, waiting)
        permits = [(meter, meter.start(waiting.recipients, now)) for meter in (self._all, way)]
        self._delivering += 1
        await self._shares.connect(delivery.destination)
        self._spawn(self._deliver(waiting, delivery, permits, now))

    async def _deliver(
        self, waiting: Waiting, delivery: Delivery, permits: Sequence[tuple[Meter, float]], began: float
    ) -> None:
        outcomes = await self._hands.attempt(delivery)
        reached_nobody = is_unreachable(outcomes)
        for meter, good_until in permits:
            meter.end(waiting.recipients if reached_nobody else 0, good_until)
        self._delivering -= 1
        self._wake.set()
        first, (way, _) = outcomes[0], permits[-1]
        if first.status is Status.DEFERRED:
            if asks_to_slow_down(first.reply) and (way.brake is None or began > way.brake.at):
                self._pull(way, first.reply, way.pace_until(self._hands.elapsed()))
            elif way.name and is_signed_out(first.reply):
                way.rests_until = self._hands.elapsed() + _SIGNED_OUT
            elif reached_nobody:
                self._defer_waiting(delivery.destination, first)
        await self._hands.settle(waiting.held, delivery, outcomes)

    async def _obtain(self, waiting: Waiting, now: float) -> None:
        """Ask for the permits that the mail lacks, as far as there may be any by now; else it goes to those recipients
        that there are some for, or waits."""
        recipients = waiting.recipients
        way = min(self._open_ways(waiting, now), key=lambda each: each.opens_at(recipients, now))
        meters = (self._all, way)
        opens_at = max(meter.opens_at(recipients, now) for meter in meters)
        lacking = [(meter, purse) for meter in meters for purse in meter.lacking(recipients, now)]
        if opens_at <= now and lacking:
            messages = min(len(self._queue), AT_ONCE - self._delivering + self._all.started_since(now - 1))
            wishes = [meter.wish(purse, recipients, messages) for meter, purse in lacking]
            grants = await self._hands.spool.permits(wishes, self._hands.clock())
            for (meter, purse), grant in zip(lacking, grants, strict=False):
                meter.put(purse, grant, now)
            return
        if part := min(meter.ready_for(recipients, now) for meter in meters):
            self._split(waiting, part)
            await self._start(waiting, way, now)
            return
        unconnected = (meter.connections for meter in meters if not meter.has_connection())
        reasons = [*(purse.why for _, purse in lacking), *(each.why for each in unconnected if each)]
        self._tell(reasons[0] if reasons else "", now)
        await self._pause(opens_at, now)

    def _split(self, waiting: Waiting, count: int) -> None:
        """It is for its first recipients only from now on; the others wait by themselves."""
        delivery = waiting.delivery
        first, others = delivery.recipients[:count], delivery.recipients[count:]
        waiting.delivery = replace(delivery, recipients=first)
        waiting.held.deliveries += 1
        self._enqueue(replace(waiting, delivery=replace(delivery, recipients=others)))

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

    async def _end(self, now: float) -> bool:
        """Nothing waits: fetch what waits in the store, and give connections back after a while. Whether all is done:
        what is on its way too, or a worker that ends would not wait for it."""
        opens_at = self._opens_at(now)
        if max(self._fetch_at, opens_at) <= now:
            await self._fetch(now)
        is_to_fetch = math.isfinite(self._fetch_at) and opens_at < now + PATIENCE
        if len(self.tasks) == 1 and not self._shares.are_any and not is_to_fetch:
            return True
        try:
            async with asyncio.timeout(LINGER):
                await self._wake.wait()
        except TimeoutError:
            await self._shares.give_back(now)
        return False

    # What is told, and what goes back

    def _pull(self, way: Meter, reply: Reply, used: Pace) -> None:
        brake = way.brake = Brake.pulled(reply, self._hands.elapsed(), used, way.brake)
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
        now = self._hands.elapsed()
        rate = self.limits.rate or max(_SLOW, 2 * self._all.started_since(now - _OBSERVED) / _OBSERVED)
        earliest = max(now, opens_at) + self._queue.waiting(waiting.sender) / rate
        due = self._clocks.due(waiting.sender, now, earliest, 1 / rate)
        why = self._why or self._all.why or next((way.why for way in self._ways() if way.why), "")
        if self.limits.are_any:
            self._fetch_at = min(self._fetch_at, now)
        self._spawn(self._hands.settler.postpone(waiting.held, waiting.delivery, self._hands.clock() + due - now, why))

    def _opens_at(self, now: float) -> float:
        """When there may be permits for something."""
        ways = (max(way.starts_at(now), way.opens_at(1, now)) for way in self._ways())
        return max(self._all.opens_at(1, now), min(ways, default=now))

    async def _fetch(self, now: float) -> None:
        """What went back to the store was to come as fast as it could go; by now it can go faster."""
        found = await self._hands.spool.hasten(self.limits.connector, self._room, self._hands.clock())
        self._clocks = Clocks()
        self._fetch_at = now + _FETCH_AGAIN if found == self._room else math.inf

    def _defer_waiting(self, destination: str, cause: Outcome) -> None:
        """What waits for a destination that nobody answers at would only wait longer: it gets the same outcome."""
        for waiting in [each for each in self._queue if each.delivery.destination == destination]:
            self._queue.remove(waiting.sender, waiting)
            outcomes = [replace(cause, recipient=recipient) for recipient in waiting.delivery.recipients]
            self._spawn(self._hands.settle(waiting.held, waiting.delivery, outcomes))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._on_done)
        return task

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not self._queue:
            self._wake.set()
