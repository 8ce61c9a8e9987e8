"""The organization's document as it is stored: one row, and a revision that counts the changes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from posthouse.spool import audit
from posthouse.spool.audit import AuditRecord
from posthouse.spool.locks import lock_table
from posthouse.spool.records import OrganizationDocument, RevisionConflict
from posthouse.spool.schema import organization
from posthouse.spool.secrets import SecretsKey, put_secrets
from posthouse.spool.store import Store

_THE_ONE = 1


class Organizations:
    """Loads and saves the organization. Blocking."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._key = SecretsKey(store.data_dir)

    def load(self) -> OrganizationDocument:
        with self._store.reading() as connection:
            row = connection.execute(sa.select(organization.c.revision, organization.c.document)).one_or_none()
        return (
            OrganizationDocument(0, None)
            if row is None
            else OrganizationDocument(row.revision, json.loads(row.document))
        )

    def revision(self) -> int:
        """0 before the first `save`."""
        with self._store.reading() as connection:
            return revision(connection)

    def save(
        self,
        document: Mapping[str, object],
        *,
        put: Mapping[str, bytes] | None = None,
        drop: Iterable[str] = (),
        expected_revision: int | None = None,
        records: Iterable[AuditRecord] = (),
    ) -> int:
        """Store the document, secrets by name, and the audit records, in one transaction. Returns the new revision.

        Raises `RevisionConflict` where the organization isn't at `expected_revision` any more.
        """
        text = json.dumps(document, ensure_ascii=False)
        with self._store.transaction() as connection:
            lock_table(connection, organization)  # a row that isn't there yet could not be locked
            found = revision(connection)
            if expected_revision is not None and found != expected_revision:
                raise RevisionConflict(
                    f"The organization was changed meanwhile (revision {found}, not {expected_revision}). "
                    "Look at it, and try again."
                )
            connection.execute(organization.delete())
            connection.execute(organization.insert().values(id=_THE_ONE, revision=found + 1, document=text))
            put_secrets(connection, self._key, put or {}, drop)
            audit.append(connection, records)
        return found + 1


def revision(connection: sa.Connection) -> int:
    return connection.scalar(sa.select(organization.c.revision)) or 0
