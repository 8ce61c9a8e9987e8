"""What a worker does all the time outlasts whatever the store says meanwhile."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from posthouse.relay import in_force as in_force_module
from posthouse.relay import scheduler as scheduler_module
from posthouse.relay.budget import Budget
from posthouse.relay.in_force import Watch
from posthouse.relay.scheduler import Scheduler
from posthouse.settings import Settings
from posthouse.spool import Lease, SpoolError, StoreUnavailable, StoreUncertain

TROUBLES = [StoreUnavailable, StoreUncertain]


class TroubledSpool:
    """Says no once; `asked_again` is set when it is asked after that."""

    def __init__(self, trouble: type[SpoolError]) -> None:
        self._troubles = [trouble("the disk")]
        self.asked_again = asyncio.Event()

    async def claim(self, now: float, limit: int) -> list[Lease]:
        self._say_no_once()
        return []

    async def revision(self) -> int:
        self._say_no_once()
        return 0

    def _say_no_once(self) -> None:
        if self._troubles:
            raise self._troubles.pop()
        self.asked_again.set()


async def asks_again(chore: Any, spool: TroubledSpool) -> bool:
    running = asyncio.ensure_future(chore.run())
    waiting = asyncio.ensure_future(spool.asked_again.wait())
    await asyncio.wait([running, waiting], timeout=10, return_when=asyncio.FIRST_COMPLETED)
    for task in (running, waiting):
        task.cancel()
    await asyncio.gather(running, waiting, return_exceptions=True)
    return spool.asked_again.is_set()


@pytest.mark.parametrize("trouble", TROUBLES)
def test_the_scheduler_goes_on(trouble: type[SpoolError], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler_module, "INTERVAL", 0)

    async def scenario() -> bool:
        spool: Any = TroubledSpool(trouble)
        return await asks_again(Scheduler(spool, Budget(), lambda lease: None, lambda: 0.0), spool)

    assert asyncio.run(scenario())


@pytest.mark.parametrize("trouble", TROUBLES)
def test_the_watch_goes_on(trouble: type[SpoolError], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_force_module, "POLL", 0)

    async def scenario() -> bool:
        spool: Any = TroubledSpool(trouble)
        nothing: Any = None
        watch = Watch(Settings(hostname="relay.test"), spool, nothing, nothing, lambda: 0.0)
        return await asks_again(watch, spool)

    assert asyncio.run(scenario())


class Beating:
    """Counts heartbeats; the stored organization is always a newer one if `is_changed`. Ends the watch after a few."""

    def __init__(self, *, is_changed: bool) -> None:
        self.beats = self.looks = 0
        self._revision = 1 if is_changed else 0

    async def revision(self) -> int:
        self.looks += 1
        if self.looks > 5:
            raise asyncio.CancelledError
        return self._revision

    async def heartbeat(self, now: float, revision: int) -> None:
        self.beats += 1


def beats(monkeypatch: pytest.MonkeyPatch, clock: Callable[[], float], *, is_changed: bool) -> int:
    monkeypatch.setattr(in_force_module, "POLL", 0)
    spool: Any = Beating(is_changed=is_changed)
    unreadable: Any = Unreadable()
    watch = Watch(Settings(hostname="relay.test"), spool, unreadable, unreadable, clock)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(watch.run())
    return spool.beats


class Unreadable:
    def load(self) -> None:
        raise StoreUnavailable("the disk")


def test_a_clock_that_is_set_back_does_not_silence_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    times = itertools.chain([1e9, 1e9], itertools.count(1e6, 10.0))
    assert beats(monkeypatch, lambda: next(times), is_changed=False) > 2


def test_a_change_that_cannot_be_taken_into_force_does_not_silence_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other nodes would take its mail for a dead one's, and deliver it twice."""
    times = itertools.count(1e6, 10.0)
    assert beats(monkeypatch, lambda: next(times), is_changed=True) > 2
