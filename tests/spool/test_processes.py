"""Several processes on one store, and processes that are killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from posthouse.spool import Queue, State, Store, Workers
from support.spools import SpoolWorker, delivered, read

StartWorker = Callable[..., SpoolWorker]

PROGRAM = """
import sys, itertools
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from posthouse.spool import open_store
from support.spools import SpoolWorker, delivered, new_message

worker = SpoolWorker(open_store(sys.argv[1], Path(sys.argv[2])), node="killed")
batches = int(sys.argv[4])
for batch in itertools.count() if batches == 0 else range(batches):
    news = [new_message(content=bytes([65 + n % 26]) * size) for n, size in enumerate((100, 5000, 20000, 300000))]
    worker.accept(*news)
    worker.settle(delivered(news[0].message))
    print(*(new.message.id for new in news[1:]), flush=True)
worker.close()
"""


def writer_process(store_url: str, data_dir: Path, batches: int = 0) -> subprocess.Popen[str]:
    """Accepts four messages at a time, delivers the first, prints the others' ids. `batches` 0: until it is killed."""
    tests = str(Path(__file__).parent.parent)
    command = [sys.executable, "-c", PROGRAM, store_url, str(data_dir), tests, str(batches)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def acknowledged(process: subprocess.Popen[str], lines: int) -> list[str]:
    assert process.stdout is not None
    return [identity for _ in range(lines) for identity in process.stdout.readline().split()]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_what_was_acknowledged_survives_kill_9(
    store: Store, store_url: str, data_dir: Path, start_worker: StartWorker
) -> None:
    survivor = start_worker(store, node="survivor")
    for lines in (1, 7, 30):
        with writer_process(store_url, data_dir) as process:
            known = acknowledged(process, lines)
            process.send_signal(signal.SIGKILL)
            assert process.stdout is not None
            *rest, _ = process.stdout.read().split("\n")  # the last line may be half a line
            known += [identity for line in rest for identity in line.split()]
        Workers(store).void_node("killed")
        leases = {lease.message.id: lease for lease in survivor.claim(limit=100_000)}
        assert set(known) <= leases.keys()
        assert len(leases) <= len(known) + 8, "no more than two batches were not acknowledged"
        assert all(len(set(read(lease.message.content))) == 1 for lease in leases.values())
        assert all(len(read(lease.message.content)) == lease.message.size for lease in leases.values())
        survivor.settle(*(delivered(lease.message) for lease in leases.values()))
    assert Queue(store).counts() == {State.WAITING: 0, State.HELD: 0}


def test_two_processes_and_this_one_write_at_once(
    store: Store, store_url: str, data_dir: Path, start_worker: StartWorker
) -> None:
    claimant = start_worker(store)
    processes = [writer_process(store_url, data_dir, batches=20) for _ in range(2)]
    known = [identity for process in processes for identity in acknowledged(process, 20)]
    assert [process.wait(30) for process in processes] == [0, 0]
    for process in processes:
        assert process.stdout is not None
        process.stdout.close()
    claimed = claimant.claim()
    assert sorted(lease.message.id for lease in claimed) == sorted(known), "they ended, and gave their leases back"
    claimant.settle(*(delivered(lease.message) for lease in claimed))
    assert Queue(store).counts()[State.WAITING] == 0


def test_no_recipient_is_leased_twice(store: Store, store_url: str, data_dir: Path, start_worker: StartWorker) -> None:
    with writer_process(store_url, data_dir, batches=25) as process:
        known = acknowledged(process, 25)
    one, two = start_worker(store), start_worker(store)
    leases: list[str] = []
    while found := [lease.message.id for worker in (one, two) for lease in worker.claim(limit=7)]:
        leases += found
    assert sorted(leases) == sorted(known)
