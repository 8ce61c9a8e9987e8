"""What tests of administrators, sessions and tokens share."""

from __future__ import annotations

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

from posthouse.admin import AdminError, Administration, Face, Role
from posthouse.spool import AuditFilter, AuditRecord

PASSWORD = "correct horse battery"
ALL, VIEW = Role.ORGANIZATION_MANAGEMENT, Role.VIEW_ONLY
WEB: dict[str, Any] = {"face": Face.WEB, "origin": "192.0.2.7"}
REST: dict[str, Any] = {"face": Face.REST, "origin": "192.0.2.9"}


def audited(admin: Administration) -> list[AuditRecord]:
    """Oldest first."""
    return list(admin.audit.find(AuditFilter()))[::-1]


def at_once(*acts: Callable[[], object]) -> list[object]:
    """Results, or the errors that they are."""
    start = Barrier(len(acts))
    results: list[object] = []

    def run(act: Callable[[], object]) -> None:
        start.wait()
        try:
            results.append(act())
        except AdminError as error:
            results.append(error)

    threads = [Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
