"""What one throttle, a connector's or a credential's, still allows: permits and connections in this worker's hands."""

from __future__ import annotations

import math
import random
from collections import deque

from posthouse import observe
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
    """Permits of one limit, which may be asked for more at `opens_at`. `why` is what to tell who waits for them."""

    __slots__ = ("_grants", "_is_short", "allowance", "opens_at", "why")

    def __init__(self, allowance: Allowance, why: str) -> None:
        self.allowance = allowance
        self.why = why
        self._grants: deque[list[float]] = deque()
        self._is_short = False
        self.opens_at = 0.0

    def holds(self, now: float) -> int:
        while self._grants and (self._grants[0][0] <= now or not self._grants[0][1]):
            self._grants.popleft()
        return int(sum(permits for _, permits in self._grants))

    def take(self, count: int) -> float:
        """Returns until when all that is taken would have been good."""
        good_until = math.inf
        for grant in self._grants:
            part = min(count, grant[1])
            if part:
                good_until = min(good_until, grant[0])
            grant[1] -= part
            count -= int(part)
        return good_until

    def put(self, grant: Grant, now: float) -> bool:
        """True where the limit has come to its last tenth."""
        self._grants.append([now + grant.good_for, grant.permits])
        later = _ASK_AGAIN * (1 + random.random())  # noqa: S311 - jitter
        self.opens_at = 0.0 if grant.permits else now + max(grant.opens_in, 0.0) + later
        was_short, self._is_short = self._is_short, grant.left * 10 <= self.allowance.most
        return self._is_short and not was_short

    def put_back(self, count: int, good_until: float) -> None:
        """They have brought mail to nobody."""
        self._grants.appendleft([good_until, count])


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
        return [purse for purse, count in needs if purse is not None and purse.holds(now) < count]

    def has_connection(self) -> bool:
        return self.connections is None or self.in_use < self.connections.usable

    def ready_for(self, recipients: int, now: float) -> int:
        """How many of a mail's recipients it may go to by now."""
        if not self.has_connection() or (self._rate is not None and not self._rate.holds(now)):
            return 0
        return recipients if self._day is None else min(recipients, self._day.holds(now))

    def opens_at(self, recipients: int, now: float) -> float:
        """When it makes sense to ask for what is lacking."""
        waits = [purse.opens_at for purse in self.lacking(recipients, now)]
        if self.connections is not None and not self.has_connection():
            waits.append(self.connections.ask_at)
        return max(waits, default=0.0)

    def wish(self, purse: Purse, recipients: int, messages: int) -> Wish:
        """For what the next message needs, and rather more where more are waiting."""
        needed = recipients if purse is self._day else 1
        return Wish(purse.allowance, needed, max(needed, messages))

    def put(self, purse: Purse, grant: Grant, now: float) -> None:
        if purse.put(grant, now) and purse is self._day:
            log.warning("a day's limit is nearly used up", limit=purse.why, left=grant.left)

    def start(self, recipients: int, now: float) -> float:
        """Returns until when the day's permits are good, should they come back."""
        self.in_use += 1
        self._starts.append(now)
        if self._rate is not None:
            self._rate.take(1)
        return 0.0 if self._day is None else self._day.take(recipients)

    def end(self, put_back: int, good_until: float) -> None:
        """Permits that brought mail to nobody are there again, the day's only: a minute passes soon enough."""
        self.in_use -= 1
        if put_back and self._day is not None:
            self._day.put_back(put_back, good_until)

    def started_since(self, since: float) -> int:
        return sum(start > since for start in self._starts)

    def pace_until(self, now: float) -> Pace:
        return Pace(self.in_use, self.started_since(now - _OBSERVED) / _OBSERVED)

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
