"""Once a minute, what this worker has counted since goes into the store: all that numbers over time cost the mail."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable

from posthouse import observe
from posthouse.spool import SpoolError, Store, Tallies, Tally

EVERY = 60.0

log = observe.logger


class TallyKeeper:
    """What can't be written is written with what comes next. A worker that is killed takes a minute's numbers along."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._tallies = Tallies(store)
        self._clock = clock
        self._told = _counted()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(EVERY - self._clock() % EVERY)
            await self.write()

    async def write(self) -> None:
        """For the minute that a second ago was: `run` wakes up just after its end."""
        counted = _counted()
        fresh = [*map(operator.sub, counted, self._told)]
        if not any(fresh):
            return
        try:
            await asyncio.to_thread(self._tallies.add, self._clock() - 1, Tally.of_numbers(fresh))
        except SpoolError as error:
            log.error("numbers put off", reason=str(error))
        else:
            self._told = counted


def _counted() -> tuple[int, ...]:
    now = observe.counters
    refused = sum(now.refusals.values())
    took = tuple(now.delivery_seconds.counts)
    return Tally(now.accepted, now.delivered, now.deferred, now.failed, refused, took).numbers
