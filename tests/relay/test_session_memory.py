"""What a session keeps in memory, measured with a real spool: a bound that doesn't grow with the message."""

from __future__ import annotations

import asyncio
import tracemalloc
from pathlib import Path

import pytest

from posthouse.settings import Limits, Listener
from posthouse.spool import open_store
from support.desk import Desk
from support.spools import SpoolWorker

BOUND = 2 << 20
SIZE = 64 << 20
PIECE = 256 << 10  # what an event loop reads at once at the most
TRANSACTION = b"MAIL FROM:<a@fabrikam.test>\r\nRCPT TO:<b@contoso.com>\r\n"


@pytest.mark.parametrize("way", ["DATA", "BDAT"])
def test_a_session_stays_under_2_mib_whatever_the_size_of_its_message(tmp_path: Path, way: str) -> None:
    worker = SpoolWorker(open_store(f"sqlite:///{tmp_path / 'posthouse.db'}", tmp_path))
    desk = Desk(Limits(), Listener(address="127.0.0.1:0"))
    desk.hearing.spool = worker.spool
    committed = asyncio.Event()
    desk.hearing.take = lambda message: (desk.taken.append(message), committed.set())
    client = desk.client().greeted()
    piece = b"x" * 126 + b"\r\n"
    flight = piece * (PIECE // len(piece))
    begin, end = (b"DATA\r\n", b".\r\n") if way == "DATA" else (b"BDAT %d LAST\r\n" % (SIZE + 2), b"")
    tracemalloc.start()
    try:
        client.say(TRANSACTION + begin)
        client.say(b"\r\n")
        for _ in range(SIZE // len(flight)):
            client.say(flight)
        if end:
            client.say(end)
        worker.run(committed.wait())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        worker.close()
        desk.loop.close()
    (message,) = desk.taken
    assert message.size > SIZE
    assert peak < BOUND
