"""An administrator's act, as a cmdlet does it: what was refused there is an error record here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from posthouse.admin import AdminError, Forbidden
from posthouse.cmdlets.errors import PSError
from posthouse.organization import Organization, from_document
from posthouse.settings import Settings
from posthouse.spool import Organizations, Store, open_store


@contextmanager
def administered() -> Iterator[None]:
    try:
        yield
    except Forbidden as error:
        raise PSError(
            str(error),
            category="PermissionDenied",
            error_id="CmdletAccessDeniedException",
            exception="Microsoft.Exchange.Configuration.Tasks.CmdletAccessDeniedException",
        ) from None
    except AdminError as error:
        raise PSError("; ".join(error.lines), error_id="AdminError") from None


def stored_organization(store: Store) -> Organization:
    """For those who may send a test mail, and need not be allowed to look at connectors."""
    return from_document(Organizations(store).load().document or {})


def trusted_roots(settings: Settings) -> tuple[str, ...]:
    """Of the organization, as PEM texts."""
    with closing(open_store(settings.store_url, settings.data_dir)) as store:
        return stored_organization(store).trusted_roots
