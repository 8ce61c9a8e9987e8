"""What has to be done now and then: old traces go, and files whose content is done."""

from __future__ import annotations

import sqlalchemy as sa

from posthouse.mail import message_id
from posthouse.spool.schema import HELD, WAITING, content, event, message, recipient
from posthouse.spool.store import Store

_BATCH = 500
"""Messages purged in one transaction: short enough for others not to notice."""


def purge(store: Store, before: float) -> bool:
    """Forget some of the messages that came before that time and are not in the queue. True if there may be more."""
    live = sa.exists().where(recipient.c.message_id == message.c.id, recipient.c.state.in_([WAITING, HELD]))
    oldest = sa.select(message.c.id).where(message.c.id < message_id(int(before * 1000), 0), ~live)
    oldest = oldest.order_by(message.c.id).limit(_BATCH).with_for_update(skip_locked=True)
    with store.transaction() as connection:
        ids = connection.scalars(oldest).all()
        for table in (recipient, event, content):
            connection.execute(sa.delete(table).where(table.c.message_id.in_(ids)))
        connection.execute(sa.delete(message).where(message.c.id.in_(ids)))
    return len(ids) == _BATCH


def files_in_rows(connection: sa.Connection, names: list[str]) -> set[str]:
    """Those of the content files that a row still refers to."""
    found: set[str] = set()
    for start in range(0, len(names), _BATCH):
        some = content.c.file.in_(names[start : start + _BATCH])
        found.update(connection.scalars(sa.select(content.c.file).where(some).distinct()))
    return found
