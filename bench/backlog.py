"""Fills a store with messages that wait for a far day, through the spool as a worker would."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from posthouse.mail import Client, Envelope, MemoryContent, Message, Recipient, message_id
from posthouse.spool import NewMessage, Spool, open_store

_IN_FLIGHT = 10_000
_FAR = 30 * 86400.0
_CONTENT = MemoryContent((b"From: scanner@contoso.com\r\nSubject: waiting\r\n\r\n" + (b"x" * 78 + b"\r\n") * 12,))
_CLIENT = Client("127.0.0.1", "bench")


def fill(data_dir: Path, count: int) -> None:
    """A new data directory with `count` messages of 1 KiB. What is received on a far day is due on that day."""
    data_dir.mkdir(mode=0o700)
    store = open_store(f"sqlite:///{data_dir / 'posthouse.db'}", data_dir)
    asyncio.run(_fill(Spool(store), count))
    store.close()


async def _fill(spool: Spool, count: int) -> None:
    await spool.start("bench")
    far = time.time() + _FAR
    for start in range(0, count, _IN_FLIGHT):
        await _accept([_waiting(number, far) for number in range(start, min(start + _IN_FLIGHT, count))], spool)
    await spool.close()


async def _accept(news: list[NewMessage], spool: Spool) -> None:
    left = len(news)
    finished = asyncio.get_running_loop().create_future()

    def done(error: BaseException | None) -> None:
        nonlocal left
        left -= 1
        if error is not None and not finished.done():
            finished.set_exception(error)
        elif not left and not finished.done():
            finished.set_result(None)

    for new in news:
        spool.accept(new, done)
    await finished


def _waiting(number: int, due: float) -> NewMessage:
    identity = message_id(time.time_ns() // 1_000_000, number)
    envelope = Envelope("scanner@contoso.com", (Recipient(f"user{number}@example.net"),))
    message = Message(identity, due, envelope, _CONTENT, "Devices", _CLIENT)
    return NewMessage(message, subject="waiting", leased=False)
