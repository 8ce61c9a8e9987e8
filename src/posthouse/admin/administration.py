"""An administrator's acts on the organization: read what is stored, change, check and store it in one transaction."""

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

from posthouse.admin.difference import Change, difference
from posthouse.admin.errors import AdminError
from posthouse.admin.mail import Mail
from posthouse.admin.references import Document, Resolver, Stored, secret_names, written
from posthouse.organization import Organization, OrganizationError, from_document, notices, to_document
from posthouse.relay.house import node_name
from posthouse.settings import Settings
from posthouse.spool import Organizations, RevisionConflict, Secrets, Store, Workers, open_store
from posthouse.spool.turn import FileLock
from posthouse.spool.workers import SILENT_AFTER

_IN_FORCE_SECONDS = 15.0
_POLL_SECONDS = 0.05
_ATTEMPTS = 5

Edit = Callable[[Document], Document]


@dataclass(frozen=True, slots=True)
class Applied:
    """What a change changed, and what the administrator should know about it: a line each."""

    changes: tuple[Change, ...]
    notices: tuple[str, ...]


class Administration:
    """Acts on one store, whether or not a `serve` is running on it. `mail` has those on the queue and the trace."""

    def __init__(self, store: Store, environ: Mapping[str, str] = os.environ) -> None:
        self._organizations = Organizations(store)
        self._secrets = Secrets(store)
        self._workers = Workers(store)
        self.mail = Mail(store)
        self._data_dir = store.data_dir
        self._environ = environ

    @classmethod
    @contextmanager
    def opened(cls, settings: Settings) -> Iterator[Administration]:
        """On the store of these settings, which is made and migrated where needed."""
        store = open_store(settings.store_url, settings.data_dir)
        try:
            yield cls(store)
        finally:
            store.close()

    def organization(self) -> Organization:
        return from_document(self._organizations.load().document or {})

    def apply(self, file: Path, *, dry_run: bool = False) -> Applied:
        """Make the organization what a file says, the whole of it. Returns what changed, or would."""
        document = _read(file)
        try:
            return self.change(lambda _: document, file.parent, dry_run=dry_run)
        except AdminError as error:
            raise AdminError(*(f"{file}: {line}" for line in error.lines)) from None

    def export(self) -> str:
        """The organization as a file that `apply` reads back."""
        return tomli_w.dumps(written(to_document(self.organization())), multiline_strings=True)

    def change(self, edit: Edit, folder: Path, *, dry_run: bool = False) -> Applied:
        """Store what `edit` makes of the organization as it is written, and wait until it is in force everywhere.

        References to files are relative to `folder`. Raises `AdminError`, and then nothing has changed.
        """
        for _ in range(_ATTEMPTS):
            stored = self._organizations.load()
            before = dict(stored.document or {})
            resolver = Resolver(folder, self._environ, Stored(before, self._secrets.get))
            organization = _checked(resolver.resolve(edit(written(before))))
            document = to_document(organization)
            known = notices(from_document(before))
            fresh = tuple(notice for notice in notices(organization) if notice not in known)
            applied = Applied(difference(before, document), fresh)
            if dry_run or not applied.changes:
                return applied
            try:
                revision = self._save(document, before, resolver.new_secrets, stored.revision)
            except RevisionConflict:
                continue
            self._await_in_force(revision)
            return applied
        raise AdminError("somebody else keeps changing the organization; try again")

    def _save(self, document: Document, before: Document, new_secrets: Mapping[str, bytes], revision: int) -> int:
        needed = secret_names(document)
        return self._organizations.save(
            document,
            put={name: value for name, value in new_secrets.items() if name in needed},
            drop=secret_names(before) - needed,
            expected_revision=revision,
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
        raise AdminError(f"{file}: {error.strerror}; name a readable file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AdminError(f"{file}: not TOML: {error}") from None


def _checked(document: Mapping[str, Any]) -> Organization:
    try:
        return from_document(document)
    except OrganizationError as error:
        raise AdminError(*error.problems) from None
