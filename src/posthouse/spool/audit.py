"""The audit log: who did what, or was refused it. Records are appended and read, and purged when old; none is changed.

A record of a change is appended in the change's own transaction, so that there is never one without the other.
"""

from __future__ import annotations

import enum
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from posthouse.spool.schema import audit
from posthouse.spool.store import Store
from posthouse.spool.trace import like

_WINDOW = 10_000
"""Records looked at in one query, so that no reader holds its transaction for long."""
_BATCH = 500
"""Records purged in one transaction: short enough for others not to notice."""
_LONGEST = 1000
"""Characters of a text: what a stranger sends fills no disk."""

_KEY = sa.tuple_(audit.c.at, audit.c.id)


class AuditOutcome(enum.StrEnum):
    """How an act ended: done, not allowed, or allowed but impossible."""

    OK = "ok"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class AuditChange:
    """A property or parameter before and after the act; None: nothing was, or is, set. Never a secret."""

    key: str
    before: Any = None
    after: Any = None


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """`act` is the cmdlet's name, `origin` an IP address or `local`. `at` and `id` are given when it is stored."""

    who: str
    face: str
    origin: str
    act: str
    object: str = ""
    outcome: AuditOutcome = AuditOutcome.OK
    reason: str = ""
    changes: tuple[AuditChange, ...] = ()
    at: float = 0.0
    id: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """All that is given must hold. The texts match without case, a leading or trailing `*` as wildcard."""

    since: float | None = None
    until: float | None = None
    who: str = ""
    act: str = ""
    object: str = ""
    outcome: AuditOutcome | None = None
    face: str = ""


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Newest first. `cursor` continues the search, None when all was searched; a page may be short of its limit."""

    records: tuple[AuditRecord, ...]
    cursor: str | None


class AuditLog:
    """Appends what is no change of the store, such as a refusal, and searches. Blocking."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def append(self, *records: AuditRecord) -> None:
        with self._store.transaction() as connection:
            append(connection, records)

    def find(self, wanted: AuditFilter, limit: int = 100, cursor: str | None = None) -> AuditPage:
        """Up to `limit` records from where `cursor` left off. Raises `ValueError` for a cursor that is none."""
        window = sa.select(audit).where(*_time_range(wanted))
        if cursor is not None:
            at, identity = _parsed(cursor)
            window = window.where(sa.tuple_(sa.literal(at), sa.literal(identity)) > _KEY)
        window = window.order_by(audit.c.at.desc(), audit.c.id.desc()).limit(_WINDOW)
        inner = window.subquery()
        query = sa.select(inner).where(*_conditions(inner, wanted)).order_by(inner.c.at.desc(), inner.c.id.desc())
        with self._store.reading() as connection:
            rows = connection.execute(query.limit(limit)).all()
            if len(rows) == limit:
                end = rows[-1]
            else:
                end = connection.execute(window.offset(_WINDOW - 1).limit(1)).one_or_none()
        return AuditPage(tuple(_record(row) for row in rows), None if end is None else f"{end.at!r}.{end.id}")

    def get(self, identity: int) -> AuditRecord | None:
        with self._store.reading() as connection:
            row = connection.execute(sa.select(audit).where(audit.c.id == identity)).one_or_none()
        return None if row is None else _record(row)


def append(connection: sa.Connection, records: Iterable[AuditRecord]) -> None:
    """Write records down with whatever else this transaction does."""
    now = time.time()
    rows = [
        {
            "at": now,
            "who": _clean(record.who),
            "face": record.face,
            "origin": _clean(record.origin),
            "act": _clean(record.act),
            "object": _clean(record.object),
            "outcome": record.outcome.value,
            "reason": _clean(record.reason),
            "changes": _to_json(record.changes),
        }
        for record in records
    ]
    if rows:
        connection.execute(audit.insert(), rows)


def purge_audit(store: Store, before: float) -> bool:
    """Forget some of the records from before that time. True if there may be more."""
    oldest = sa.select(audit.c.id).where(audit.c.at < before).order_by(audit.c.at, audit.c.id).limit(_BATCH)
    with store.transaction() as connection:
        ids = connection.scalars(oldest.with_for_update(skip_locked=True)).all()
        connection.execute(audit.delete().where(audit.c.id.in_(ids)))
    return len(ids) == _BATCH


def _time_range(wanted: AuditFilter) -> Sequence[sa.ColumnElement[bool]]:
    since = [] if wanted.since is None else [audit.c.at >= wanted.since]
    until = [] if wanted.until is None else [audit.c.at <= wanted.until]
    return [*since, *until]


def _conditions(window: sa.Subquery, wanted: AuditFilter) -> Sequence[sa.ColumnElement[bool]]:
    texts = {"who": wanted.who, "act": wanted.act, "object": wanted.object}
    conditions = [like(window.c[column], pattern) for column, pattern in texts.items() if pattern]
    if wanted.outcome is not None:
        conditions.append(window.c.outcome == wanted.outcome.value)
    if wanted.face:
        conditions.append(window.c.face == wanted.face)
    return conditions


def _record(row: sa.Row[*tuple[Any, ...]]) -> AuditRecord:
    changes: list[Mapping[str, Any]] = json.loads(row.changes)
    return AuditRecord(
        who=row.who,
        face=row.face,
        origin=row.origin,
        act=row.act,
        object=row.object,
        outcome=AuditOutcome(row.outcome),
        reason=row.reason,
        changes=tuple(AuditChange(**change) for change in changes),
        at=row.at,
        id=row.id,
    )


def _clean(text: str) -> str:
    """Without control characters and halves of pairs, which no store takes and no terminal should."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[:_LONGEST])


def _to_json(changes: Iterable[AuditChange]) -> str:
    rows = [{"key": change.key, "before": change.before, "after": change.after} for change in changes]
    return json.dumps(rows, default=str)


def _parsed(cursor: str) -> tuple[float, int]:
    at, _, identity = cursor.rpartition(".")
    if not 0 <= int(identity) < 1 << 63:
        raise ValueError(f"invalid literal: {identity} is no id")
    return float(at), int(identity)
