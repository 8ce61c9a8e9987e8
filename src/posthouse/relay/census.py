"""How many sessions are open, in all and for each client address, counted over all workers without a lock."""

from __future__ import annotations

import ipaddress
import mmap
from collections.abc import Iterator
from contextlib import suppress
from zlib import crc32

_CLIENT_CELLS = 4096
_ROW = 1 + _CLIENT_CELLS  # the worker's total, then a cell for each hash of a client address


class Census:
    """Shared memory with a row for each worker: only its owner writes it, everybody reads the sum.

    Addresses share a cell when their hashes collide, which can only make the limit for one client stricter.
    Made before the workers are forked; in a process of its own (spawned) it counts that process alone.
    """

    def __init__(self, workers: int) -> None:
        self._memory = mmap.mmap(-1, workers * _ROW * 4)
        self._cells = memoryview(self._memory).cast("i")

    def enter(self, worker: int, client: str, *, limit: int, limit_per_client: int) -> bool:
        """Count one session in, unless a limit is reached (0 = no limit)."""
        cell = _cell_of(client)
        if 0 < limit <= self._sum(0) or 0 < limit_per_client <= self._sum(cell):
            return False
        self._cells[worker * _ROW] += 1
        self._cells[worker * _ROW + cell] += 1
        return True

    def leave(self, worker: int, client: str) -> None:
        """Count one session out."""
        self._cells[worker * _ROW] -= 1
        self._cells[worker * _ROW + _cell_of(client)] -= 1

    def clear(self, worker: int) -> None:
        """Forget the sessions of a worker that died with them."""
        for index in self._row(worker):
            self._cells[index] = 0

    @property
    def sessions(self) -> int:
        """Open sessions in all."""
        return self._sum(0)

    def _sum(self, cell: int) -> int:
        return sum(self._cells[cell::_ROW])

    def _row(self, worker: int) -> Iterator[int]:
        return iter(range(worker * _ROW, (worker + 1) * _ROW))


def _cell_of(client: str) -> int:
    """An IPv6 client is its /64, since one host commonly has all of that."""
    if ":" in client:
        with suppress(ValueError):
            client = ipaddress.IPv6Address(client.partition("%")[0]).exploded[:19]
    return 1 + crc32(client.encode()) % _CLIENT_CELLS
