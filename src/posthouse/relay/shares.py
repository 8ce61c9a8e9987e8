"""A worker's part of the connections at once that a connector and its credentials allow to all workers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Mapping

from posthouse.relay.meter import Connections, Meter
from posthouse.spool import Spool


class Shares:
    """What is open is counted, idle sessions too: they end where another needs the connection.

    `meters` are all that the connector has ever had: who uses one no more has its connections to give back.
    """

    def __init__(
        self,
        spool: Spool,
        clock: Callable[[], float],
        connector: str,
        meters: Mapping[str, Meter],
        end_idle: Callable[[str], Awaitable[None]],
    ) -> None:
        self._spool = spool
        self._clock = clock
        self._connector = connector
        self._meters = meters
        self._end_idle = end_idle
        self._destinations: set[str] = set()

    @property
    def are_any(self) -> bool:
        return any(shared.granted for _, shared in self._shared)

    async def tend(self, wanted: Container[str], more: int, now: float) -> None:
        """See now and then to a fair share, for so many deliveries `more`, of the meters that are `wanted`."""
        for meter, shared in self._shared:
            if now >= shared.ask_at:
                held = shared.granted
                if meter.in_use <= shared.target < held:
                    await self._end()
                    held = shared.target
                await self._ask(shared, held, meter.in_use + (more if meter.name in wanted else 0), now)

    async def connect(self, destination: str) -> None:
        """A delivery is about to go there."""
        if not self._shared:
            return
        if self._destinations - {destination}:
            await self._end()  # an idle one elsewhere would be one too many
        self._destinations.add(destination)

    async def give_back(self, now: float) -> None:
        """Nothing waits for a connection."""
        if self.are_any:
            busy = [(shared, meter.in_use) for meter, shared in self._shared]  # those that end meanwhile stay open
            await self._end()
            for shared, held in busy:
                await self._ask(shared, held, held, now)

    @property
    def _shared(self) -> list[tuple[Meter, Connections]]:
        return [(meter, meter.connections) for meter in self._meters.values() if meter.connections is not None]

    async def _ask(self, shared: Connections, held: int, wanted: int, now: float) -> None:
        share = await self._spool.connections(
            shared.key, self._connector, most=shared.most, held=held, wanted=wanted, now=self._clock()
        )
        shared.put(share, now)

    async def _end(self) -> None:
        self._destinations.clear()
        await self._end_idle(self._connector)
