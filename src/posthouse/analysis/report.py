"""The whole analysis as data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from posthouse.analysis.antispam import Stamp, stamps
from posthouse.analysis.authentication import Authentication, authentication
from posthouse.analysis.dates import parse_date
from posthouse.analysis.finding import Facts, Finding
from posthouse.analysis.findings import findings
from posthouse.analysis.headers import by_name, fields
from posthouse.analysis.hops import Hop, hops, transit, utc
from posthouse.analysis.received import parse_received
from posthouse.analysis.workflow import Workflow, workflow
from posthouse.mail import encoded_words

HOP_LIMIT = 200
"""Hops that are looked at, the newest. No mail system passes on a message that has so many."""

_LIMIT = 2000  # characters in which addresses and dates are looked for
_DOMAIN = re.compile(r"@([\w.-]{1,253})(?=[\s>,;]|\Z)")


@dataclass(frozen=True, slots=True)
class Summary:
    """Texts are decoded, empty where the field is missing. `transit` is seconds from the first hop to the last."""

    subject: str
    message_id: str
    sender: str
    to: str
    cc: str
    reply_to: str
    date: datetime | None
    transit: float | None

    def to_json(self) -> dict[str, object]:
        return {
            "subject": self.subject,
            "message_id": self.message_id,
            "from": self.sender,
            "to": self.to,
            "cc": self.cc,
            "reply_to": self.reply_to,
            "date": utc(self.date),
            "transit": self.transit,
        }


@dataclass(frozen=True, slots=True)
class HeaderReport:
    """`hops` are oldest first, `findings` worst first.

    `authentication` is method to result, `evidence` tells whose results these are and all the others.
    """

    summary: Summary
    hops: tuple[Hop, ...]
    authentication: Mapping[str, str]
    findings: tuple[Finding, ...]
    evidence: Authentication
    antispam: tuple[Stamp, ...]
    workflow: Workflow

    def to_json(self) -> dict[str, object]:
        """The contract of DESIGN.md section 9, and more."""
        return {
            "summary": self.summary.to_json(),
            "hops": [hop.to_json() | {"role": self.workflow.role(hop)} for hop in self.hops],
            "authentication": dict(self.authentication),
            "evidence": self.evidence.to_json(),
            "antispam": [stamp.to_json() for stamp in self.antispam],
            "workflow": self.workflow.to_json(),
            "findings": [asdict(finding) for finding in self.findings],
        }


def analyze(raw: bytes) -> HeaderReport:
    """Analyse a message or its header. Never raises."""
    read = fields(raw)
    header = by_name(read)
    way = hops(parse_received(value) for value in reversed(header.get("received", ())[:HOP_LIMIT]))
    summary = _summary(header, way)
    evidence = authentication(read, _domain(summary.sender), way[0].received.by if way else "")
    antispam = stamps(read)
    flow = workflow(way, antispam)
    found = findings(
        Facts(
            header=header,
            date=summary.date,
            recipient_domains=_domains(summary.to, summary.cc, *(hop.received.recipient for hop in way)),
            hops=way,
            authentication=evidence,
            stamps=antispam,
            workflow=flow,
        )
    )
    return HeaderReport(summary, way, evidence.results(), found, evidence, antispam, flow)


def _summary(header: Mapping[str, Sequence[str]], way: Sequence[Hop]) -> Summary:
    def text(name: str) -> str:
        return encoded_words.decode(header.get(name, ("",))[0])

    return Summary(
        subject=text("subject"),
        message_id=text("message-id"),
        sender=text("from"),
        to=text("to"),
        cc=text("cc"),
        reply_to=text("reply-to"),
        date=parse_date(text("date")[:_LIMIT]),
        transit=transit(way),
    )


def _domain(sender: str) -> str:
    """The domain of the address in From: what stands in the last angle brackets, since a name may look like one."""
    return next(iter(_domains(sender[-_LIMIT:].rpartition("<")[2])), "")


def _domains(*texts: str) -> frozenset[str]:
    return frozenset(match[1].lower() for text in texts for match in _DOMAIN.finditer(text[:_LIMIT]))
