"""The organization's document as it is stored: one row, and a revision that counts the changes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from posthouse.spool.records import OrganizationDocument, RevisionConflict
from posthouse.spool.schema import organization, secret
from posthouse.spool.secrets import SecretsKey
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
    ) -> int:
        """Store the document, and secrets by name, in one transaction. Returns the new revision.

        Raises `RevisionConflict` where the organization isn't at `expected_revision` any more.
        """
        secrets = [{"name": name, "ciphertext": self._key.encrypt(name, value)} for name, value in (put or {}).items()]
        text = json.dumps(document, ensure_ascii=False)
        with self._store.transaction() as connection:
            found = revision(connection, for_update=True)
            if expected_revision is not None and found != expected_revision:
                raise RevisionConflict(
                    f"The organization was changed meanwhile (revision {found}, not {expected_revision}). "
                    "Look at it, and try again."
                )
            connection.execute(organization.delete())
            connection.execute(organization.insert().values(id=_THE_ONE, revision=found + 1, document=text))
            connection.execute(secret.delete().where(secret.c.name.in_([*drop, *(each["name"] for each in secrets)])))
            if secrets:
                connection.execute(secret.insert(), secrets)
        return found + 1


def revision(connection: sa.Connection, *, for_update: bool = False) -> int:
    query = sa.select(organization.c.revision)
    return connection.scalar(query.with_for_update() if for_update else query) or 0
