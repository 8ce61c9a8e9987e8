"""How the ways of outbound connectors are called."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from posthouse.admin.presets import presets
from posthouse.web.pages.connectors.outbound_draft import HOSTS, MAILBOXES, MX, OTHER_WAYS, TENANT_WAYS
from posthouse.web.pages.texts import Texts

_PARTS = re.compile(r"([^:;]+)(?:[:;] (.*))?")


@dataclass(frozen=True, slots=True)
class ShownWay:
    name: str
    label: str
    hint: str


def shown_way(name: str, text: Texts) -> ShownWay:
    """A preset's title is its name and, after a colon or semicolon, what is to be known of it."""
    own = {
        HOSTS: (text("Smart hosts"), text("Servers that take all of it, by their names or addresses.")),
        MX: (text("By MX record"), text("The hosts that each recipient's domain names in DNS.")),
        MAILBOXES: (text("Into mailboxes here"), text("A Maildir for each recipient, on this machine.")),
    }
    if name in own:
        return ShownWay(name, *own[name])
    preset = presets().get(name)
    parts = _PARTS.fullmatch(text(preset.title)) if preset else None
    return ShownWay(name, parts[1] if parts else name, (parts[2] or "") if parts else "")


def shown_ways(text: Texts) -> Mapping[str, Sequence[ShownWay]]:
    """By where they lead."""
    return {
        "tenant_ways": [shown_way(name, text) for name in TENANT_WAYS],
        "other_ways": [shown_way(name, text) for name in OTHER_WAYS],
    }
