"""Things done at once, told one after another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")


async def in_order(walks: Iterable[AsyncIterator[T]]) -> AsyncGenerator[T, None]:
    """All walks run at once; what the first one finds comes first, as it finds it. Closing ends them all."""
    lanes: list[tuple[asyncio.Queue[T | None], asyncio.Task[None]]] = []
    for walk in walks:
        queue: asyncio.Queue[T | None] = asyncio.Queue()
        lanes.append((queue, asyncio.create_task(_pour(walk, queue))))
    try:
        for queue, task in lanes:
            while (found := await queue.get()) is not None:
                yield found
            await task
    finally:
        for _, task in lanes:
            task.cancel()
        await asyncio.gather(*(task for _, task in lanes), return_exceptions=True)


async def _pour(walk: AsyncIterator[T], queue: asyncio.Queue[T | None]) -> None:
    """None is the end, or the error that awaiting the task will raise."""
    try:
        async for found in walk:
            queue.put_nowait(found)
    finally:
        queue.put_nowait(None)
