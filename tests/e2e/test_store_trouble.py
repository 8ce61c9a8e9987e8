"""A disk that is full, a store that is locked or gone: 452 and never a 250, and it goes on by itself afterwards."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import psutil
import pytest

from posthouse.spool.turn import FileLock
from support.chain import SITE, site_before
from support.house import House, MakeHouse, listens, wait_for
from support.load import RECIPIENT, SENDER, SIZES, content_of
from support.peers import Answer, Peer, Received

RETRY_SOON = '\n[delivery]\nretry_after = ["0.2s"]\n'
LATER = "later@contoso.com"
SOONER = """
from posthouse.relay import worker
from posthouse.spool import store, writer
worker._HOUSEKEEPING = 0.2
store.PATIENCE = writer.PATIENCE = 2.0
"""
"""A minute between two looks at what is done, and ten seconds of patience with a locked store, are long for a test."""

REFUSAL = "452 4.3.1 Insufficient system resources"

Trouble = Callable[[House], AbstractContextManager[None]]

_numbers = itertools.count(1)


class NextHop(Peer):
    """While it is not open, it keeps the mail of `SENDER` waiting for its answer, and puts that of `LATER` off."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()
        self.kept = 0

    def answer(self, verb: str, message: Received) -> Answer:
        if verb == "RCPT" and LATER in message.mail and not self.open.is_set():
            return "451 4.3.0 later"
        if verb == "CONTENT":
            self.kept += 1
            self.open.wait()
        return super().answer(verb, message)

    def numbers(self) -> list[int]:
        """Of the mails that it has, in order."""
        found = [re.search(rb"^Subject: (\d+)", message.content, re.MULTILINE) for message in list(self.messages)]
        return sorted(int(subject[1]) for subject in found if subject)


@pytest.fixture(scope="module")
def next_hop() -> Iterator[NextHop]:
    with NextHop() as peer:
        yield peer
        peer.open.set()


@pytest.fixture(scope="module")
def site(shared_house: MakeHouse, next_hop: NextHop) -> House:
    return site_before(shared_house, "127.0.0.1", next_hop.port, RETRY_SOON, patch=SOONER)


def hand_in(site: House, numbers: list[int], sender: str = SENDER) -> list[str]:
    """The replies to the mails of these numbers, sent at the same time, the odd ones by BDAT."""

    def send(number: int) -> str:
        content = content_of(number)
        with site.wire() as wire:
            wire.greeted().begin(sender, RECIPIENT)
            if number % 2:
                return wire.say(b"BDAT %d LAST\r\n" % len(content), content)
            assert wire.say(b"DATA\r\n").startswith("354 ")
            return wire.say(content + b".\r\n")

    with ThreadPoolExecutor(len(numbers)) as threads:
        return list(threads.map(send, numbers))


def fresh(count: int = 2 * len(SIZES)) -> list[int]:
    """Numbers of mails of each size, sent in each way."""
    return list(itertools.islice(_numbers, count))


def content_files(site: House) -> list[Path]:
    return [path for path in (site.data_dir / "content").glob("*/*") if path.name != "lock"]


def is_taken(site: House, number: int) -> bool:
    return hand_in(site, [number])[0].startswith("250 ")


@contextmanager
def full_disk(site: House) -> Iterator[None]:
    """No file may be written to any more."""
    before = [(worker, worker.rlimit(psutil.RLIMIT_FSIZE)) for worker in site.workers]
    for worker, (_, hard) in before:
        worker.rlimit(psutil.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        for worker, limits in before:
            worker.rlimit(psutil.RLIMIT_FSIZE, limits)


@contextmanager
def locked(site: House) -> Iterator[None]:
    with closing(FileLock(site.data_dir / "store.turn")) as lock:
        assert lock.try_acquire(10)
        yield


@contextmanager
def moved_away(path: Path) -> Iterator[None]:
    elsewhere = path.with_name(f"{path.name}.elsewhere")
    path.rename(elsewhere)
    try:
        yield
    finally:
        elsewhere.rename(path)


def without_database(site: House) -> AbstractContextManager[None]:
    return moved_away(site.data_dir / "posthouse.db")


def without_folder(site: House) -> AbstractContextManager[None]:
    return moved_away(site.data_dir)


@pytest.mark.parametrize("trouble", [full_disk, locked, without_database, without_folder])
def test_trouble_refuses_and_goes_by(site: House, next_hop: NextHop, trouble: Trouble) -> None:
    workers = site.workers
    next_hop.open.clear()
    next_hop.messages.clear()
    delivering, deferred, refused, after = fresh(), fresh(), fresh(), fresh()
    kept = next_hop.kept
    assert all(reply.startswith("250 ") for reply in hand_in(site, delivering))
    wait_for(lambda: next_hop.kept == kept + len(delivering), what="the deliveries")
    assert all(reply.startswith("250 ") for reply in hand_in(site, deferred, LATER))

    with trouble(site):
        assert all(reply.startswith(REFUSAL) for reply in hand_in(site, refused))
        next_hop.open.set()
        wait_for(lambda: set(delivering) <= set(next_hop.numbers()), what="what was on its way")

    wait_for(lambda: is_taken(site, after[0]), what="the store to take mail again")
    assert all(reply.startswith("250 ") for reply in hand_in(site, after[1:]))
    wait_for(lambda: set(after) <= set(next_hop.numbers()))
    site.await_idle()
    assert next_hop.numbers() == sorted(delivering + deferred + after)
    wait_for(lambda: not content_files(site), what="the files of what is done to go")
    site.apply(SITE.format(host="127.0.0.1", port=next_hop.port) + f'comment = "{trouble.__name__} is over"')
    assert site.workers == workers
    assert not site.log_lines("defect")


def test_the_successor_of_a_worker_makes_no_new_store(site: House, next_hop: NextHop) -> None:
    next_hop.open.set()
    with without_folder(site):
        tries = len(site.log_lines("worker died"))
        site.kill_worker()
        wait_for(lambda: len(site.log_lines("worker died")) >= tries + 2, what="a successor that found no store")
        assert not site.data_dir.exists()
    wait_for(lambda: sum(map(listens, site.workers)) == 2, what="a successor that is ready")
    wait_for(lambda: is_taken(site, *fresh(1)), what="the store to take mail again")
    site.await_idle()
