"""The statements of the hot path, written once in SQLAlchemy Core and compiled for the raw cursor of either engine.

Running the compiled text there saves 12-30 µs a message against executing the Core statement.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import sqlalchemy as sa

from posthouse.spool.schema import HELD, WAITING, content, event, message, recipient

FINAL_PARAMETERS = (
    *("state", "connector", "destination", "code", "enhanced", "text", "remote", "at"),
    *("message_id", "place", "worker"),
)
DONE_PARAMETERS = ("message_id", "message_id_2")


@dataclass(frozen=True, slots=True)
class Statements:
    """Inserts take a table's columns in order, `finish` and `delete_content` the parameters named above."""

    insert_message: str
    insert_recipient: str
    insert_content: str
    insert_event: str
    finish: str
    delete_content: str


@cache
def statements_for(dialect_name: str) -> Statements:
    dialect = _dialect(dialect_name)
    return Statements(
        insert_message=_insert(message, dialect),
        insert_recipient=_insert(recipient, dialect),
        insert_content=_insert(content, dialect),
        insert_event=_insert(event, dialect, omit="id"),
        finish=_compiled(_finish(), dialect, FINAL_PARAMETERS),
        delete_content=_compiled(_delete_content(), dialect, DONE_PARAMETERS),
    )


def leased_by(worker: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """Waiting and this worker's; or nobody's, after this worker was taken for dead and came back with an outcome."""
    return sa.and_(recipient.c.state == WAITING, sa.or_(recipient.c.worker == worker, recipient.c.worker.is_(None)))


def _finish() -> sa.Update:
    values = {name: sa.bindparam(name, type_=recipient.c[name].type) for name in FINAL_PARAMETERS[:8]}
    return (
        recipient.update()
        .values(values | {"attempts": recipient.c.attempts + sa.literal_column("1"), "worker": sa.null()})
        .where(
            recipient.c.message_id == sa.bindparam("message_id"),
            recipient.c.place == sa.bindparam("place"),
            leased_by(sa.bindparam("worker", type_=sa.BigInteger)),
        )
    )


def _delete_content() -> sa.Delete:
    """A message's content goes with its last recipient in the queue."""
    live = sa.select(sa.literal_column("1")).where(
        recipient.c.message_id == sa.bindparam("message_id_2"), recipient.c.state.in_([WAITING, HELD])
    )
    return content.delete().where(content.c.message_id == sa.bindparam("message_id"), ~sa.exists(live))


def _dialect(name: str) -> sa.Dialect:
    if name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.dialect(paramstyle="qmark")
    from sqlalchemy.dialects.postgresql import psycopg

    return psycopg.dialect(paramstyle="format")


def _insert(table: sa.Table, dialect: sa.Dialect, omit: str = "") -> str:
    columns = tuple(column.name for column in table.columns if column.name != omit)
    return _compiled(table.insert().values({name: sa.bindparam(name) for name in columns}), dialect, columns)


def _compiled(statement: sa.UpdateBase, dialect: sa.Dialect, parameters: tuple[str, ...]) -> str:
    compiled = statement.compile(dialect=dialect)
    order = getattr(compiled, "positiontup", None)
    if order != list(parameters):
        raise AssertionError(f"parameters are {order}, not {parameters}, in {compiled}")
    return str(compiled)
