"""The whole analysis as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from posthouse.analysis import authentication
from posthouse.analysis.dates import parse_date
from posthouse.analysis.findings import Finding, findings
from posthouse.analysis.headers import by_name, fields
from posthouse.analysis.hops import Hop, hops, utc
from posthouse.analysis.received import parse_received
from posthouse.mail import encoded_words

HOP_LIMIT = 200
"""Hops that are looked at, the newest. No mail system passes on a message that has so many."""


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
    """`hops` are oldest first, `findings` worst first. `authentication` is method to result."""

    summary: Summary
    hops: tuple[Hop, ...]
    authentication: Mapping[str, str]
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, object]:
        """The contract of DESIGN.md section 9."""
        return {
            "summary": self.summary.to_json(),
            "hops": [hop.to_json() for hop in self.hops],
            "authentication": dict(self.authentication),
            "findings": [asdict(finding) for finding in self.findings],
        }


def analyze(raw: bytes) -> HeaderReport:
    """Analyse a message or its header. Never raises."""
    header = by_name(fields(raw))
    way = hops(parse_received(value) for value in reversed(header.get("received", ())[:HOP_LIMIT]))
    verdicts = authentication.verdicts(header)
    return HeaderReport(_summary(header, way), way, verdicts, findings(way, verdicts))


def _summary(header: Mapping[str, Sequence[str]], way: tuple[Hop, ...]) -> Summary:
    def text(name: str) -> str:
        return encoded_words.decode(header.get(name, ("",))[0])

    times = [hop.received.time for hop in way if hop.received.time]
    return Summary(
        subject=text("subject"),
        message_id=text("message-id"),
        sender=text("from"),
        to=text("to"),
        cc=text("cc"),
        reply_to=text("reply-to"),
        date=parse_date(text("date")),
        transit=(times[-1] - times[0]).total_seconds() if len(times) > 1 else None,
    )
