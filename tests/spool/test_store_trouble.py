"""A store that is full, locked, gone or cut off takes no message, says so, and goes on when the cause is gone."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from psycopg.errors import UniqueViolation

from posthouse.spool import (
    NewMessage,
    Queue,
    QueueFilter,
    State,
    Store,
    StoreUnavailable,
    StoreUncertain,
    Trace,
    TraceFilter,
    open_store,
    writer,
)
from posthouse.spool import (
    store as store_module,
)
from posthouse.spool.schema import session
from posthouse.spool.turn import FileLock
from support.spools import SpoolWorker, deferred, delivered, new_message, read

StartWorker = Callable[..., SpoolWorker]


def ids(store: Store) -> set[str]:
    return {entry.message_id for entry in Trace(store).find(TraceFilter(), limit=10_000).entries}


def refuses(worker: SpoolWorker, match: str) -> None:
    with pytest.raises(StoreUnavailable, match=match) as caught:
        worker.accept(new_message())
    assert "\n" not in str(caught.value)


@pytest.fixture
def database(sqlite_store: Store, data_dir: Path) -> Path:
    return data_dir / "posthouse.db"


@pytest.fixture
def worker(sqlite_store: Store, start_worker: StartWorker) -> SpoolWorker:
    return start_worker(sqlite_store)


def test_a_store_that_is_gone_takes_nothing_until_it_is_back(
    sqlite_store: Store, worker: SpoolWorker, database: Path, data_dir: Path
) -> None:
    before, after = new_message(), new_message()
    worker.accept(before)
    data_dir.rename(data_dir.with_name("elsewhere"))
    refuses(worker, "gone|No such file")
    data_dir.with_name("elsewhere").rename(data_dir)
    worker.accept(after)
    assert ids(sqlite_store) == {before.message.id, after.message.id}


def test_a_store_that_is_gone_is_not_made_anew_by_who_expects_it(sqlite_url: str, data_dir: Path) -> None:
    with pytest.raises(StoreUnavailable, match="unable to open"):
        open_store(sqlite_url, data_dir, make=False)
    assert not data_dir.exists()


def test_a_store_that_was_replaced_is_not_written_to_unseen(
    sqlite_store: Store, worker: SpoolWorker, database: Path
) -> None:
    """The file of the open connection has no name any more: what is written there would be lost."""
    worker.accept(new_message())
    aside = database.with_name("restored.db")
    with sqlite3.connect(database) as source, sqlite3.connect(aside) as target:
        source.backup(target)
    aside.replace(database)
    for leftover in ("-wal", "-shm"):
        database.with_name(database.name + leftover).unlink(missing_ok=True)
    new = new_message()
    worker.accept(new)
    assert new.message.id in ids(sqlite_store)


def test_settlements_wait_for_the_store_and_are_not_lost(
    sqlite_store: Store, worker: SpoolWorker, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_RETRY_PAUSE", 0.02)
    news = [new_message() for _ in range(3)]
    worker.accept(*news)
    database.rename(database.with_name("elsewhere.db"))
    settlements = [*(delivered(new.message) for new in news[:2]), deferred(news[2].message, time.time())]
    answers = worker.submit(worker.spool.settle, *settlements)
    refuses(worker, "unable to open|No such file")
    assert not any(answer.done() for answer in answers)
    database.with_name("elsewhere.db").rename(database)
    worker.wait(answers)
    states = [entry.state for new in news for entry in Trace(sqlite_store).show(new.message.id)]
    assert states == [State.DELIVERED, State.DELIVERED, State.WAITING]


def test_a_store_locked_by_another_process_refuses_in_time(
    sqlite_store: Store, worker: SpoolWorker, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PATIENCE", 0.1)
    monkeypatch.setattr(store_module, "PATIENCE", 0.1)
    lock = FileLock(data_dir / "store.turn")
    assert lock.try_acquire(5)
    refuses(worker, "has not answered")
    with pytest.raises(StoreUnavailable, match="locked by another process"):
        Queue(sqlite_store).retry(QueueFilter())
    lock.close()
    worker.accept(new_message())


def test_too_little_space_left_refuses(sqlite_store: Store, start_worker: StartWorker) -> None:
    refuses(start_worker(sqlite_store, min_free=1 << 60), r"MiB left, less than limits\.min_free")
    with pytest.raises(StoreUnavailable, match=r"min_free"):
        start_worker(sqlite_store, min_free=1 << 60).spool.incoming()


FULL_DISK = r"""
import asyncio, resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from posthouse.spool import StoreUnavailable, open_store
from support.spools import SpoolWorker, new_message

