"""What workers of all nodes share of a limit: permits in any span of time, and connections at once.

Permits are counted when they are granted, in buckets of time. A span's count is that of all buckets which it can touch,
so a limit may be kept a little too strictly, never too loosely. What a worker had in hand when it died stays counted.
The nodes' clocks have to agree within a second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from posthouse.spool.schema import allowance, connection_share, worker

TURN = 5.0
"""Seconds that a worker has connections of which there are fewer than workers."""
_KEEP = 2 * 86400.0
_LOCK = 0x7065726D  # any number that nobody else takes

Used = Mapping[int, int]
"""Permits by the number of the bucket they were granted in."""
Holder = tuple[int, str]
"""Of connections: a worker and one of its outbound connectors, since several may sign in with the same credential."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """At most `most` permits in so many `buckets` of `width` seconds, the present one included; for each of `spans`.

    A permit is good until the end of the bucket after the one it was granted in. `buckets` has to make up for that:
    with two more than a window has, what is used in any window is within the limit.
    """

    key: str
    width: float
    spans: tuple[tuple[int, int], ...]

    def bucket(self, now: float) -> int:
        return int(now // self.width)

    def good_until(self, now: float) -> float:
        return (self.bucket(now) + 2) * self.width

    @property
    def longest(self) -> int:
        return max(buckets for buckets, _ in self.spans)

    @property
    def most(self) -> int:
        return max(most for _, most in self.spans)

    def free(self, used: Used, bucket: int) -> int:
        """How many more may be granted in this bucket. Later ones, of a clock that is ahead, count too."""
        return max(0, min(most - _since(used, bucket - buckets) for buckets, most in self.spans))

    def opens_at(self, used: Used) -> float:
        """When one is free again, if nobody takes any before."""
        return max(self._opens(used, buckets, most) for buckets, most in self.spans) * self.width

    def _opens(self, used: Used, buckets: int, most: int) -> int:
        """The bucket in which enough of the older ones are out of the span."""
        excess = sum(used.values()) + 1 - most
        opens = 0
        for bucket in sorted(used):
            if excess <= 0:
                break
            excess -= used[bucket]
            opens = bucket + buckets
        return opens


@dataclass(frozen=True, slots=True)
class Wish:
    """Up to `wanted` permits; `modest`: not more than half of what is there, if that is as many as `needed`, so that
    other workers get some too."""

    allowance: Allowance
    needed: int
    wanted: int
    modest: bool = True

    def portion(self, free: int) -> int:
        return min(free, self.wanted, max(self.needed, (free + 1) // 2 if self.modest else free))


@dataclass(frozen=True, slots=True)
class Grant:
    """So many permits, good for so many seconds, and so many `left` for everybody. In `opens_in` seconds there may be
    more: how long things take doesn't change with the clock."""

    permits: int
    good_for: float
    opens_in: float
    left: int


@dataclass(frozen=True, slots=True)
class Share:
    """How many connections a worker may have open, and to how many it should come down, since others want some too."""

    connections: int
    target: int


def take(connection: sa.Connection, wish: Wish, now: float) -> Grant:
    """Grant what is wished for, as far as the limit allows."""
    _lock(connection)
    wanted = wish.allowance
    used = _used(connection, wanted, now)
    bucket = wanted.bucket(now)
    free = wanted.free(used, bucket)
    permits = wish.portion(free)
    if permits:
        used[bucket] = used.get(bucket, 0) + permits
        _count(connection, wanted, bucket, used[bucket])
    return Grant(permits, wanted.good_until(now) - now, wanted.opens_at(used) - now, free - permits)


def take_all(connection: sa.Connection, wishes: Sequence[Wish], now: float) -> list[Grant]:
    """The same for what is of use only together: what one limit refuses is not taken from those after it."""
    grants: list[Grant] = []
    for wish in wishes:
        grants.append(take(connection, wish, now))
        if not grants[-1].permits:
            break
    return grants


def share(connection: sa.Connection, key: str, me: Holder, *, most: int, held: int, wanted: int, now: float) -> Share:
    """Give `me` what nobody else has out of `most`. It may have `held` connections open, and wants so many in all.

    Those that want some get equal shares; where there are too few, they take turns. What one has too many of, it keeps
    until it says that they are closed. Who wants and holds none is forgotten.
    """
    _lock(connection)
    c = connection_share.c
    rows = connection.execute(sa.select(c.worker, c.connector, c.connections).where(c.key == key))
    others = {(row.worker, row.connector): row.connections for row in rows}
    others.pop(me, None)
    worker_id, connector = me
    mine = sa.and_(c.key == key, c.worker == worker_id, c.connector == connector)
    connection.execute(sa.delete(connection_share).where(mine))
    if not wanted and not held:
        return Share(0, 0)
    target = min(wanted, _fair_share(most, sorted([*others, me]), me, now))
    granted = max(held, min(target, most - sum(others.values())))
    row = connection_share.insert().values(key=key, worker=worker_id, connector=connector, connections=granted)
    connection.execute(row)
    return Share(granted, target)


def void_shares(connection: sa.Connection) -> None:
    """Connections of workers that are no more are nobody's."""
    known = sa.exists().where(worker.c.id == connection_share.c.worker)
    connection.execute(sa.delete(connection_share).where(~known))


def purge(connection: sa.Connection, now: float) -> None:
    """Forget what no span reaches back to."""
    connection.execute(sa.delete(allowance).where(allowance.c.started < (now - _KEEP) * 1000))


def _since(used: Used, after: int) -> int:
    return sum(permits for bucket, permits in used.items() if bucket > after)


def _fair_share(most: int, holders: list[Holder], me: Holder, now: float) -> int:
    each, rest = divmod(most, len(holders))
    turn = 0 if each else int(now // TURN)
    return each + ((holders.index(me) + turn) % len(holders) < rest)


def _lock(connection: sa.Connection) -> None:
    """One worker at a time until its transaction ends; one lock for all keys, so that nobody waits in a circle."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def _used(connection: sa.Connection, wanted: Allowance, now: float) -> dict[int, int]:
    """What has been granted within the reach of the spans. A clock that was set back leaves nothing in the future."""
    reach = wanted.longest * wanted.width
    c = allowance.c
    near = c.started.between((now - reach - wanted.width) * 1000, (now + reach) * 1000)
    rows = connection.execute(sa.select(c.started, c.used).where(c.key == wanted.key, near))
    return {round(row.started / 1000 / wanted.width): row.used for row in rows}


def _count(connection: sa.Connection, wanted: Allowance, bucket: int, used: int) -> None:
    c = allowance.c
    started = round(bucket * wanted.width * 1000)
    update = allowance.update().where(c.key == wanted.key, c.started == started).values(used=used)
    if not connection.execute(update).rowcount:
        connection.execute(allowance.insert().values(key=wanted.key, started=started, used=used))
