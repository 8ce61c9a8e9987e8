"""What a reader understood of another product's configuration, and what it didn't.

A reader gives each setting to `Findings`, which checks its value as an organization file's is checked: a bad value is
one line among those that were not taken, and what was understood can be applied.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from posthouse.admin.references import Document
from posthouse.organization.fields import Invalid, Reader, printable, user
from posthouse.organization.schema import (
    ACCEPTED_DOMAIN,
    CREDENTIAL,
    DELIVERY,
    INBOUND_CONNECTOR,
    LIMITS,
    OUTBOUND_CONNECTOR,
    SETTINGS,
)

Kind = Literal["accepted_domain", "inbound_connector", "outbound_connector", "credential"]
Section = Literal["", "delivery", "limits"]

_KEYS: Mapping[str, Mapping[str, Reader[Any]]] = {
    "accepted_domain": ACCEPTED_DOMAIN,
    "inbound_connector": INBOUND_CONNECTOR,
    "outbound_connector": OUTBOUND_CONNECTOR,
    "credential": CREDENTIAL,
    "": SETTINGS,
    "delivery": DELIVERY,
    "limits": LIMITS,
}
_HIDDEN = {"secret"}
_LONGEST_NAME = 64
_MOST_LOGINS = 500
_SHOWN = 160


@dataclass(frozen=True, slots=True)
class Understood:
    """A setting, where it stands, what it says there, and what it becomes here."""

    where: str
    setting: str
    value: str
    becomes: str


@dataclass(frozen=True, slots=True)
class NotTaken:
    """A setting that is left out or does something else here, where it stands, and why."""

    where: str
    setting: str
    value: str
    reason: str


@dataclass(slots=True)
class Findings:
    """`document` is an organization as a file writes it. It may hold passwords, which no line shows.

    `lines` has the lines of the settings of the file that is being read, by their first word.
    """

    document: Document = field(default_factory=dict[str, Any], repr=False)
    lines: dict[str, int] = field(default_factory=dict[str, int])
    _file: str = ""
    _items: dict[tuple[Kind, str], Document] = field(default_factory=dict[tuple[Kind, str], Any], repr=False)
    _understood: dict[Understood, None] = field(default_factory=dict[Understood, None])
    _not_taken: dict[NotTaken, None] = field(default_factory=dict[NotTaken, None])

    @property
    def understood(self) -> tuple[Understood, ...]:
        return tuple(self._understood)

    @property
    def not_taken(self) -> tuple[NotTaken, ...]:
        return tuple(self._not_taken)

    def begin(self, file: str) -> None:
        """What follows is of another file."""
        self._file, self.lines = file, {}

    def take(self, setting: str, value: object, kind: Kind, name: str, /, **keys: Any) -> bool:
        """It becomes an item, or keys of one; a list adds to what the item has. False where nothing of it did."""
        name = item_name(name)
        if not self._is_valid(setting, kind, "name", name):
            return False
        valid = {key: found for key, wanted in keys.items() if (found := self._valid(setting, kind, key, wanted))}
        if keys and not valid:
            return False
        item = self._item(kind, name)
        for key, found in valid.items():
            is_list = isinstance(found[0], list)
            item[key] = list(dict.fromkeys([*(item.get(key) or ()), *found[0]])) if is_list else found[0]
        told = ", ".join(f"{key} = {_told(key, found[0])}" for key, found in valid.items())
        self._understand(setting, value, f'{kind} "{name}"{": " if told else ""}{told}')
        return True

    def take_login(self, setting: str, connector: str, name: str, password: str) -> None:
        """It becomes a login of an inbound connector."""
        try:
            login = {"user": user(name), "password": password}
        except Invalid as invalid:
            return self.leave(setting, "", str(invalid))
        logins: list[Document] = self._item("inbound_connector", connector).setdefault("sender_credentials", [])
        if len(logins) >= _MOST_LOGINS:
            return self.leave(setting, name, f"a connector gets {_MOST_LOGINS} logins here; make another for the rest")
        if all(known["user"].casefold() != name.casefold() for known in logins):
            logins.append(login)
        return self._understand(setting, name, f'inbound_connector "{connector}": sender_credentials = {name}')

    def set(self, setting: str, value: object, section: Section, key: str, wanted: Any) -> None:
        """It becomes a key of the organization's own."""
        if valid := self._valid(setting, section, key, wanted):
            (self.document.setdefault(section, {}) if section else self.document)[key] = valid[0]
            self._understand(setting, value, f"{section}{'.' if section else ''}{key} = {_told(key, valid[0])}")

    def value(self, kind: Kind, name: str, key: str) -> Any:
        """What an item has; None where it is not set."""
        return self._items.get((kind, name.casefold()), {}).get(key)

    def take_credential(self, setting: str, connector: str, user: str, password: str) -> None:
        """It becomes a credential that an outbound connector signs in with, which it does over TLS only."""
        if not user or not password:
            return self.leave(setting, "", "it is no user with a password; name a credential with --credential")
        connector = item_name(connector)
        if not self.take(setting, user, "credential", connector, kind="password", user=user, secret=password):
            return None
        keys: dict[str, Any] = {"credential": [connector]}
        if self.value("outbound_connector", connector, "tls_settings") is None:
            keys["tls_settings"] = "EncryptionOnly"
            self.leave(setting, user, "a login is sent over TLS only: the connector now demands it")
        self.take(setting, user, "outbound_connector", connector, **keys)
        return None

    def unset(self, kind: Kind, name: str, key: str) -> None:
        """The key has its default: where an item is changed, it is taken away."""
        self._item(kind, name)[key] = None

    def leave(self, setting: str, value: object, reason: str, *, where: str = "") -> None:
        """`where` is for what stands in another file than the setting."""
        where = where or self._where(setting)
        self._not_taken[NotTaken(where, _cut(_plain(setting)), _cut(_plain(value)), reason)] = None

    def has(self, kind: Kind, name: str) -> bool:
        return (kind, name.casefold()) in self._items

    def _understand(self, setting: str, value: object, becomes: str) -> None:
        found = Understood(self._where(setting), _cut(_plain(setting)), _cut(_plain(value)), _cut(becomes))
        self._understood[found] = None

    def _where(self, setting: str) -> str:
        line = self.lines.get(re.split("[: ]", setting, maxsplit=1)[0])
        return f"{self._file}:{line}" if line else self._file

    def _item(self, kind: Kind, name: str) -> Document:
        if not self.has(kind, name):
            self._items[kind, name.casefold()] = {"name": name}
            self.document.setdefault(kind, []).append(self._items[kind, name.casefold()])
        return self._items[kind, name.casefold()]

    def _valid(self, setting: str, kind: str, key: str, wanted: Any) -> tuple[Any] | None:
        """The value in a tuple, of a list what is allowed of it; None where nothing is."""
        if not isinstance(wanted, list):
            return (wanted,) if self._is_valid(setting, kind, key, wanted) else None
        allowed = [one for one in wanted if self._is_valid(setting, kind, key, [one], one)]
        return (allowed,) if allowed else None

    def _is_valid(self, setting: str, kind: str, key: str, wanted: Any, shown: object = None) -> bool:
        try:
            _KEYS[kind][key](wanted)
        except Invalid as invalid:
            self.leave(setting, "" if key in _HIDDEN else wanted if shown is None else shown, str(invalid))
            return False
        return True


def item_name(text: str) -> str:
    """As long as a name may be."""
    return text[:_LONGEST_NAME].strip()


def _told(key: str, value: object) -> str:
    return "(kept secret)" if key in _HIDDEN else _plain(value)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(_plain(one) for one in _first(value))
    return printable(" ".join(str(value).split()))


def _first(values: Iterable[object]) -> list[object]:
    """Enough of them to fill a line."""
    return [value for _, value in zip(range(_SHOWN), values, strict=False)]


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
