"""One `Received:` value, in whichever style it was written.

RFC 5321 4.4 knows clauses, comments and a date behind a semicolon. The styles differ in what they put into the
comments, so the clauses are found first and then looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from posthouse.analysis import clauses
from posthouse.analysis.clauses import Clauses
from posthouse.analysis.dates import find_date
from posthouse.analysis.encryption import encryption
from posthouse.analysis.source import Source, source

LENGTH_LIMIT = 2000
"""Characters of a value that are looked at; real ones have a few hundred."""

_TAIL = 100
"""Those of them that are the end of a longer one, with the date."""

_COMMON_NAME = re.compile(r"^Client CN \"([^\"]*)\"|\bDN=\"[^\"]*?\bCN=([^\",/]+)")
_USER = re.compile(
    r"(?:\bauthenticated(?: sender| user)?: ?|\bauthenticated (?:user|as) |\bsmtp-auth username "
    r"|^AUTH: (?:[A-Z0-9-]+ )?|^account )([^\s(),;:]+)|^([^\s@]+@[^\s@]+)@\[?[\d.]+\]?$",
    re.IGNORECASE,
)
_QUEUED = re.compile(r"qmail (\d+) invoked (?:by|from) .+")


@dataclass(frozen=True, slots=True)
class Received:
    """What was understood; empty where it isn't told. `protocol` is the `with` clause, `recipient` is `for`.

    `tls` is what was said about TLS, as it was said; `tls_version` is written `TLS1.3` whoever says it, `cipher` is the
    suite's name. `client_certificate` is the common name of the certificate that the client presented, `user` whom it
    authenticated as. `raw` is the whole value.
    """

    source: Source
    by: str
    protocol: str
    id: str
    recipient: str
    via: str
    tls: str
    time: datetime | None
    tls_version: str = ""
    cipher: str = ""
    client_certificate: str = ""
    user: str = ""
    raw: str = ""


def parse_received(value: str) -> Received:
    """Never raises."""
    trace, time, behind_date = _around_date(" ".join(_shortened(value).split()))
    found = clauses.parse(trace, behind_date)
    comments = clauses.comments(found)
    protocol, tls = encryption(comments, found["tls"].first, " ".join(found["with"].words))
    return Received(
        source=source(found),
        by=found["by"].first.strip("[]"),
        protocol=protocol or _program(found),
        id=found["id"].first or _first(_QUEUED, comments),
        recipient=found["for"].first.strip("<>"),
        via=" ".join(found["via"].words),
        tls=tls.said,
        time=time,
        tls_version=tls.version,
        cipher=tls.cipher,
        client_certificate=_first(_COMMON_NAME, comments),
        user=_first(_USER, comments),
        raw=value,
    )


def _shortened(value: str) -> str:
    return value if len(value) <= LENGTH_LIMIT else f"{value[: LENGTH_LIMIT - _TAIL]} {value[-_TAIL:]}"


def _around_date(value: str) -> tuple[str, datetime | None, str]:
    """What stands before the date, the date, and what stands behind it: Courier's id, PowerMTA's envelope-from.

    The semicolon may be missing, or another one may stand behind the date.
    """
    trace, semicolon, rest = value.rpartition(";")
    dated = find_date(rest) if semicolon else None
    if dated:
        return f"{trace} {dated.before}", dated.time, dated.after
    dated = find_date(value)
    return (dated.before, dated.time, dated.after) if dated else (value, None, "")


def _program(found: Clauses) -> str:
    """Of a value that is nothing but a comment what it says: `(Haraka outbound)`, `(qmail 123 invoked by uid 89)`."""
    stated = found[""].comments if not any(found[name].words for name in clauses.NAMES) else []
    return stated[0].partition(" invoked ")[0].rstrip("0123456789 ") if stated else ""


def _first(pattern: re.Pattern[str], comments: list[str]) -> str:
    matches = (pattern.search(comment) for comment in comments)
    return next((match[1] or match[match.lastindex or 1] for match in matches if match), "")
