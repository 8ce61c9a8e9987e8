"""An administrator's acts on the organization: read what is stored, change, check and store it in one transaction,
with its audit record."""

from __future__ import annotations

import os
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from posthouse.admin.actors import Actor, local_actor
from posthouse.admin.administrators import Administrators
from posthouse.admin.attention import Attention
from posthouse.admin.audit import Audit, Ledger, organization_records
from posthouse.admin.credentials import Credentials
from posthouse.admin.difference import Change, difference
from posthouse.admin.errors import AdminError, Forbidden
from posthouse.admin.health import Health
from posthouse.admin.mail import Mail
from posthouse.admin.references import Document, Resolver, Stored, secret_names, written
from posthouse.admin.roles import Act, Acts
from posthouse.admin.tokens import Tokens
from posthouse.admin.traffic import Traffic
from posthouse.organization import Organization, OrganizationError, from_document, notices, to_document
from posthouse.relay.house import node_name
from posthouse.settings import Settings
from posthouse.spool import Organizations, RevisionConflict, Secrets, SpoolError, Store, Workers, open_store
from posthouse.spool.turn import FileLock
from posthouse.spool.workers import SILENT_AFTER

_IN_FORCE_SECONDS = 15.0
_POLL_SECONDS = 0.05
_ATTEMPTS = 20

Edit = Callable[[Document], Document]


