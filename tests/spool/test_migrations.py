"""The schema and how a store comes to it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from posthouse.spool import Organizations, Store, StoreTooNew, StoreUnavailable, StoreUnusable, open_store
from posthouse.spool.schema import METADATA, REVISION


def migrations_head() -> str | None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    from posthouse import spool

    config = Config()
    config.set_main_option("script_location", str(Path(spool.__file__).parent / "migrations"))
    return ScriptDirectory.from_config(config).get_current_head()


def described(connection: sa.Connection) -> dict[str, object]:
    """All that the engine itself says about the tables and indexes."""
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%'").all()
        return {name: " ".join(sql.split()) for name, sql in rows if sql}
    inspector = sa.inspect(connection)
    tables = [name for name in inspector.get_table_names() if name != "alembic_version"]
    columns = {
        name: [{**column, "type": repr(column["type"])} for column in inspector.get_columns(name)] for name in tables
    }
    indexes = connection.exec_driver_sql("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'").all()
    return columns | {name: text for name, text in indexes if not name.startswith("alembic")}


def test_the_schema_is_the_sum_of_the_migrations(store: Store) -> None:
    with store.transaction() as connection:
        migrated = described(connection)
        METADATA.drop_all(connection)
        METADATA.create_all(connection)
        assert described(connection) == migrated
        assert migrated


def test_the_revision_is_the_newest_migration() -> None:
    assert migrations_head() == REVISION


def test_opening_again_keeps_what_is_there(store: Store, store_url: str, data_dir: Path) -> None:
    Organizations(store).save({"a": 1})
    assert Organizations(open_store(store_url, data_dir)).load().document == {"a": 1}


def test_a_store_from_a_newer_version(store: Store, store_url: str, data_dir: Path) -> None:
    with store.transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreTooNew, match=r"newer Posthouse \(schema 9999\)") as caught:
        open_store(store_url, data_dir)
    assert "\n" not in str(caught.value)


def test_a_store_that_is_up_to_date_opens_without_alembic(sqlite_store: Store, sqlite_url: str, data_dir: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from posthouse.spool import open_store;"
        "open_store(sys.argv[1], Path(sys.argv[2]));"
        "sys.exit('alembic' in sys.modules or 'psycopg' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program, sqlite_url, str(data_dir)], check=False).returncode == 0


def not_a_folder(path: Path) -> None:
    path.write_text("a file")


def not_a_database(path: Path) -> None:
    path.mkdir()
    (path / "posthouse.db").write_text("x" * 2000)


def another_database(path: Path) -> None:
    path.mkdir()
    (path / "posthouse.db").mkdir()


@pytest.mark.parametrize("spoil", [not_a_folder, not_a_database, another_database])
def test_a_store_that_cannot_be_made(data_dir: Path, sqlite_url: str, spoil: Callable[[Path], None]) -> None:
    spoil(data_dir)
    with pytest.raises(StoreUnusable, match="The store can't be made in") as caught:
        open_store(sqlite_url, data_dir)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["nonsense", "sqlight:///x", "mysql://x/y"])
def test_a_url_that_names_no_store(data_dir: Path, url: str) -> None:
    with pytest.raises(StoreUnusable, match="has to be sqlite or postgresql"):
        open_store(url, data_dir)


def test_a_store_does_not_tell_its_password(data_dir: Path) -> None:
    url = "postgresql+psycopg://posthouse:hunter2@127.0.0.1:1/posthouse?password=hunter2"
    with pytest.raises(StoreUnavailable, match=r"posthouse:\*\*\*@127.0.0.1:1/posthouse is not available") as caught:
        open_store(url, data_dir)
    assert "hunter2" not in str(caught.value)


def test_mail_is_readable_by_its_owner_only(sqlite_store: Store, data_dir: Path) -> None:
    with sqlite3.connect(data_dir / "posthouse.db") as connection:
        connection.execute("SELECT 1 FROM message").fetchall()
    assert data_dir.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in data_dir.iterdir())


def at_revision(store: Store, revision: str) -> None:
    """Make an empty store as it was at an older revision."""
    from alembic import command
    from alembic.config import Config

    from posthouse import spool

    config = Config()
    config.set_main_option("script_location", str(Path(spool.__file__).parent / "migrations"))
    with store.transaction() as connection:
        METADATA.drop_all(connection)
        connection.exec_driver_sql("DROP TABLE alembic_version")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_a_store_of_the_first_schema_keeps_all_and_gets_the_rest(store: Store, store_url: str, data_dir: Path) -> None:
    with store.transaction() as connection:
        new = described(connection)
    at_revision(store, "0001")
    with store.transaction() as connection:
        assert "administrator" not in described(connection)
        connection.exec_driver_sql("INSERT INTO organization VALUES (1, 7, '{\"a\": 1}')")
        connection.exec_driver_sql("INSERT INTO worker VALUES (3, 'here', 1, 0, 0, 7)")
    migrated = open_store(store_url, data_dir)
    with migrated.transaction() as connection:
        assert described(connection) == new
        assert connection.exec_driver_sql("SELECT id FROM worker").scalars().all() == [3]
    assert Organizations(migrated).load().document == {"a": 1}
    assert Organizations(migrated).revision() == 7
