"""A worker's chores."""

from __future__ import annotations

import asyncio

import pytest

from posthouse.relay import worker


def test_a_chore_that_breaks_is_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would end unnoticed: its task is awaited by nobody while the worker runs."""
    monkeypatch.setattr(worker, "_TICK", 0)
    begun = 0

    async def chore() -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            raise ZeroDivisionError
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(worker.unending(chore))
    assert begun == 2
