"""Sessions kept warm between deliveries to one destination."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from posthouse.transports.connection import Connection


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """`idle` sessions in all, each for `idle_seconds`, and for at most `transactions` transactions."""

    idle: int = 100
    idle_seconds: float = 30
    transactions: int = 1000


DEFAULT_LIMITS: Final = PoolLimits()


class Pool:
    """Idle sessions by destination. How many are busy is for the caller to limit."""

    def __init__(self, limits: PoolLimits) -> None:
        self._limits = limits
        self._idle: dict[str, list[Connection]] = {}
        self._leaving: set[Connection] = set()
        self._count = 0
        self._is_closed = False

    def take(self, destination: str) -> Connection | None:
        """The session that was used last, which is the least likely to have been closed by its server."""
        idle = self._idle.get(destination)
        while idle:
            connection = idle.pop()
            self._count -= 1
            if not idle:
                del self._idle[destination]
            if connection.is_usable:
                return connection
        return None

    def give(self, destination: str, connection: Connection) -> None:
        """Keep a session for the next delivery, or end it if it has served its time."""
        is_worn = connection.transactions >= self._limits.transactions
        if self._is_closed or is_worn or not connection.is_usable or not self._has_room():
            self._dismiss(connection)
            return
        connection.rest(self._limits.idle_seconds)
        self._idle.setdefault(destination, []).append(connection)
        self._count += 1

    async def close(self) -> None:
        """End what is idle now, and what comes back at once."""
        self._is_closed = True
        await self.end_idle()

    async def end_idle(self) -> None:
        """Returns when they have ended."""
        for connection in [connection for idle in self._idle.values() for connection in idle]:
            self._dismiss(connection)
        self._idle.clear()
        self._count = 0
        if self._leaving:
            await asyncio.wait([connection.lost for connection in self._leaving])

    def _has_room(self) -> bool:
        """Sessions that ended while idle are only swept out when the pool is full."""
        if self._count >= self._limits.idle:
            alive = {where: [one for one in idle if one.is_usable] for where, idle in self._idle.items()}
            self._idle = {where: idle for where, idle in alive.items() if idle}
            self._count = sum(map(len, self._idle.values()))
        return self._count < self._limits.idle

    def _dismiss(self, connection: Connection) -> None:
        """`lost` comes for sure: QUIT has a time-out of its own."""
        if connection.lost.done():
            return
        self._leaving.add(connection)
        connection.lost.add_done_callback(lambda _: self._leaving.discard(connection))
        connection.quit()
