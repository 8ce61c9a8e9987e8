"""An administrator's act, as a cmdlet does it: what was refused there is an error record here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from posthouse.admin import AdminError, Forbidden
from posthouse.cmdlets.errors import PSError


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
