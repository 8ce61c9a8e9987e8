"""The way through the admin centre, in the order of Exchange's."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from posthouse.admin import Permission
from posthouse.web.pages.visitor import Visitor


@dataclass(frozen=True, slots=True)
class Entry:
    """A page. `icon` is one of assets/icons.svg; whoever may not `needs` doesn't see it."""

    path: str
    text: str
    icon: str
    needs: Permission | None = None

    def is_current(self, path: str) -> bool:
        return path == self.path or (self.path != "/" and path.startswith(f"{self.path}/"))


@dataclass(frozen=True, slots=True)
class Group:
    """Entries under a heading; the first has none."""

    text: str
    entries: Sequence[Entry]


NAVIGATION = (
    Group("", (Entry("/", "Home", "home"),)),
    Group(
        "Mail flow",
        (
            Entry("/connectors", "Connectors", "connector", Permission.VIEW_ORGANIZATION),
            Entry("/credentials", "Credentials", "certificate", Permission.VIEW_ORGANIZATION),
            Entry("/domains", "Accepted domains", "domain", Permission.VIEW_ORGANIZATION),
            Entry("/trace", "Message trace", "trace", Permission.VIEW_MAIL),
            Entry("/queue", "Queue", "queue", Permission.VIEW_MAIL),
            Entry("/test-mail", "Test mail", "send", Permission.SEND_TEST),
            Entry("/headers", "Header analyzer", "header"),
            Entry("/explain", "Explain", "explain"),
            Entry("/doctor", "Doctor", "doctor", Permission.VIEW_ORGANIZATION),
        ),
    ),
    Group(
        "Organization",
        (
            Entry("/administrators", "Administrators and roles", "people", Permission.VIEW_ADMINISTRATORS),
            Entry("/tokens", "API tokens", "key", Permission.VIEW_ADMINISTRATORS),
            Entry("/audit", "Audit log", "audit", Permission.VIEW_AUDIT),
            Entry("/settings", "Settings", "settings", Permission.VIEW_ORGANIZATION),
        ),
    ),
)


def navigation_for(visitor: Visitor, paths: Container[str]) -> Iterator[Group]:
    """What he may see of the pages that are there."""
    for group in NAVIGATION:
        entries = [
            entry
            for entry in group.entries
            if entry.path in paths and (entry.needs is None or visitor.may(entry.needs))
        ]
        if entries:
            yield Group(group.text, entries)
