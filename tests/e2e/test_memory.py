"""A message of 150 MiB, the default limit, passes through both houses and is never in the memory of any."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from posthouse.transports.mailbox import mailbox_path
from support.chain import site_before, start_tenant
from support.house import House, MakeHouse, wait_for
from support.load import RECIPIENT, SENDER
from support.wire import Wire

LIMIT = 150 << 20
TOO_BIG = "552 5.3.4 Message size exceeds fixed limit"

GROWTH = 16 << 20
"""Bytes that all workers together may grow by at most while it passes.

A session may have 2 MiB, and there are three: in and out of the site, and into the tenant. The first large message also
leaves stacks of threads and the allocator's arenas behind. 6 MiB were measured; a message in memory would be 150.
"""

HEADER = b"Subject: large\r\n\r\n"
LINE = b"%07d " + b"x" * 68 + b"\r\n"
BLOCK = b"".join(LINE % number for number in range(10_000))

Send = Callable[[Wire, Iterator[bytes], int], str]


def content(size: int) -> Iterator[bytes]:
    """That many bytes of header and lines, in pieces."""
    yield HEADER
    left = size - len(HEADER)
    while left > len(BLOCK):
        yield BLOCK
        left -= len(BLOCK)
    yield BLOCK[: left - 2] + b"\r\n"


def by_data(wire: Wire, pieces: Iterator[bytes], size: int) -> str:
    assert wire.say(b"DATA\r\n").startswith("354 ")
    wire.send(*pieces)
    return wire.say(b".\r\n")


def by_bdat(wire: Wire, pieces: Iterator[bytes], size: int) -> str:
    """All of it as a single chunk."""
    wire.send(b"BDAT %d LAST\r\n" % size)
    return wire.say(*pieces)


@pytest.fixture(scope="module")
def houses(shared_house: MakeHouse) -> tuple[House, House]:
    """With a worker each, whose memory is then that of the one session.

    The tenant takes a little more, since what it gets has the site's trace line on top.
    """
    tenant = start_tenant(shared_house, 'workers = 1\n\n[limits]\nmessage_size = "151 MiB"\n')
    return site_before(shared_house, tenant.address, tenant.port, "workers = 1"), tenant


@contextmanager
def growth(*houses: House) -> Iterator[list[int]]:
    """Afterwards: by how much the workers together had grown at most."""
    workers = [worker for house in houses for worker in house.workers]
    over = threading.Event()
    peak: list[int] = []

    def memory() -> int:
        return sum(worker.memory_info().rss for worker in workers)

    def watch() -> None:
        highest = before
        while not over.wait(0.005):
            highest = max(highest, memory())
        peak.append(highest - before)

    before = memory()
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def arrived(tenant: House) -> list[Path]:
    return list((tenant.data_dir / "mailboxes" / mailbox_path(RECIPIENT) / "new").glob("*"))


def digest_of_body(mail: Path) -> str:
    with mail.open("rb") as file:
        while file.readline() != b"\r\n":
            pass
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_sent(size: int) -> str:
    digest = hashlib.sha256()
    for piece in list(content(size))[1:]:
        digest.update(piece)
    return digest.hexdigest()


def files(house: House) -> list[Path]:
    return [path for path in (house.data_dir / "content").glob("*/*") if path.name != "lock"]


@pytest.mark.parametrize("send", [by_data, by_bdat])
def test_the_largest_message_passes_through(houses: tuple[House, House], send: Send) -> None:
    site, tenant = houses
    for mail in arrived(tenant):
        mail.unlink()
    with growth(site, tenant) as grown, site.wire() as wire:
        wire.greeted()
        assert wire.say(b"MAIL FROM:<%s> SIZE=%d\r\n" % (SENDER.encode(), LIMIT)).startswith("250 ")
        assert wire.say(b"RCPT TO:<%s>\r\n" % RECIPIENT.encode()).startswith("250 ")
        assert send(wire, content(LIMIT), LIMIT).startswith("250 2.6.0 ")
        wait_for(lambda: arrived(tenant), 60, "the mail")
        site.await_idle()
    (mail,) = arrived(tenant)
    assert digest_of_body(mail) == digest_of_sent(LIMIT)
    assert grown[0] < GROWTH


def test_a_byte_more_is_refused_when_it_is_announced(houses: tuple[House, House]) -> None:
    site, _ = houses
    with site.wire() as wire:
        wire.greeted()
        reply = wire.say(b"MAIL FROM:<%s> SIZE=%d\r\n" % (SENDER.encode(), LIMIT + 1))
    assert reply.startswith(TOO_BIG)


@pytest.mark.parametrize("send", [by_data, by_bdat])
def test_a_byte_more_is_refused_when_it_comes(houses: tuple[House, House], send: Send) -> None:
    site, _ = houses
    before = set(files(site))
    with growth(site) as grown, site.wire() as wire:
        wire.greeted().begin(SENDER, RECIPIENT)
        assert send(wire, content(LIMIT + 1), LIMIT + 1).startswith(TOO_BIG)
        assert wire.say(b"NOOP\r\n").startswith("250 ")
        wait_for(lambda: set(files(site)) <= before, what="the part that was written to go")
    assert grown[0] < GROWTH
