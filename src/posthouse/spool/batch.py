"""What one transaction of the writer thread does: acceptances, settlements and acts, each a unit of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from posthouse.mail import Client, Content, Outcome, Status
from posthouse.spool.contents import CHUNK, ROW_LIMIT, ContentFolder, FilePiece, RowPiece, SpooledContent, unwritable
from posthouse.spool.records import Event, EventKind, NewMessage, Settlement, State
from posthouse.spool.schema import event, recipient
from posthouse.spool.statements import leased_by
from posthouse.spool.store import Transaction

Done = Callable[[BaseException | None], None]
Row = tuple[Any, ...]
Placed = Content | FilePiece
"""Content as it is to be stored: itself, in rows; or the piece of a segment that it was appended to."""

T = TypeVar("T")


@dataclass(slots=True)
class Accept:
    """A message to store. Never repeated by itself: the client is told, and comes again."""

    new: NewMessage
    done: Done
    submitted: float = 0.0

    def tell(self, error: BaseException | None) -> None:
        self.done(error)


@dataclass(slots=True)
class Settle:
    """Outcomes to store: repeated until the store takes them."""

    settlement: Settlement
    done: Done | None = None
    submitted: float = 0.0

    def tell(self, error: BaseException | None) -> None:
        if self.done is not None:
            self.done(error)


@dataclass(slots=True)
class Act(Generic[T]):
    """Anything else that wants a transaction and gives a value."""

    run: Callable[[Transaction], T]
    done: Callable[[T | None, BaseException | None], None]
    submitted: float = 0.0
    result: T | None = None

    def tell(self, error: BaseException | None) -> None:
        self.done(self.result if error is None else None, error)


Work = Accept | Settle | Act[Any]


class Writing:
    """Writes works in a transaction, for the worker `worker_id`, once it is registered.

    Content goes to `contents` where it is too big for a row; with `contents` None everything goes into rows.
    """

    def __init__(self, contents: ContentFolder | None) -> None:
        self.worker_id = 0
        self._contents = contents
        self._placed: dict[str, Placed] = {}

    def place(self, works: Iterable[Work]) -> None:
        """Make large contents durable in the segment, before the transaction that refers to them.

        Raises `StoreUnavailable`.
        """
        contents = self._contents
        if contents is None:
            return
        self._placed.clear()
        try:
            for new in _new_messages(works):
                if _is_for_segment(new):
                    self._placed[new.message.id] = contents.append(new.message.content.chunks())
            if self._placed:
                contents.sync()
        except OSError as error:
            contents.end_segment()  # how much of it was written is not known
            raise unwritable(contents.folder, error) from error

    def is_for_segment(self, work: Work) -> bool:
        """True where `place` has something to do."""
        return self._contents is not None and any(map(_is_for_segment, _new_messages([work])))

    def end_batch(self) -> None:
        """All that was placed is committed or given up."""
        if self._contents is not None:
            self._contents.end_batch()

    def write(self, works: Sequence[Work], transaction: Transaction) -> None:
        """Run in the transaction; nothing is told to anybody before it is committed."""
        accepted = [work.new for work in works if isinstance(work, Accept)]
        if accepted:
            self._accept(accepted, transaction)
        settlements = [work.settlement for work in works if isinstance(work, Settle)]
        if settlements:
            self._settle(settlements, transaction)
        for work in works:
            if isinstance(work, Act):
                work.result = work.run(transaction)

    def _accept(self, news: list[NewMessage], transaction: Transaction) -> None:
        cursor, statements = transaction.cursor, transaction.statements
        statements.insert_message.run(cursor, [_message_row(new) for new in news])
        recipients = [row for new in news for row in _recipient_rows(new, self.worker_id)]
        statements.insert_recipient.run(cursor, recipients)
        together: list[Row] = []
        for new in news:
            placed = self._placed.get(new.message.id, new.message.content)
            rows = self._content_rows(new.message.id, placed)
            if isinstance(placed, FilePiece) or placed.in_memory:
                together.extend(rows)
            else:  # one at a time, so that it never is in memory as a whole
                for row in rows:
                    cursor.execute(statements.insert_content.one, row)
        statements.insert_content.run(cursor, together)

    def _content_rows(self, message_id: str, content: Placed) -> Iterator[Row]:
        """The pieces of a content. Those in files keep their place, unless everything goes into rows."""
        if isinstance(content, FilePiece):
            yield _file_row(message_id, 0, content)
        elif isinstance(content, SpooledContent) and self._contents is not None:
            for number, piece in enumerate(content.pieces):
                if isinstance(piece, FilePiece):
                    yield _file_row(message_id, number, piece)
                else:
                    data = piece if isinstance(piece, bytes) else b"".join(piece.chunks())
                    yield message_id, number, len(data), data, None, None
        else:
            for number, data in enumerate(_chunked(content)):
                yield message_id, number, len(data), data, None, None

    def _settle(self, settlements: list[Settlement], transaction: Transaction) -> None:
        plain = [settlement for settlement in settlements if _is_plain(settlement)]
        cursor, statements = transaction.cursor, transaction.statements
        if plain:
            rows = [_final_row(each, outcome, self.worker_id) for each in plain for outcome in each.outcomes]
            statements.finish.run(cursor, rows)
        for settlement in settlements:
            if not _is_plain(settlement):
                self._settle_one(settlement, transaction)
        finished = {each.message_id for each in settlements if any(_is_final(outcome) for outcome in each.outcomes)}
        if finished:
            self._drop_content(sorted(finished), transaction)

    def _settle_one(self, settlement: Settlement, transaction: Transaction) -> None:
        """A settlement with more to it than ends. Its DSNs and events are written only if it changes something, so that
        a repeated one does not send a second DSN."""
        changed = False
        for outcome in settlement.outcomes:
            if _is_final(outcome):
                row = _final_row(settlement, outcome, self.worker_id)
                transaction.cursor.execute(transaction.statements.finish.one, row)
                changed |= transaction.cursor.rowcount > 0
            else:
                changed |= self._defer(settlement, outcome, transaction)
        for place, due in settlement.postponed.items():
            values = _postponed(settlement, place, due)
            changed |= self._update_leased(settlement.message_id, place, values, transaction)
        if not changed:
            return
        if settlement.dsns:
            self._accept(list(settlement.dsns), transaction)
        fresh = (each for each in settlement.events if not _is_told(settlement.message_id, each, transaction))
        events = [*map(_deferral, filter(_is_deferred, settlement.outcomes)), *fresh]
        write_events(settlement.message_id, events, transaction)

    def _defer(self, settlement: Settlement, outcome: Outcome, transaction: Transaction) -> bool:
        reply = outcome.reply
        values = {
            "worker": None,
            "due": settlement.retry_at[outcome.recipient],
            "attempts": recipient.c.attempts + 1,
            "connector": settlement.connector,
            "destination": settlement.destination,
            "code": reply.code,
            "enhanced": reply.enhanced,
            "text": storable(reply.text),
            "remote": storable(outcome.remote),
            "at": outcome.at,
        }
        if outcome.recipient in settlement.warned:
            values["delay_warned"] = True
        return self._update_leased(settlement.message_id, outcome.recipient, values, transaction)

    def _update_leased(self, message_id: str, place: int, values: dict[str, Any], transaction: Transaction) -> bool:
        update = recipient.update().values(values)
        update = update.where(recipient.c.message_id == message_id, recipient.c.place == place)
        return transaction.connection.execute(update.where(leased_by(sa.literal(self.worker_id)))).rowcount > 0

    def _drop_content(self, message_ids: list[str], transaction: Transaction) -> None:
        lock_messages(message_ids, transaction.connection)
        transaction.statements.delete_content.run(transaction.cursor, [(each,) for each in message_ids])


def lock_messages(message_ids: list[str], connection: sa.Connection) -> None:
    """Two workers that end the last two recipients of one message must see each other, or its content stays for good.

    SQLite has one writer at a time, and needs no lock. The ids are sorted so that nobody waits in a circle.
    """
    if connection.dialect.name == "postgresql":
        from posthouse.spool.schema import message

        rows = sa.select(message.c.id).where(message.c.id.in_(message_ids)).order_by(message.c.id)
        connection.execute(rows.with_for_update(key_share=True)).all()


def write_events(message_id: str, events: Iterable[Event], transaction: Transaction) -> None:
    rows = [(message_id, each.recipient, each.at, each.kind.value, storable(each.detail)) for each in events]
    if rows:
        transaction.statements.insert_event.run(transaction.cursor, rows)


def storable(text: str) -> str:
    """Text from outside as both engines take it: PostgreSQL has no NUL, neither has lone surrogates."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")


