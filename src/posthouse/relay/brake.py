"""Slowing down where a next hop asks for it, and speeding up again: half at once, back bit by bit. Pure.

As congestion control has it: multiplicative decrease, additive increase (RFC 5681 3.1), here by the clock, since there
may be nothing to send meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

from posthouse.mail import Reply
from posthouse.relay.answers import is_quota

STEP = 5.0
"""Seconds until a little more is tried."""
STEPS = 20
"""From full stop to full speed."""
BREATHER = 1.0
"""Seconds without anything, after each request."""
QUOTA_PAUSE = 900.0
"""Seconds until a mailbox whose day's quota is used up is tried again: the window moves on by itself."""
_SLOWEST = 1 / 30
"""Messages a second."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Connections at once, and messages a second."""

    connections: float
    rate: float


@dataclass(frozen=True, slots=True)
class Brake:
    """What a next hop gets that asked by `reply` to slow down, `at` some time: from `since` on `pace`, nothing before.
    Step by step it comes back to `full`, and is over."""

    reply: Reply
    at: float
    since: float
    pace: Pace
    full: Pace

    @classmethod
    def pulled(cls, reply: Reply, now: float, used: Pace, before: Brake | None) -> Brake:
        """Half of what is used, or would be allowed by now if it was slowed down before."""
        used = Pace(max(1.0, used.connections), max(1.0, used.rate))
        allowed = before.pace_at(now) if before else used
        half = Pace(
            max(1.0, min(used.connections, allowed.connections) / 2),
            max(_SLOWEST, min(used.rate, allowed.rate) / 2),
        )
        since = now + (QUOTA_PAUSE if is_quota(reply) else BREATHER)
        return cls(reply, now, since, half, before.full if before else used)

    def is_over(self, now: float) -> bool:
        return self._steps(now) >= STEPS

    def pace_at(self, now: float) -> Pace:
        done = self._steps(now) / STEPS
        return Pace(self.pace.connections + self.full.connections * done, self.pace.rate + self.full.rate * done)

    def next_start(self, last: float, now: float) -> float:
        """When a message may go, after one that went at the time `last`."""
        return max(self.since, last + 1 / self.pace_at(now).rate)

    def _steps(self, now: float) -> int:
        return max(0, int((now - self.since) // STEP))