def accept(number):
    new = new_message(content=b"%09d\n" % number * (size // 10))
    worker.accept(new)
    print(new.message.id, number)

worker = SpoolWorker(open_store(sys.argv[1], Path(sys.argv[2])))
size = int(sys.argv[4])
tried, refused = 0, 0
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
while refused < 3:
    tried += 1
    try:
        accept(tried)
    except StoreUnavailable:
        refused += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
accept(0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
@pytest.mark.parametrize("size", [4000, 40_000])
def test_a_full_disk_refuses_until_there_is_room(
    sqlite_store: Store, sqlite_url: str, data_dir: Path, size: int
) -> None:
    """The limit on the size of files stands for a full disk: both the database and segments meet it."""
    tests = str(Path(__file__).parent.parent)
    command = [sys.executable, "-c", FULL_DISK, sqlite_url, str(data_dir), tests, str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    accepted = dict(line.split() for line in done.stdout.splitlines())
    assert len(accepted) > 2
    assert ids(sqlite_store) == set(accepted)
    for message_id, number in accepted.items():
        content = Queue(sqlite_store).content(message_id)
        assert content is not None
        assert read(content) == b"%09d\n" % int(number) * (size // 10)


def test_no_file_for_large_contents_refuses_those_alone(
    sqlite_store: Store, worker: SpoolWorker, data_dir: Path
) -> None:
    small, large = new_message(), new_message(content=bytes(40_000))
    (data_dir / "content").rename(data_dir / "elsewhere")
    kept, refused = worker.submit(worker.spool.accept, small, large)
    worker.wait([kept])
    with pytest.raises(StoreUnavailable, match="No such file"):
        worker.wait([refused])
    (data_dir / "elsewhere").rename(data_dir / "content")
    worker.accept(large)
    assert ids(sqlite_store) == {small.message.id, large.message.id}


class TestPostgresql:
    @pytest.fixture
    def store(self, postgresql_url: str, data_dir: Path) -> Store:
        return open_store(postgresql_url, data_dir)

    @pytest.fixture
    def worker(self, store: Store, start_worker: StartWorker) -> SpoolWorker:
        return start_worker(store)

    @pytest.fixture
    def administrator(self, postgresql_url: str) -> psycopg.Connection:
        url = postgresql_url.replace("postgresql+psycopg://", "postgresql://")
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection

    def test_a_connection_lost_meanwhile_is_made_again(
        self, store: Store, worker: SpoolWorker, administrator: psycopg.Connection
    ) -> None:
        worker.accept(new_message())
        administrator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        worker.accept(new_message())
        assert len(ids(store)) == 2

    def test_a_connection_lost_in_commit_leaves_it_uncertain(
        self, store: Store, worker: SpoolWorker, start_worker: StartWorker, administrator: psycopg.Connection
    ) -> None:
        administrator.execute(
            """
            CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER die AFTER INSERT ON message DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION die();
            """
        )
        with pytest.raises(StoreUncertain, match="failed while it committed"):
            worker.accept(new_message())
        administrator.execute("DROP TRIGGER die ON message")
        worker.accept(new_message())
        assert len(ids(store)) == 1

    def test_a_large_message_that_the_store_refuses_is_answered(self, worker: SpoolWorker) -> None:
        def twin() -> NewMessage:
            incoming = worker.spool.incoming()
            incoming.write(b"x")
            return replace(new, message=replace(new.message, content=incoming.finish()))

        new = new_message()
        worker.accept(twin())
        with pytest.raises(UniqueViolation):
            worker.accept(twin())

    def test_a_server_that_is_away(self, data_dir: Path) -> None:
        with pytest.raises(StoreUnavailable, match="not available") as caught:
            open_store("postgresql+psycopg://postgres@127.0.0.1:1/none", data_dir)
        assert "\n" not in str(caught.value)


class TestUncertain:
    """A commit that went through, of which the worker doesn't know: what it leased there, nobody would deliver."""

    @pytest.fixture
    def cut_off(self, worker: SpoolWorker, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
        """Lets the next commit go through unnoticed."""
        commit = store_module.WriteSession._commit

        def commit_and_fail(self: store_module.WriteSession, connection: object) -> None:
            monkeypatch.undo()
            commit(self, connection)
            raise StoreUncertain("cut off")

        return lambda: monkeypatch.setattr(store_module.WriteSession, "_commit", commit_and_fail)

    def test_an_accepted_message_is_given_back(
        self, sqlite_store: Store, worker: SpoolWorker, start_worker: StartWorker, cut_off: Callable[[], None]
    ) -> None:
        other, new = start_worker(sqlite_store), new_message()
        cut_off()
        with pytest.raises(StoreUncertain):
            worker.accept(new)
        worker.run(worker.spool.revision())
        assert [lease.message.id for lease in other.claim()] == [new.message.id]

    def test_what_was_claimed_is_given_back(
        self, sqlite_store: Store, worker: SpoolWorker, start_worker: StartWorker, cut_off: Callable[[], None]
    ) -> None:
        other, new = start_worker(sqlite_store), new_message(leased=False)
        worker.accept(new)
        cut_off()
        with pytest.raises(StoreUncertain):
            worker.claim()
        worker.run(worker.spool.revision())
        assert [lease.message.id for lease in other.claim()] == [new.message.id]


def test_a_worker_whose_store_is_gone_still_ends(
    sqlite_store: Store, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from posthouse.spool import spool

    monkeypatch.setattr(spool, "_CLOSE_WITHIN", 0.2)
    monkeypatch.setattr(writer, "_RETRY_PAUSE", 0.02)
    worker = SpoolWorker(sqlite_store)
    new = new_message()
    worker.accept(new)
    shutil.rmtree(data_dir)
    worker.spool.settle(delivered(new.message))
    worker.close()


def test_an_error_of_the_database_shows_no_values(store: Store) -> None:
    """They may be mails, or hashes of passwords, and an error goes into the log."""
    row = {"hash": "f00", "administrator": "planted", "origin": "", "claims": "", "created_at": 0.0, "seen_at": 0.0}
    with pytest.raises(sqlalchemy.exc.IntegrityError) as raised, store.transaction() as connection:
        connection.execute(session.insert(), [row, row])
    assert "planted" not in str(raised.value)
