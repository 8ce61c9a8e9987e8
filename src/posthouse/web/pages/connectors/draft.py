"""A connector while somebody fills in its wizard.

All of it travels in the address of each step, so every step can be bookmarked, shared and gone back to, and nothing is
kept here. Secrets are no part of it: no address, and no history, ever has one.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from posthouse.web.conditions import tag_of
from posthouse.web.pages.forms import Errors, Form
from posthouse.web.pages.texts import Texts

SERVER, DEVICE, PARTNER, RELAY = "server", "device", "partner", "relay"
"""Where mail comes from: what comes from this relay leaves by an outbound connector."""
TENANT, OTHER = "tenant", "other"
"""Where what comes from this relay goes."""


@dataclass(frozen=True, slots=True)
class Draft(ABC):
    """Fields are spelled as in the organization's file, but for some that stand for several. `seen` is the tag of the
    connector that is changed, empty for a new one."""

    origin: str = ""
    name: str = ""
    comment: str = ""
    enabled: bool = True
    seen: str = ""

    @classmethod
    def of_document(cls, item: Mapping[str, Any]) -> Self:
        """Of a connector as the organization's file has it."""
        known = {field.name for field in dataclasses.fields(cls)} & item.keys()
        values = {name: _frozen(item[name]) for name in known}
        return cls(**{**values, **cls.read(item), "seen": tag_of(item)})

    @classmethod
    @abstractmethod
    def read(cls, item: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that the file spells otherwise."""

    @abstractmethod
    def gaps(self, text: Texts) -> Errors:
        """What the organization's checks allow, or can't see, and nobody wants."""

    @abstractmethod
    def values_to_check(self) -> dict[str, Any]:
        """For the organization's checks: without what is asked for last. None is the default."""

    def filled_in(self, form: Form) -> Self:
        """With what a form says; what it doesn't have stays."""
        values: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            match now := getattr(self, field.name):
                case bool():
                    values[field.name] = form.flag(field.name, default=now)
                case tuple():
                    values[field.name] = form.several(field.name, now)
                case _:
                    values[field.name] = form.text(field.name, now)
        return type(self)(**values)

    def fields(self, but: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
        """As a form sends them: for an address, or to be hidden in the form of a step that asks for others."""
        for field in dataclasses.fields(self):
            if field.name not in but:
                value = getattr(self, field.name)
                yield field.name, _written(value)


def number_of(text: str) -> int | str | None:
    """A count as it was typed; what is none is left for the organization's checks to name."""
    return int(text) if text.isdecimal() and len(text) < _LONGEST_NUMBER else text or None


_LONGEST_NUMBER = 20


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _written(value: str | bool | tuple[str, ...]) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return value if isinstance(value, str) else "\n".join(value)
