"""Microsoft's anti-spam headers, decoded: each field with what its value means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from posthouse.analysis.antispam_fields import COMPAUTH_REASONS, DIAGNOSTICS, HEADERS, OPAQUE, PREFIXES, REPORTS
from posthouse.analysis.headers import Field

STAMP_LIMIT = 500
"""Fields that are decoded; a message that has been through three tenants has 120."""

_ELSEWHERE = "x-ms-exchange-authentication-results"
"""Is read with the others of its kind, in authentication.py."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """`field` is the part of a header that holds several, else empty. An unknown one has no meaning."""

    header: str
    field: str
    value: str
    meaning: str

    @property
    def diagnostic(self) -> bool:
        """Whether only Microsoft can read it."""
        return self.meaning == DIAGNOSTICS.meaning(self.value)

    def to_json(self) -> dict[str, str]:
        return {"header": self.header, "field": self.field, "value": self.value, "meaning": self.meaning}


def stamps(header: Iterable[Field]) -> tuple[Stamp, ...]:
    """In the order of the header."""
    found: list[Stamp] = []
    for field in header:
        found += _decoded(field)
        if len(found) >= STAMP_LIMIT:
            break
    return tuple(found[:STAMP_LIMIT])


def value_of(found: Sequence[Stamp], header: str, field: str = "") -> str:
    """The newest value of a header, or of a field of it; empty where there is none."""
    wanted = header.lower(), field.lower()
    return next((stamp.value for stamp in found if (stamp.header.lower(), stamp.field.lower()) == wanted), "")


def compauth_reason(code: str) -> str:
    """What the reason code of CompAuth means; empty for an unknown one."""
    return COMPAUTH_REASONS.get(code) or (COMPAUTH_REASONS.get(code[:1], "") if len(code) == len("000") else "")


def _decoded(field: Field) -> list[Stamp]:
    name = field.name.lower()
    if name in REPORTS:
        known = REPORTS[name]
        return [
            Stamp(field.name, part, value, known[part].meaning(value) if part in known else "")
            for part, value in _parts(field.value)
        ]
    if name in HEADERS:
        return [Stamp(field.name, "", field.value, HEADERS[name].meaning(field.value))]
    if name == _ELSEWHERE:
        return []
    if name.startswith(OPAQUE):
        return [Stamp(field.name, "", field.value, DIAGNOSTICS.meaning(field.value))]
    return [Stamp(field.name, "", field.value, "")] if name.startswith(PREFIXES) else []


def _parts(value: str) -> Iterator[tuple[str, str]]:
    """`CIP:2001:db8::1;CTRY:US;…`: the name ends with the first colon."""
    for part in value.split(";", STAMP_LIMIT)[:STAMP_LIMIT]:
        name, colon, content = part.strip().partition(":")
        if name:
            yield name if colon else "", content.strip() if colon else name