def row_pieces(content: SpooledContent, message_id: str, fetch: Callable[[str, int], bytes]) -> list[RowPiece]:
    """The pieces that `content` has become in rows."""
    sizes = _chunk_sizes(content.size)
    return [RowPiece(fetch, message_id, number, size) for number, size in enumerate(sizes)]


def _new_messages(works: Iterable[Work]) -> Iterator[NewMessage]:
    for work in works:
        if isinstance(work, Accept):
            yield work.new
        elif isinstance(work, Settle):
            yield from work.settlement.dsns


def _is_for_segment(new: NewMessage) -> bool:
    content = new.message.content
    return content.in_memory and content.size > ROW_LIMIT


def _message_row(new: NewMessage) -> Row:
    message = new.message
    envelope = message.envelope
    return (
        message.id,
        message.received_at,
        new.origin.value,
        envelope.reverse_path,
        envelope.ret and envelope.ret.value,
        envelope.envid,
        envelope.smtputf8,
        envelope.body.value,
        message.size,
        message.connector,
        _client_text(message.client),
        storable(new.subject),
        storable(new.header_message_id),
        storable(new.reasons),
    )


@lru_cache(maxsize=1024)
def _client_text(client: Client) -> str:
    return json.dumps(asdict(client))


def _recipient_rows(new: NewMessage, worker_id: int) -> Iterator[Row]:
    message_id, due = new.message.id, new.message.received_at
    worker = worker_id if new.leased else None
    for place, each in enumerate(new.message.envelope.recipients):
        notify = each.notify.parameter if each.notify else ""
        untried = (False, "", "", None, "", "", "", None)
        yield message_id, place, each.forward_path, notify, each.orcpt, State.WAITING.value, worker, due, 0, *untried


