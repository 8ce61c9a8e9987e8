"""Content too big for a row: in files, which are there as long as a row refers to them and no longer."""

from __future__ import annotations

import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from posthouse.spool import Queue, QueueFilter, Store, StoreUnavailable, contents, open_store
from support.spools import SpoolWorker, delivered, failed, new_message, read

StartWorker = Callable[..., SpoolWorker]
BIG = b"x" * 20_000


def files(store: Store) -> list[Path]:
    """Content files of all workers, dead ones too."""
    return sorted(path for path in store.content_folder.rglob("*") if path.is_file() and path.name != "lock")


def housekeep(worker: SpoolWorker) -> None:
    """Twice, since the first one only ends a segment that has become unused."""
    for _ in range(2):
        worker.spool.housekeep(0.0, trace_keep=0, audit_keep=0)
        worker.run(worker.spool.revision())


@pytest.fixture
def worker(sqlite_store: Store, start_worker: StartWorker) -> SpoolWorker:
    return start_worker(sqlite_store)


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "SEGMENT_SIZE", 30_000)


def test_small_content_needs_no_file(sqlite_store: Store, worker: SpoolWorker) -> None:
    worker.accept(new_message(content=b"x" * 8192))
    assert files(sqlite_store) == []


def test_a_segment_holds_several_contents(sqlite_store: Store, worker: SpoolWorker) -> None:
    news = [new_message(content=bytes([65 + n]) * 20_000, leased=False) for n in range(5)]
    worker.accept(*news[:3])
    worker.accept(*news[3:])
    [segment] = files(sqlite_store)
    assert segment.stat().st_size == 100_000
    found = {lease.message.id: read(lease.message.content) for lease in worker.claim()}
    assert found == {new.message.id: read(new.message.content) for new in news}


@pytest.mark.usefixtures("small_segments")
def test_a_segment_goes_with_its_last_content(sqlite_store: Store, worker: SpoolWorker) -> None:
    news = [new_message(content=BIG) for _ in range(4)]
    worker.accept(*news)
    first, second = files(sqlite_store)
    worker.settle(delivered(news[0].message), delivered(news[2].message))
    housekeep(worker)
    assert files(sqlite_store) == [first, second]
    worker.settle(delivered(news[1].message))
    housekeep(worker)
    assert files(sqlite_store) == [second]
    worker.settle(delivered(news[3].message))
    housekeep(worker)
    assert files(sqlite_store) == []


def test_the_segment_under_way_is_kept_while_it_is_used(sqlite_store: Store, worker: SpoolWorker) -> None:
    new, later = new_message(content=BIG), new_message(content=BIG)
    worker.accept(new)
    housekeep(worker)
    worker.accept(later)
    assert len(files(sqlite_store)) == 1
    worker.settle(delivered(new.message), delivered(later.message))
    housekeep(worker)
    assert files(sqlite_store) == []


def test_a_dropped_message_frees_its_file(sqlite_store: Store, worker: SpoolWorker) -> None:
    incoming = worker.spool.incoming()
    incoming.write(BIG)
    worker.accept(new_message(content=incoming.finish(b"Received: x\r\n"), leased=False))
    housekeep(worker)
    assert len(files(sqlite_store)) == 1
    Queue(sqlite_store).drop(QueueFilter())
    housekeep(worker)
    assert files(sqlite_store) == []


def test_content_that_is_arriving_is_left_alone(sqlite_store: Store, worker: SpoolWorker) -> None:
    incoming = worker.spool.incoming()
    incoming.write(BIG)
    housekeep(worker)
    incoming.write(BIG)
    content = incoming.finish()
    housekeep(worker)
    worker.accept(new_message(content=content))
    assert read(content) == BIG * 2


def test_discarded_content_leaves_no_file(sqlite_store: Store, worker: SpoolWorker) -> None:
    for finish in (False, True):
        incoming = worker.spool.incoming()
        incoming.write(BIG)
        if finish:
            incoming.finish()
        incoming.discard()
        incoming.discard()
    assert files(sqlite_store) == []


