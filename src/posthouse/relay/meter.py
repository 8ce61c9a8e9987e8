"""What one throttle, a connector's or a credential's, still allows: permits and connections in this worker's hands."""

from __future__ import annotations

import math
import random
from collections import deque

from posthouse import observe
from posthouse.mail import Reply
from posthouse.organization import Throttle
from posthouse.relay.brake import Brake, Pace
from posthouse.relay.limits import day, minute
from posthouse.spool import Allowance, Grant, Share, Wish

_ASK_AGAIN = 0.1
"""Seconds until a worker that got nothing asks again at the earliest; those of all workers are spread over as long."""
TEND = 0.5
"""Seconds between two looks at the connections that workers share."""
_OBSERVED = 10.0
"""Seconds that a rate is taken over."""
_NO_LIMIT = 1 << 20
"""Connections where there was a limit and is none: still counted, until they have been given back."""

log = observe.logger


class Purse:
    """Permits of one limit. `why` is what to tell who waits for them."""

    __slots__ = ("_grants", "_opens_at", "allowance", "why")

    def __init__(self, allowance: Allowance, why: str) -> None:
        self.allowance = allowance
        self.why = why
        self._grants: deque[list[float]] = deque()
        self._opens_at = 0.0

    def lacks(self, count: int, now: float) -> bool:
        while self._grants and (self._grants[0][0] <= now or not self._grants[0][1]):
            self._grants.popleft()
        return sum(permits for _, permits in self._grants) < count

    def take(self, count: int) -> None:
        for grant in self._grants:
            part = min(count, grant[1])
            grant[1] -= part
            count -= int(part)

    def put(self, grant: Grant, now: float) -> None:
        self._grants.append([grant.good_until, grant.permits])
        later = _ASK_AGAIN * (1 + random.random())  # noqa: S311 - jitter
        self._opens_at = 0.0 if grant.permits else max(grant.opens_at, now) + later

    @property
    def opens_at(self) -> float:
        """When it may be asked for more."""
        return self._opens_at


class Connections:
    """This worker's share of the connections at once. `granted` may be open, and should come down to `target`."""

    __slots__ = ("ask_at", "granted", "key", "most", "target", "why")

    def __init__(self, key: str) -> None:
        self.key = key
        self.most = 0
        self.why = ""
        self.granted = self.target = 0
        self.ask_at = 0.0

    @property
    def usable(self) -> int:
        return min(self.granted, self.target)

    def put(self, share: Share, now: float) -> None:
        self.granted, self.target = share.connections, share.target
        self.ask_at = now + TEND


class Meter:
    """A way with its limits, and how fast it goes. Without limits it lets all pass, until it is asked to slow down."""

    def __init__(self, label: str, key: str, name: str = "") -> None:
        self.label = label
        self.name = name
        self.in_use = 0
        self.rests_until = 0.0
        self.brake: Brake | None = None
        self.connections: Connections | None = None
        self._key = key
        self._rate: Purse | None = None
        self._day: Purse | None = None
        self._starts: deque[float] = deque(maxlen=1000)

    def limit(self, throttle: Throttle) -> None:
        """Set the limits. Permits in hand are forgotten, which is only stricter; connections in use are not."""
        key, label = self._key, self.label
        a_minute, a_day = throttle.messages_per_minute, throttle.recipients_per_day
        self._rate = Purse(minute(key, a_minute), _allows(label, a_minute, "message", "a minute")) if a_minute else None
        self._day = Purse(day(key, a_day), _allows(label, a_day, "recipient", "a day")) if a_day else None
        if throttle.connections or self.connections:
            self.connections = self.connections or Connections(f"{key}/connections")
            self.connections.most = throttle.connections or _NO_LIMIT
            self.connections.why = _allows(label, self.connections.most, "connection", "at once")

    @property
    def why(self) -> str:
        """What to tell of mail that waits for this one."""
        if self.brake is not None:
            return f"{self.label} asked to slow down: {self.brake.reply}"
        return next((limit.why for limit in (self._rate, self._day, self.connections) if limit is not None), "")

    def lacking(self, recipients: int, now: float) -> list[Purse]:
        needs = ((self._rate, 1), (self._day, recipients))
        return [purse for purse, count in needs if purse is not None and purse.lacks(count, now)]

    def has_connection(self) -> bool:
        return self.connections is None or self.in_use < self.connections.usable

    def is_ready(self, recipients: int, now: float) -> bool:
        return self.has_connection() and not self.lacking(recipients, now)

    def opens_at(self, recipients: int, now: float) -> float:
        """When it makes sense to ask for what is lacking."""
        waits = [purse.opens_at for purse in self.lacking(recipients, now)]
        if self.connections is not None and not self.has_connection():
            waits.append(self.connections.ask_at)
        return max(waits, default=0.0)

    def wish(self, purse: Purse, recipients: int, messages: int) -> Wish:
        """For what the next message needs, and rather more where more are waiting."""
        least = recipients if purse is self._day else 1
        return Wish(purse.allowance, least, max(least, messages))

    def start(self, recipients: int, now: float) -> None:
        self.in_use += 1
        self._starts.append(now)
        for purse, count in ((self._rate, 1), (self._day, recipients)):
            if purse is not None:
                purse.take(count)

    def end(self) -> None:
        self.in_use -= 1

    def started_since(self, since: float) -> int:
        return sum(start > since for start in self._starts)

    def pull(self, reply: Reply, now: float) -> Brake:
        """The next hop asks to slow down: half of what it has got until now."""
        used = Pace(max(1, self.in_use), max(1.0, self.started_since(now - _OBSERVED) / _OBSERVED))
        self.brake = Brake.pulled(reply, now, used, self.brake)
        return self.brake

    def starts_at(self, now: float) -> float:
        """When its brake lets the next message go; never while as many are on their way as it allows."""
        if self.brake is None:
            return 0.0
        if self.brake.is_over(now):
            log.info("full speed again", next_hop=self.label)
            self.brake = None
            return 0.0
        if self.in_use >= self.brake.pace_at(now).connections:
            return math.inf
        return self.brake.next_start(self._starts[-1] if self._starts else 0.0, now)


def _allows(label: str, most: int, what: str, when: str) -> str:
    return f"{label} allows {most} {what}{'s' * (most != 1)} {when}"
