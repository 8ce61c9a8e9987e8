"""What an expert would point out."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from posthouse.analysis.hops import Hop

SLOW_SECONDS = 300.0
SKEW_SECONDS = 5.0
"""Clocks that differ by less are as good as clocks get."""

LOOP_COUNT = 3

_FAILURES = frozenset({"fail", "softfail", "permerror", "temperror"})


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


def findings(hops: Sequence[Hop], authentication: Mapping[str, str]) -> tuple[Finding, ...]:
    """Worst first."""
    found = (*_loops(hops), *_delays(hops), *_failures(authentication), *_without_time(hops))
    order = list(Severity)
    return tuple(sorted(found, key=lambda finding: order.index(finding.severity)))


def _loops(hops: Sequence[Hop]) -> Iterator[Finding]:
    for host, count in Counter(hop.received.by.lower() for hop in hops if hop.received.by).items():
        if count >= LOOP_COUNT:
            yield Finding(Severity.ERROR, f"The message passed {host} {count} times: it may have looped", "Received")


def _delays(hops: Sequence[Hop]) -> Iterator[Finding]:
    for hop in hops:
        if hop.delay is None:
            continue
        if hop.delay > SLOW_SECONDS:
            text = f"Hop {hop.number} to {hop.received.by or 'an unnamed host'} took {hop.delay:.0f} s"
            yield Finding(Severity.WARNING, text, "Received")
        elif hop.delay < -SKEW_SECONDS:
            text = f"Hop {hop.number} seems to have arrived {-hop.delay:.0f} s before it left: a clock is wrong"
            yield Finding(Severity.WARNING, text, "Received")


def _failures(authentication: Mapping[str, str]) -> Iterator[Finding]:
    for method, result in authentication.items():
        if result in _FAILURES:
            yield Finding(Severity.WARNING, f"{method.upper()} gave {result}", "Authentication-Results")


def _without_time(hops: Sequence[Hop]) -> Iterator[Finding]:
    for hop in hops:
        if hop.received.time is None:
            yield Finding(Severity.INFO, f"Hop {hop.number} has no date that can be read", "Received")
