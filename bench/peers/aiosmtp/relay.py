"""The simplest durable relay that can be made of aiosmtpd and aiosmtplib: a file with fsync, then 250, then delivery.

Usage: relay.py FOLDER PORT SINK
"""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from pathlib import Path

import aiosmtplib
from aiosmtpd.smtp import SMTP, Envelope, Session

_DELIVERIES = 10


class Relay:
    """aiosmtpd's handler."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.queue: asyncio.Queue[tuple[Path, Envelope]] = asyncio.Queue()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's)
        file = self._folder / uuid.uuid4().hex
        await asyncio.to_thread(_store, file, envelope.content)
        self.queue.put_nowait((file, envelope))
        return "250 2.6.0 Queued"

    async def deliver(self, port: int) -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            while True:
                file, envelope = await self.queue.get()
                await client.sendmail(envelope.mail_from, envelope.rcpt_tos, envelope.content)
                file.unlink()


def _store(file: Path, content: bytes) -> None:
    with file.open("wb") as output:
        output.write(content)
        output.flush()
        os.fsync(output.fileno())


async def _main(folder: Path, port: int, sink: int) -> None:
    relay = Relay(folder)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(relay, hostname="aiosmtp.test", data_size_limit=0), "127.0.0.1", port, backlog=1024
    )
    async with server:
        await asyncio.gather(*(relay.deliver(sink) for _ in range(_DELIVERIES)))


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
