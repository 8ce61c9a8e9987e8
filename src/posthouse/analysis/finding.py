"""A finding, and what findings are made from."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from posthouse.analysis.antispam import Stamp
from posthouse.analysis.authentication import Authentication
from posthouse.analysis.hops import Hop
from posthouse.analysis.workflow import Workflow


class Severity(enum.StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """`header` is the name of the field that shows it."""

    severity: Severity
    text: str
    header: str


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was read. `header` is the values of each name, in lower case, from the top."""

    header: Mapping[str, Sequence[str]]
    date: datetime | None
    recipient_domains: frozenset[str]
    hops: Sequence[Hop]
    authentication: Authentication
    stamps: Sequence[Stamp]
    workflow: Workflow
