"""Leasing what is due to a worker, with the messages as they were accepted."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from posthouse.mail import Body, Client, Envelope, Message, Notify, Recipient, Ret
from posthouse.spool.contents import FilePiece, RowPiece, SpooledContent
from posthouse.spool.records import WAITS_ITS_TURN, Lease, Pending
from posthouse.spool.schema import WAITING, content, message, recipient
from posthouse.spool.store import Store

_INLINE = 64 << 10
"""Content rows up to this size come into memory with the lease."""

_UNLEASED = sa.and_(recipient.c.state == WAITING, recipient.c.worker.is_(None))
_LONGEST_DUE_FIRST = (recipient.c.worker, recipient.c.due)
"""As the index is sorted: PostgreSQL doesn't see that `worker`, being NULL, makes no difference."""

_DUE = (
    sa.select(recipient.c.message_id, recipient.c.place)
    .where(_UNLEASED, recipient.c.due <= sa.bindparam("now"))
    .order_by(*_LONGEST_DUE_FIRST)
    .limit(sa.bindparam("most", type_=sa.Integer))
    .with_for_update(skip_locked=True)
)
_CLAIM = (
    recipient.update()
    .where(sa.tuple_(recipient.c.message_id, recipient.c.place).in_(_DUE))
    .values(worker=sa.bindparam("claimant"))
    .returning(
        recipient.c.message_id,
        recipient.c.place,
        recipient.c.attempts,
        recipient.c.delay_warned,
    )
)

_EARLY = (
    sa.select(recipient.c.message_id, recipient.c.place)
    .where(_UNLEASED, recipient.c.due > sa.bindparam("now"), recipient.c.connector == sa.bindparam("way"))
    .where(recipient.c.code == WAITS_ITS_TURN[0], recipient.c.enhanced == WAITS_ITS_TURN[1], recipient.c.remote == "")
    .order_by(*_LONGEST_DUE_FIRST)
    .limit(sa.bindparam("most", type_=sa.Integer))
    .with_for_update(skip_locked=True)
)
_HASTEN = (
    recipient.update()
    .where(sa.tuple_(recipient.c.message_id, recipient.c.place).in_(_EARLY))
    .values(due=sa.bindparam("now"))
)


def claim(connection: sa.Connection, worker_id: int, now: float, limit: int, reader: ContentReader) -> list[Lease]:
    """Up to `limit` recipients that are due and nobody's become this worker's. The longest due come first."""
    rows = connection.execute(_CLAIM, {"now": now, "most": limit, "claimant": worker_id}).all()
    pending: defaultdict[str, list[Pending]] = defaultdict(list)
    for row in rows:
        pending[row.message_id].append(Pending(row.place, row.attempts, row.delay_warned))
    found = load_messages(connection, pending.keys(), reader)
    return [Lease(found[key], tuple(sorted(pending[key], key=lambda each: each.index))) for key in pending]


def hasten(connection: sa.Connection, connector: str, most: int, now: float) -> int:
    """Up to `most` recipients that wait for their turn with the connector are due."""
    return connection.execute(_HASTEN, {"way": connector, "most": most, "now": now}).rowcount


def load_messages(connection: sa.Connection, ids: Iterable[str], reader: ContentReader) -> dict[str, Message]:
    """Messages by id, with all their recipients, done ones too, since a recipient's place names it for good."""
    wanted = sorted(ids)
    if not wanted:
        return {}
    recipients = _recipients(connection, wanted)
    contents = reader.load(connection, wanted)
    rows = connection.execute(sa.select(message).where(message.c.id.in_(wanted)))
    return {row.id: _message(row, recipients[row.id], contents[row.id]) for row in rows}


class ContentReader:
    """Finds a message's content again: small rows at once, large ones and files when they are read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._folder = store.content_folder

    def load(self, connection: sa.Connection, ids: Sequence[str]) -> dict[str, SpooledContent]:
        c = content.c
        inline = sa.case((c.length <= _INLINE, c.data)).label("inline")
        columns = (c.message_id, c.piece, c.length, c.file, c.offset, inline)
        rows = connection.execute(sa.select(*columns).where(c.message_id.in_(ids)).order_by(c.message_id, c.piece))
        pieces: dict[str, list[bytes | FilePiece | RowPiece]] = {each: [] for each in ids}
        for row in rows:
            pieces[row.message_id].append(self._piece(row))
        return {key: SpooledContent(found) for key, found in pieces.items()}

    def fetch(self, message_id: str, number: int) -> bytes:
        """One row's bytes, over a connection of its own. Raises `StoreUnavailable`."""
        query = sa.select(content.c.data).where(content.c.message_id == message_id, content.c.piece == number)
        with self._store.reading() as connection:
            return bytes(connection.execute(query).scalar_one())

    def _piece(self, row: sa.Row[*tuple[Any, ...]]) -> bytes | FilePiece | RowPiece:
        if row.file is not None:
            return FilePiece(self._folder, row.file, row.offset, row.length)
        if row.inline is not None:
            return bytes(row.inline)
        return RowPiece(self.fetch, row.message_id, row.piece, row.length)


def _recipients(connection: sa.Connection, ids: Sequence[str]) -> dict[str, list[Recipient]]:
    c = recipient.c
    columns = (c.message_id, c.forward_path, c.notify, c.orcpt)
    rows = connection.execute(sa.select(*columns).where(c.message_id.in_(ids)).order_by(c.message_id, c.place))
    found: dict[str, list[Recipient]] = {each: [] for each in ids}
    for row in rows:
        found[row.message_id].append(Recipient(row.forward_path, Notify.parse(row.notify), row.orcpt))
    return found


def _message(row: sa.Row[*tuple[Any, ...]], recipients: list[Recipient], body: SpooledContent) -> Message:
    envelope = Envelope(
        row.reverse_path,
        tuple(recipients),
        Ret(row.ret) if row.ret else None,
        row.envid,
        row.smtputf8,
        Body(row.body),
    )
    return Message(row.id, row.received_at, envelope, body, row.connector, Client(**json.loads(row.client)))
