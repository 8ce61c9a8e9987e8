"""The store itself: opening, migrating, connections, and what its failures mean."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc

from posthouse.spool.records import StoreTooNew, StoreUnavailable, StoreUncertain, StoreUnusable
from posthouse.spool.schema import REVISION, version
from posthouse.spool.statements import ROWS_AT_ONCE, Statements, statements_for
from posthouse.spool.turn import FileLock

PATIENCE = 10.0
"""Seconds that anything waits for a store that is locked or doesn't answer."""

_MIGRATION_LOCK = 0x706F7374  # any number will do, as long as every Posthouse takes the same
_WRITES = "posthouse_writes"
_PREPARED = 8 * ROWS_AT_ONCE
"""Room for each number of rows of each statement of the hot path."""


def open_store(url: str, data_dir: Path, *, make: bool = True) -> Store:
    """Open the store that `url` names as SQLAlchemy does (`sqlite:///…`, `postgresql+psycopg://…`).

    It is created or migrated where needed; with `make` False one that isn't there is `StoreUnavailable`. Raises
    `StoreTooNew` and `StoreUnusable` too.
    """
    store = Store(_checked(url), data_dir)
    try:
        if make:
            _make(store)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnusable(f"The store can't be made in {data_dir}: {_reason(error)}. Make it writable.") from error
    _migrate(store)
    return store


class Store:
    """Where everything durable is. Holds no connection of its own, so that it can be opened before a fork."""

    def __init__(self, url: sa.URL, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.name = str(url.database) if self.is_sqlite else url.set(query={}).render_as_string(hide_password=True)
        self.path = Path(self.name) if self.is_sqlite else None
        self._engine = _sqlite_engine(self.path) if self.path else _postgresql_engine(url)
        self.statements: Statements = statements_for(self._engine.dialect.name)

    @property
    def content_folder(self) -> Path:
        """Where contents in files are: not the same for both engines, since each removes what it has no row for."""
        return self.data_dir / ("content" if self.is_sqlite else "incoming")

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A short-lived connection for reading: leave it within a second, or SQLite's log grows without end."""
        try:
            with self._engine.connect() as connection:
                yield connection
        except exc.DBAPIError as error:
            raise self.unavailable(error) from error

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """A transaction of its own for an administrator's act, from any thread; it takes its turn with the workers."""
        with closing(WriteSession(self)) as session, session.short_turn(), session.transaction() as transaction:
            yield transaction.connection

    def turn_lock(self) -> FileLock:
        return FileLock(self.data_dir / "store.turn")

    def connect_to_write(self) -> sa.Connection:
        return self._engine.connect().execution_options(**{_WRITES: True})

    def is_trouble(self, error: Exception) -> bool:
        """True for what the store is to blame for; False for a statement or a value that it rightly refuses."""
        dbapi = self._engine.dialect.loaded_dbapi
        if isinstance(error, exc.DBAPIError) and isinstance(error.orig, Exception):
            error = error.orig
        ours = (dbapi.IntegrityError, dbapi.DataError, dbapi.ProgrammingError)
        return isinstance(error, (OSError, dbapi.Error)) and not isinstance(error, ours)

    def unavailable(self, error: Exception) -> StoreUnavailable:
        return StoreUnavailable(
            f"The store {self.name} is not available: {_reason(error)}. Nothing was stored; "
            "it goes on by itself when the cause is gone."
        )

    def close(self) -> None:
        self._engine.dispose()


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction under way. `cursor` is the driver's own, for the hot path's compiled `statements`."""

    connection: sa.Connection
    cursor: Any
    statements: Statements


class WriteSession:
    """A connection that writes, opened when first needed and again after it was lost. For one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock: FileLock | None = None
        self._connection: sa.Connection | None = None
        self._cursor: Any = None
        self._file: tuple[int, int] | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the other processes that share a SQLite file, however long that takes. PostgreSQL needs no turns."""
        if not self._store.is_sqlite:
            yield
            return
        with self._turn_lock():
            yield
        if self._connection is None:  # lost, and with it perhaps the folder that the lock was in
            self.close()

    @contextmanager
    def short_turn(self) -> Iterator[None]:
        """The same with `PATIENCE`, until `close`."""
        if self._store.is_sqlite and not self._turn_lock().try_acquire(PATIENCE):
            raise StoreUnavailable(f"The store {self._store.name} is locked by another process. Try again.")
        yield

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Raises `StoreUnavailable`, `StoreUncertain` if the commit's outcome is unknown, other errors as they are."""
        try:
            connection = self._begin()
            yield Transaction(connection, self._cursor, self._store.statements)
        except Exception as error:
            if not self._store.is_trouble(error):
                self._roll_back()
                raise
            self._disconnect()
            raise self._store.unavailable(error) from error
        except BaseException:
            self._disconnect()
            raise
        self._commit(connection)

    def close(self) -> None:
        """Let go of the connection and of the turn."""
        self._disconnect()
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()

    def _disconnect(self) -> None:
        """Let go of the connection, whatever state it is in."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(exc.SQLAlchemyError):
                connection.invalidate()
                connection.close()

    def _turn_lock(self) -> FileLock:
        if self._lock is None:
            try:
                self._lock = self._store.turn_lock()
            except OSError as error:
                raise self._store.unavailable(error) from error
        return self._lock

    def _begin(self) -> sa.Connection:
        path = self._store.path
        if self._connection is not None and path is not None and _identity(path) != self._file:
            self._disconnect()  # SQLite would go on writing to the removed file, and say that all is well
        if self._connection is None:
            self._connection = self._store.connect_to_write()
            self._cursor = self._connection.connection.cursor()
            self._file = _identity(path) if path is not None else None
        self._connection.begin()
        return self._connection

    def _roll_back(self) -> None:
        try:
            if self._connection is not None:
                self._connection.rollback()
        except exc.DBAPIError:
            self._disconnect()

    def _commit(self, connection: sa.Connection) -> None:
        try:
            connection.commit()
        except exc.DBAPIError as error:
            known = _is_known_to_have_failed(error)
            self._disconnect()
            if known:
                raise self._store.unavailable(error) from error
            raise StoreUncertain(
                f"The store {self._store.name} failed while it committed: {_reason(error)}. "
                "What was stored shows when it is back."
            ) from error


class FreeSpace:
    """Refuses when a file system has less than `minimum` bytes left. Looks at most once a second."""

    def __init__(self, path: Path, minimum: int) -> None:
        self._path = path
        self._minimum = minimum
        self._look_at = 0.0
        self._trouble: str | None = None

    def check(self) -> None:
        """Raises `StoreUnavailable`."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + 1
            self._trouble = self._look()
        if self._trouble is not None:
            raise StoreUnavailable(self._trouble)

    def _look(self) -> str | None:
        try:
            free = shutil.disk_usage(self._path).free
        except OSError as error:
            return f"{self._path} is gone: {_reason(error)}. Bring it back."
        if free < self._minimum:
            return f"{self._path} has {free >> 20} MiB left, less than limits.min_free. Make room."
        return None


def _checked(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except exc.ArgumentError:
        parsed = None
    if parsed is None or parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreUnusable("The store has to be sqlite or postgresql://user@host/name.")  # a password may be in it
    return parsed


def _sqlite_engine(path: Path) -> sa.Engine:
    def connect() -> sqlite3.Connection:
        # mode=rw: a store that has vanished must fail, not come back empty.
        uri = f"{path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(
            uri,
            uri=True,
            timeout=PATIENCE,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_PREPARED,
        )
        connection.execute("PRAGMA synchronous=FULL")
        connection.create_function("lower", 1, _lower, deterministic=True)  # SQLite's own knows ASCII only
        return connection

    engine = sa.create_engine("sqlite+pysqlite://", creator=connect, poolclass=sa.NullPool, hide_parameters=True)

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if _WRITES in connection.get_execution_options() else "BEGIN")

    return engine


