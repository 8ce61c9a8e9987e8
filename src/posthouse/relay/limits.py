"""The limits of outbound connectors and their credentials, and how they are counted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from posthouse.organization import Organization, OutboundConnector, Throttle
from posthouse.spool import Allowance

MINUTE = 60.0
DAY = 86400.0
_EVEN = 6
"""A minute's permits come in so many parts, one after the other: a newcomer that finds none waits for the next part
only, and a next hop that counts in shorter spans sees no burst."""

NO_LIMITS = Throttle()


def minute(key: str, most: int) -> Allowance:
    """A bucket a second. One more than needed gives what is on its way a second: it counts where it arrives."""
    return Allowance(f"{key}/minute", MINUTE / 60, ((63, most), (60 // _EVEN, math.ceil(most / _EVEN))))


def day(key: str, most: int) -> Allowance:
    """A bucket every quarter of an hour."""
    return Allowance(f"{key}/day", DAY / 96, ((98, most),))


def accepted(key: str, most: int) -> Allowance:
    """What comes in at just that pace is never refused: a minute and no more, as one bursts or not."""
    return Allowance(f"{key}/minute", MINUTE / 60, ((60, most),))


@dataclass(frozen=True, slots=True)
class Limits:
    """Of an outbound connector and its credentials: a mail passes the connector's, and those of one credential."""

    connector: str
    throttle: Throttle = NO_LIMITS
    credentials: tuple[tuple[str, Throttle], ...] = ()

    @property
    def rate(self) -> float | None:
        """Messages a second at the most."""
        shares = [throttle.messages_per_minute or math.inf for _, throttle in self.credentials]
        a_minute = min(self.throttle.messages_per_minute or math.inf, sum(shares) or math.inf)
        return None if math.isinf(a_minute) else a_minute / MINUTE

    @property
    def are_any(self) -> bool:
        return any(throttle != NO_LIMITS for throttle in (self.throttle, *(each for _, each in self.credentials)))


def limits_in(organization: Organization) -> Iterator[Limits]:
    """Of the connectors that have any, by themselves or by a credential."""
    throttles = {credential.name: credential.throttle for credential in organization.credentials}
    limits = (_limits_of(connector, throttles) for connector in organization.outbound if connector.enabled)
    return (each for each in limits if each.are_any)


def _limits_of(connector: OutboundConnector, throttles: dict[str, Throttle]) -> Limits:
    shares = tuple((name, throttles.get(name, NO_LIMITS)) for name in connector.credential)
    return Limits(connector.name, connector.throttle, shares)
