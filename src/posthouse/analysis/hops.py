"""The way of a message: its `Received` fields, oldest first, with the time from one to the next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from posthouse.analysis.received import Received


@dataclass(frozen=True, slots=True)
class Hop:
    """`delay` is in seconds since the last hop whose time is known, negative if clocks differ; None if unknown."""

    number: int
    received: Received
    delay: float | None

    def to_json(self) -> dict[str, object]:
        """The contract of DESIGN.md section 9."""
        received = self.received
        return {
            "number": self.number,
            "from": str(received.source),
            "by": received.by,
            "with": received.protocol,
            "id": received.id,
            "for": received.recipient,
            "via": received.via,
            "time": utc(received.time),
            "delay": self.delay,
        }


def hops(received: Iterable[Received]) -> tuple[Hop, ...]:
    """Numbered from 1. The fields are oldest first."""
    made: list[Hop] = []
    last: datetime | None = None
    for number, one in enumerate(received, start=1):
        delay = (one.time - last).total_seconds() if one.time and last else None
        made.append(Hop(number, one, delay))
        last = one.time or last
    return tuple(made)


def utc(time: datetime | None) -> str | None:
    return time.astimezone(UTC).isoformat() if time else None