def _file_row(message_id: str, number: int, piece: FilePiece) -> Row:
    return message_id, number, piece.length, None, piece.name, piece.offset


def _chunked(content: Content) -> Iterator[bytes]:
    """The content in pieces of `CHUNK` bytes, the last one shorter; one empty piece where there is nothing."""
    held: list[bytes] = []
    size = 0
    for data in content.chunks():
        held.append(data)
        size += len(data)
        while size >= CHUNK:
            joined = b"".join(held)
            yield joined[:CHUNK]
            held, size = [joined[CHUNK:]], size - CHUNK
    if size or content.size == 0:
        yield b"".join(held)


def _chunk_sizes(size: int) -> list[int]:
    whole, rest = divmod(size, CHUNK)
    return [CHUNK] * whole + ([rest] if rest or not size else [])


def _is_final(outcome: Outcome) -> bool:
    return outcome.status is not Status.DEFERRED


def _is_deferred(outcome: Outcome) -> bool:
    return outcome.status is Status.DEFERRED


def _is_plain(settlement: Settlement) -> bool:
    """Nothing but ends: what most settlements are, and what is written for all of them together."""
    return not (settlement.retry_at or settlement.postponed or settlement.dsns or settlement.events)


def _final_row(settlement: Settlement, outcome: Outcome, worker_id: int) -> Row:
    reply = outcome.reply
    state = State.DELIVERED if outcome.status is Status.DELIVERED else State.FAILED
    return (
        state.value,
        settlement.connector,
        settlement.destination,
        reply.code,
        reply.enhanced,
        storable(reply.text),
        storable(outcome.remote),
        outcome.at,
        settlement.message_id,
        outcome.recipient,
        worker_id,
    )


def _postponed(settlement: Settlement, place: int, due: float | None) -> dict[str, Any]:
    values: dict[str, Any] = {} if due is None else {"worker": None, "due": due}
    if settlement.waits is not None:
        reply = settlement.waits
        values |= {"code": reply.code, "enhanced": reply.enhanced, "text": storable(reply.text), "remote": ""}
        values |= {"connector": settlement.connector, "destination": settlement.destination}
    if place in settlement.warned:
        values["delay_warned"] = True
    return values


def _is_told(message_id: str, found: Event, transaction: Transaction) -> bool:
    """What a message waits for is told once, however often it comes back and waits again."""
    if found.kind is not EventKind.WAITS:
        return False
    same = sa.exists().where(
        event.c.message_id == message_id, event.c.kind == found.kind, event.c.detail == found.detail
    )
    return bool(transaction.connection.scalar(sa.select(same)))


def _deferral(outcome: Outcome) -> Event:
    said = f"{outcome.reply} ({outcome.remote})" if outcome.remote else str(outcome.reply)
    return Event(outcome.at, EventKind.DEFERRED, said, outcome.recipient)