def _lower(text: str | None) -> str | None:
    return text and text.lower()


def _make(store: Store) -> None:
    store.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if store.path is None:
        return
    with closing(store.turn_lock()) as lock:
        lock.try_acquire(PATIENCE)
        os.close(os.open(store.path, os.O_RDWR | os.O_CREAT, 0o600))  # others on the machine mustn't read the mail
        with closing(sqlite3.connect(store.path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")


def _postgresql_engine(url: sa.URL) -> sa.Engine:
    options = f"-c statement_timeout={PATIENCE:.0f}s -c idle_in_transaction_session_timeout=60s"
    arguments: dict[str, str | int] = {
        "connect_timeout": 5,
        "tcp_user_timeout": int(PATIENCE * 1000),
        "options": options,
    }
    return sa.create_engine(url, poolclass=sa.NullPool, connect_args=arguments, hide_parameters=True)


def _migrate(store: Store) -> None:
    with store.reading() as connection:
        if _revision(connection) == REVISION:
            return
    with store.transaction() as connection:
        if not store.is_sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        _upgrade(store, connection)


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(version.name):
        return None
    return connection.scalar(sa.select(version.c.version_num))


def _upgrade(store: Store, connection: sa.Connection) -> None:
    """Run the migrations. Alembic is imported only here: it takes as long as a worker's start otherwise does."""
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    found = _revision(connection)
    if found is not None and found not in known:
        raise StoreTooNew(f"The store {store.name} is from a newer Posthouse (schema {found}). Install that one.")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _is_known_to_have_failed(error: exc.DBAPIError) -> bool:
    """True where a failing COMMIT has surely stored nothing."""
    if error.connection_invalidated:
        return False
    if isinstance(error.orig, sqlite3.Error):
        return error.orig.sqlite_errorname in _NOT_COMMITTED
    return True  # PostgreSQL said no, over a connection that still stands


_NOT_COMMITTED = frozenset({"SQLITE_FULL", "SQLITE_BUSY", "SQLITE_READONLY", "SQLITE_IOERR_WRITE", "SQLITE_CANTOPEN"})


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    cause = error.orig if isinstance(error, exc.DBAPIError) else None
    return str(cause or error).strip().split("\n", 1)[0].rstrip(".")
