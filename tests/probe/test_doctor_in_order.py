"""Walks at the same time, told one after another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from posthouse.probe.doctor.in_order import in_order


def test_the_first_walk_is_told_first_although_the_second_is_faster() -> None:
    done = asyncio.Event()
    told: list[str] = []

    async def slow() -> AsyncIterator[str]:
        yield "slow 1"
        await done.wait()
        yield "slow 2"

    async def fast() -> AsyncIterator[str]:
        yield "fast 1"
        yield "fast 2"
        done.set()

    async def run() -> None:
        async for found in in_order([slow(), fast()]):
            told.append(found)

    asyncio.run(run())
    assert told == ["slow 1", "slow 2", "fast 1", "fast 2"]


def test_what_was_found_is_told_at_once() -> None:
    async def endless() -> AsyncIterator[str]:
        yield "found"
        await asyncio.Event().wait()

    async def first() -> str:
        async with aclosing(in_order([endless()])) as found:
            return await anext(found)

    assert asyncio.run(asyncio.wait_for(first(), 5)) == "found"


def test_closing_ends_every_walk() -> None:
    ended: list[str] = []

    async def endless(name: str) -> AsyncIterator[str]:
        try:
            yield name
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    async def run() -> None:
        async with aclosing(in_order([endless("one"), endless("two")])) as found:
            await anext(found)
            await asyncio.sleep(0)

    asyncio.run(run())
    assert sorted(ended) == ["one", "two"]


def test_an_error_comes_where_it_happened() -> None:
    told: list[str] = []

    async def broken() -> AsyncIterator[str]:
        yield "before"
        raise LookupError("gone")

    async def sound() -> AsyncIterator[str]:
        yield "sound"

    async def run() -> None:
        async for found in in_order([sound(), broken()]):
            told.append(found)

    with pytest.raises(LookupError, match="gone"):
        asyncio.run(run())
    assert told == ["sound", "before"]
