"""Brings due mail back from the store: deferred, over the budget when it came, or left by a worker that died."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from posthouse import observe
from posthouse.relay.budget import Budget
from posthouse.spool import Lease, Spool, SpoolError

INTERVAL = 0.5
"""Seconds between two looks for due mail."""
BATCH = 200

log = observe.logger


class Scheduler:
    def __init__(self, spool: Spool, budget: Budget, take: Callable[[Lease], None], clock: Callable[[], float]) -> None:
        self._spool = spool
        self._budget = budget
        self._take = take
        self._clock = clock

    async def run(self) -> None:
        """Claim until cancelled. Half of the budget is left to mail that is just coming in."""
        while True:
            try:
                claimed = await self._claim()
            except SpoolError as error:
                log.error("store unavailable", reason=str(error))
                claimed = 0
            if claimed < BATCH:
                await asyncio.sleep(INTERVAL)

    async def _claim(self) -> int:
        limit = min(BATCH, self._budget.room // 2)
        if limit <= 0:
            return 0
        leases = await self._spool.claim(self._clock(), limit)
        for lease in leases:
            self._budget.reserve(lease.message.content, len(lease.recipients), force=True)
            self._take(lease)
        return sum(len(lease.recipients) for lease in leases)