def test_refused_content_leaves_no_file(sqlite_store: Store, start_worker: StartWorker, data_dir: Path) -> None:
    worker = start_worker(sqlite_store)
    incoming = worker.spool.incoming()
    incoming.write(BIG)
    content = incoming.finish()
    (data_dir / "posthouse.db").rename(data_dir / "elsewhere.db")
    with pytest.raises(StoreUnavailable):
        worker.accept(new_message(content=content))
    (data_dir / "elsewhere.db").rename(data_dir / "posthouse.db")
    assert files(sqlite_store) == []


def test_a_dsn_may_return_content_that_is_in_a_file(sqlite_store: Store, worker: SpoolWorker) -> None:
    """It then shares the file with the message that it is about, and keeps it."""
    incoming = worker.spool.incoming()
    incoming.write(BIG)
    new = new_message(content=incoming.finish())
    worker.accept(new)
    dsn = new_message(
        sender="", content=contents.SpooledContent([b"DSN\r\n", *new.message.content.pieces]), leased=False
    )
    worker.settle(failed(new.message, dsns=(dsn,)))
    housekeep(worker)
    [lease] = worker.claim()
    assert read(lease.message.content) == b"DSN\r\n" + BIG


def test_files_of_the_dead_are_removed_once_nothing_needs_them(sqlite_store: Store, worker: SpoolWorker) -> None:
    dead = SpoolWorker(sqlite_store)
    kept = new_message(content=BIG)
    dead.accept(kept)
    dead.spool.incoming().write(BIG)
    assert len(files(sqlite_store)) == 2
    housekeep(worker)
    assert len(files(sqlite_store)) == 2, "its owner lives"
    dead.close()
    housekeep(worker)
    assert len(files(sqlite_store)) == 1
    [lease] = worker.claim()
    assert read(lease.message.content) == BIG
    worker.settle(delivered(lease.message))
    housekeep(worker)
    assert [path.name for path in sqlite_store.content_folder.iterdir()] == [
        path.parent.name for path in sqlite_store.content_folder.rglob("lock")
    ]
    assert len(list(sqlite_store.content_folder.iterdir())) == 1


def test_a_folder_that_a_sibling_sweeps_at_the_same_time_is_no_trouble(
    sqlite_store: Store, worker: SpoolWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = sqlite_store.content_folder / "dead"
    dead.mkdir()
    try_acquire = contents.FileLock.try_acquire

    def swept_before(lock: contents.FileLock) -> bool:
        shutil.rmtree(dead)
        return try_acquire(lock)

    monkeypatch.setattr(contents.FileLock, "try_acquire", swept_before)
    worker.spool.housekeep(0.0, trace_keep=0, audit_keep=0)
    assert not dead.exists()


def test_a_large_message_is_never_in_memory(store: Store, start_worker: StartWorker) -> None:
    worker = start_worker(store)
    chunk = b"x" * 65_536
    worker.accept(new_message())
    tracemalloc.start()
    incoming = worker.spool.incoming()
    for _ in range(400):
        incoming.write(chunk)
    new = new_message(content=incoming.finish(b"Received: x\r\n"))
    worker.accept(new)
    assert sum(map(len, new.message.content.chunks())) == new.message.size
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert new.message.size > 26_000_000
    assert peak < 2 << 20


def test_on_postgresql_no_file_outlives_acceptance(
    postgresql_url: str, data_dir: Path, start_worker: StartWorker
) -> None:
    store = open_store(postgresql_url, data_dir)
    worker = start_worker(store)
    incoming = worker.spool.incoming()
    incoming.write(BIG * 50)
    new = new_message(content=incoming.finish(b"Received: x\r\n"))
    worker.accept(new, new_message(content=BIG))
    assert files(store) == []
    assert read(new.message.content) == b"Received: x\r\n" + BIG * 50