@dataclass(frozen=True, slots=True)
class Applied:
    """What a change changed, and what the administrator should know about it: a line each."""

    changes: tuple[Change, ...]
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A change that is checked, and what it was made from."""

    before: Document
    document: Document
    new_secrets: Mapping[str, bytes]
    revision: int
    applied: Applied


class Administration:
    """The acts of `actor` on one store, whether or not a `serve` is running on it. Each checks his roles first.

    `mail` has those on the queue and the trace, `administrators`, `tokens`, `credentials`, `audit`, `health`,
    `attention` and `traffic` what their names say.
    Without an actor it is the user of this process, who can write the store in any case.
    """

    def __init__(self, store: Store, environ: Mapping[str, str] = os.environ, *, actor: Actor | None = None) -> None:
        self.ledger = Ledger(store, actor or local_actor())
        self._organizations = Organizations(store)
        self._secrets = Secrets(store)
        self._workers = Workers(store)
        self.mail = Mail(store, self.ledger)
        self.administrators = Administrators(store, self.ledger)
        self.tokens = Tokens(store, self.ledger)
        self.credentials = Credentials(store, self.ledger)
        self.audit = Audit(store, self.ledger)
        self.health = Health(store, self.ledger)
        self.attention = Attention(store, self.ledger, self.health)
        self.traffic = Traffic(store, self.ledger)
        self._data_dir = store.data_dir
        self._environ = environ

    @classmethod
    @contextmanager
    def opened(cls, settings: Settings, actor: Actor | None = None) -> Iterator[Administration]:
        """On the store of these settings, which is made and migrated where needed."""
        store = open_store(settings.store_url, settings.data_dir)
        try:
            yield cls(store, actor=actor)
        finally:
            store.close()

    def organization(self) -> Organization:
        return self.read()[0]

    def read(self) -> tuple[Organization, Document]:
        """The organization, and the same as a file writes it: what `change` gives to its `edit`."""
        self.ledger.check(Acts.GET_ORGANIZATION)
        stored = self._organizations.load().document or {}
        return from_document(stored), written(stored)

    def apply(self, file: Path, *, dry_run: bool = False) -> Applied:
        """Make the organization what a file says, the whole of it. Returns what changed, or would."""
        try:
            return self.change(lambda _: _read(file), file.parent, dry_run=dry_run)
        except Forbidden:
            raise
        except AdminError as error:
            raise AdminError(*(f"{file}: {line}" for line in error.lines)) from None

    def export(self) -> str:
        """The organization as a file that `apply` reads back."""
        return tomli_w.dumps(written(to_document(self.organization())), multiline_strings=True)

    def change(
        self,
        edit: Edit,
        folder: Path,
        *,
        dry_run: bool = False,
        act: Act = Acts.SET_ORGANIZATION,
        target: str = "",
    ) -> Applied:
        """Store what `edit` makes of the organization as it is written, and wait until it is in force everywhere.

        References to files are relative to `folder`. Raises `AdminError`, and then nothing has changed. `act` and
        `target` name the attempt where it fails; what changed is on record item by item, whatever the attempt was.
        """
        if dry_run:
            self.ledger.check(act, target)
            return self._prepared(edit, folder).applied
        with self.ledger.attempt(act, target):
            applied, revision = self._changed(edit, folder)
        if applied.changes:
            self._await_in_force(revision)
        if any(change.item.startswith("credential ") for change in applied.changes):
            self.credentials.forget_others()
        return applied

    def rotate_key(self) -> int:
        """Encrypt all secrets with a new key. Returns how many there are."""
        with self.ledger.attempt(Acts.ROTATE_KEY) as record:
            try:
                return self._secrets.rotate_key(record())
            except SpoolError as error:
                raise AdminError(str(error)) from error

    def _changed(self, edit: Edit, folder: Path) -> tuple[Applied, int]:
        for _ in range(_ATTEMPTS):
            prepared = self._prepared(edit, folder)
            if not prepared.applied.changes:
                return prepared.applied, prepared.revision
            try:
                return prepared.applied, self._save(prepared)
            except RevisionConflict:
                continue
        raise AdminError("somebody else keeps changing the organization; try again")

    def _prepared(self, edit: Edit, folder: Path) -> _Prepared:
        stored = self._organizations.load()
        before = dict(stored.document or {})
        resolver = Resolver(folder, self._environ, Stored(before, self._secrets.get))
        organization = _checked(resolver.resolve(edit(written(before))))
        document = to_document(organization)
        known = notices(from_document(before))
        fresh = tuple(notice for notice in notices(organization) if notice not in known)
        applied = Applied(difference(before, document), fresh)
        return _Prepared(before, document, resolver.new_secrets, stored.revision, applied)

    def _save(self, prepared: _Prepared) -> int:
        needed = secret_names(prepared.document)
        return self._organizations.save(
            prepared.document,
            put={name: value for name, value in prepared.new_secrets.items() if name in needed},
            drop=secret_names(prepared.before) - needed,
            expected_revision=prepared.revision,
            records=organization_records(self.ledger.actor, prepared.before, prepared.document),
        )

    def _await_in_force(self, revision: int) -> None:
        """Wait until every worker that lives says so in its heartbeat."""
        deadline = time.monotonic() + _IN_FORCE_SECONDS
        while behind := self._behind(revision):
            if time.monotonic() > deadline:
                raise AdminError(f"it is stored, but {behind} workers don't have it in force yet; see their log")
            time.sleep(_POLL_SECONDS)

    def _behind(self, revision: int) -> int:
        """How many living workers have an older revision. Of this node none lives where nobody holds its lock."""
        silent = time.time() - SILENT_AFTER
        behind = [w for w in self._workers.list() if w.revision < revision and w.heartbeat_at > silent]
        if behind and not _is_served(self._data_dir):
            here = node_name(self._data_dir)
            behind = [worker for worker in behind if worker.node != here]
        return len(behind)


def _is_served(data_dir: Path) -> bool:
    """Whether a `serve` holds the data directory, as its supervisor and all its workers do."""
    file = data_dir / "serve.lock"
    if not file.exists():
        return False
    with closing(FileLock(file)) as lock:
        return not lock.try_acquire(0)


def _read(file: Path) -> Document:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise AdminError(f"{error.strerror}; name a readable file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AdminError(f"not TOML: {error}") from None


def _checked(document: Mapping[str, Any]) -> Organization:
    try:
        return from_document(document)
    except OrganizationError as error:
        raise AdminError(*error.problems) from None
