"""What an expert would point out: what is seen, what it means, and what to do."""

from __future__ import annotations

from posthouse.analysis import sender_findings, transit_findings
from posthouse.analysis.finding import Facts, Finding, Severity

__all__ = ["Finding", "Severity", "findings"]

_RULES = (*sender_findings.RULES, *transit_findings.RULES)


def findings(facts: Facts) -> tuple[Finding, ...]:
    """Worst first."""
    order = list(Severity)
    found = (finding for rule in _RULES for finding in rule(facts))
    return tuple(sorted(found, key=lambda finding: order.index(finding.severity)))
