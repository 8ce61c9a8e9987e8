"""Blocking work in a thread that nobody has to wait for: neither who lost patience, nor the end of the program."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


async def apart(patience: float, work: Callable[[], T]) -> T:
    """Its result. Raises `TimeoutError` after so many seconds, and whatever the work raises."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # from here on it can't be cancelled, as the work can't

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 whatever it is, who awaits it hears of it
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    async with asyncio.timeout(patience):
        return await asyncio.wrap_future(future)
