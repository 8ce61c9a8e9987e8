"""Blocking work that nobody waits for for ever."""

from __future__ import annotations

import asyncio
import time
from threading import Event

import pytest

from posthouse.net.apart import apart


def test_its_result_and_its_error() -> None:
    assert asyncio.run(apart(1, lambda: 5)) == 5
    with pytest.raises(ZeroDivisionError):
        asyncio.run(apart(1, lambda: 1 / 0))


def test_what_takes_too_long_is_left_behind() -> None:
    started, never = time.monotonic(), Event()
    with pytest.raises(TimeoutError):
        asyncio.run(apart(0.05, lambda: never.wait(20)))
    assert time.monotonic() - started < 10
    never.set()
