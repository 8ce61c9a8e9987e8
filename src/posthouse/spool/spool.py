"""The spool as a worker sees it: accept, claim, settle. Signatures first; the rest follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from posthouse.mail import Content
from posthouse.spool.records import Lease, NewMessage, Settlement

Done = Callable[[BaseException | None], None]


class Incoming(Protocol):
    """Content while it arrives: in memory at first, in a file of its own once it is large."""

    size: int

    def write(self, data: bytes) -> None: ...

    def finish(self, prefix: bytes) -> Content:
        """The whole as content for a `NewMessage`, `prefix` (the trace line and such) before what was written."""
        ...

    def discard(self) -> None:
        """Forget it. Harmless after `finish` was accepted."""
        ...


class Spool(Protocol):
    """One worker's side of the store: made after the fork, used from one event loop.

    `store = open_store(url, data_dir)`, then `Spool(store, min_free=…)`; `await spool.start(node)` registers the worker
    and starts the writer thread; `await spool.close()` gives its leases back, and waits for all that was handed in.
    """

    worker_id: int

    async def start(self, node: str) -> None: ...
    async def close(self) -> None: ...

    def incoming(self) -> Incoming: ...

    def accept(self, new: NewMessage, done: Done) -> None:
        """Make a message durable, then call `done` in the event loop: None, StoreUnavailable or StoreUncertain."""
        ...

    def settle(self, settlement: Settlement, done: Done | None = None) -> None:
        """Record outcomes. Kept and repeated until the store takes it."""
        ...

    async def claim(self, now: float, limit: int) -> list[Lease]:
        """Lease up to `limit` recipients that are due and nobody's. Raises StoreUnavailable."""
        ...

    async def next_due(self) -> float | None:
        """When the next unleased recipient is due."""
        ...

    async def heartbeat(self, now: float, revision: int) -> int:
        """Say that this worker lives with organization `revision` in force (about every 10 s, and after a change);
        voids workers of other nodes that have been silent for 30 s. Returns the stored revision."""
        ...

    async def revision(self) -> int:
        """The stored organization's revision: cheap enough to ask every half second."""
        ...

    def housekeep(self, now: float, trace_keep: float) -> None:
        """Blocking; call it every minute or so in a thread: purge old traces, reclaim files whose content is done."""
        ...
