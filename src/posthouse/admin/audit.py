"""What one actor does on one store: checked before, written down after; and the search in what is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from posthouse.admin.actors import Actor
from posthouse.admin.difference import Change, difference, shown_items
from posthouse.admin.errors import AdminError, Forbidden, NotFound
from posthouse.admin.roles import Act, Acts, change_of
from posthouse.admin.spelling import cmdlet_spelling
from posthouse.spool import (
    AuditChange,
    AuditFilter,
    AuditLog,
    AuditOutcome,
    AuditPage,
    AuditRecord,
    Store,
)

_PAGE = 500
_VERBS = {"add": "New", "change": "Set", "remove": "Remove"}
_OF_TRANSPORT = frozenset({"delivery", "limits", "postmaster_address"})
"""Organization keys that Exchange has in Set-TransportConfig."""

Record = Callable[..., AuditRecord]


class Ledger:
    """Every act of `actor` goes through it."""

    def __init__(self, store: Store, actor: Actor) -> None:
        self._log = AuditLog(store)
        self.actor = actor

    def check(self, act: Act, target: str = "") -> None:
        """Raises `Forbidden`, and then the attempt is on record."""
        if self.actor.may(act.needs):
            return
        roles = " or ".join(act.roles)
        reason = f"it needs the role {roles}"
        self._log.append(record_of(self.actor, act.name, target, outcome=AuditOutcome.REFUSED, reason=reason))
        raise Forbidden(f"{self.actor.name} may not {act.name}: {reason}")

    @contextmanager
    def attempt(self, act: Act, target: str = "") -> Iterator[Record]:
        """Checks first. Gives what makes the record (of `changes`) to store with the change; failing is on record."""
        self.check(act, target)
        record = partial(record_of, self.actor, act.name, target)
        try:
            yield record
        except AdminError as error:
            self._log.append(record(outcome=AuditOutcome.FAILED, reason="; ".join(error.lines)))
            raise

    def write(self, record: AuditRecord) -> None:
        """For what changes nothing in the store, but is to be accounted for."""
        self._log.append(record)


class Audit:
    """Searches the records."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._log = AuditLog(store)
        self._ledger = ledger

    def page(self, wanted: AuditFilter, limit: int = 100, cursor: str | None = None) -> AuditPage:
        """Newest first, from where `cursor` left off."""
        self._ledger.check(Acts.SEARCH_AUDIT)
        try:
            return self._log.find(wanted, limit, cursor)
        except ValueError:
            raise AdminError(f'"{cursor}" is no cursor; give back the one that came with a page') from None

    def record(self, identity: int) -> AuditRecord:
        self._ledger.check(Acts.SEARCH_AUDIT)
        record = self._log.get(identity) if 0 <= identity < 1 << 63 else None
        if record is None:
            raise NotFound("there is no such record; it may be older than audit_keep says")
        return record

    def find(self, wanted: AuditFilter) -> Iterator[AuditRecord]:
        """All of them, newest first."""
        self._ledger.check(Acts.SEARCH_AUDIT)
        return self._all(wanted)

    def _all(self, wanted: AuditFilter) -> Iterator[AuditRecord]:
        cursor: str | None = None
        while True:
            page = self._log.find(wanted, _PAGE, cursor)
            yield from page.records
            if (cursor := page.cursor) is None:
                return


def record_of(
    actor: Actor,
    act: str,
    target: str = "",
    changes: Iterable[AuditChange] = (),
    *,
    outcome: AuditOutcome = AuditOutcome.OK,
    reason: str = "",
) -> AuditRecord:
    return AuditRecord(actor.name, actor.face.value, actor.origin, act, target, outcome, reason, tuple(changes))


def organization_records(actor: Actor, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[AuditRecord]:
    """A change of the organization as the cmdlets that would make it, one for each item, without secrets."""
    acts: dict[tuple[str, str], list[AuditChange]] = {}
    shown_before, shown_after = shown_items(before), shown_items(after)
    for change in difference(before, after):
        acts.setdefault(_cmdlet(change), []).extend(_properties(change, shown_before, shown_after))
    return [record_of(actor, act, name, changes) for (act, name), changes in acts.items()]


def _cmdlet(change: Change) -> tuple[str, str]:
    """The cmdlet, and the name of its object."""
    if not change.item:
        return (Acts.SET_TRANSPORT if change.key in _OF_TRANSPORT else Acts.SET_ORGANIZATION).name, ""
    kind, _, name = change.item.partition(" ")
    return change_of(_VERBS[change.act], cmdlet_spelling(kind)).name, name[1:-1]


def _properties(change: Change, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[AuditChange]:
    """The key that changed; of an item that came or went all that it says. `before` and `after` are `shown_items`."""
    if change.act == "change":
        yield AuditChange(cmdlet_spelling(change.key), change.before, change.after)
    elif change.act == "add":
        for key, value in after[change.item].items():
            yield AuditChange(cmdlet_spelling(key), after=value)
    else:
        for key, value in before[change.item].items():
            yield AuditChange(cmdlet_spelling(key), before=value)
