"""How many messages a minute inbound connectors take, over all workers and nodes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from posthouse import observe
from posthouse.organization import InboundConnector
from posthouse.relay.limits import accepted
from posthouse.relay.meter import Purse
from posthouse.spool import Grant, Spool, SpoolError, Wish

log = observe.logger


class RateLimits:
    """Answers at once from permits in hand, or from knowing that there are none; else when the store has answered."""

    def __init__(self, spool: Spool, clock: Callable[[], float], elapsed: Callable[[], float]) -> None:
        self._spool = spool
        self._clock = clock
        self._elapsed = elapsed
        self._taps: dict[str, _Tap] = {}

    def take(self, connector: InboundConnector) -> bool | asyncio.Future[bool]:
        """Whether a message of this connector, which has a limit, may come in."""
        tap = self._taps.get(connector.name)
        if tap is None or tap.most != connector.rate_limit:
            most = connector.rate_limit or 0
            tap = self._taps[connector.name] = _Tap(connector.name, most, self._spool, self._clock, self._elapsed)
        return tap.take()


class _Tap:
    """One connector's permits. Those who find none wait for the one request that is under way."""

    def __init__(
        self, connector: str, most: int, spool: Spool, clock: Callable[[], float], elapsed: Callable[[], float]
    ) -> None:
        self.most = most
        self._connector = connector
        self._spool = spool
        self._clock = clock
        self._elapsed = elapsed
        self._purse = Purse(accepted(f"inbound/{connector}", most), "")
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._closed_until = 0.0
        self._taken = 0
        self._asking: asyncio.Task[None] | None = None

    def take(self) -> bool | asyncio.Future[bool]:
        now = self._elapsed()
        if self._has_one(now):
            return True
        if now < self._closed_until:
            return False
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask())
        return answer

    def _has_one(self, now: float) -> bool:
        if not self._purse.holds(now):
            return False
        self._purse.take(1)
        self._taken += 1
        return True

    async def _ask(self) -> None:
        """For those who wait, and at a busy time for twice as many as came since the last time: no more than come in
        half a second, so that they are used before they are void."""
        while self._waiting:
            more, self._taken = min(2 * self._taken, self.most // 120), 0
            wish = Wish(self._purse.allowance, 1, len(self._waiting) + more, modest=False)
            now = self._elapsed()
            try:
                [grant] = await self._spool.permits([wish], self._clock())
            except SpoolError as error:  # their mail would be refused for that, and not for the limit
                log.error("store unavailable", reason=str(error))
                self._answer(len(self._waiting), True)
                return
            self._share(grant, now)

    def _share(self, grant: Grant, now: float) -> None:
        self._purse.put(grant, now)
        if not grant.permits:
            self._closed_until = now + grant.opens_in
            log.info("rate limit reached", connector=self._connector, messages_a_minute=self.most)
            self._answer(len(self._waiting), False)
        while self._waiting and self._has_one(now):
            self._answer(1, True)

    def _answer(self, count: int, may_come: bool) -> None:
        for _ in range(count):
            answer = self._waiting.popleft()
            if not answer.done():
                answer.set_result(may_come)
