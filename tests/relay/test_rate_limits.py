"""How many messages a connector takes: permits in hand, asked for together, and known to be used up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from ipaddress import ip_network
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.organization import AcceptedDomain, InboundConnector, Organization
from posthouse.relay.rate_limits import RateLimits
from posthouse.settings import Limits, Listener
from posthouse.spool import Grant, Spool, StoreUnavailable, Wish
from support.desk import Desk


class Counting:
    """A store that counts as the real one does, and how often it was asked."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.set_back = 0.0
        self.used: dict[int, int] = {}
        self.asked = 0
        self.is_away = False

    async def permits(self, wishes: Sequence[Wish], now: float) -> list[Grant]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise StoreUnavailable("The store is away.")
        [wish] = wishes
        limit, bucket = wish.allowance, wish.allowance.bucket(now)
        self.used = {each: used for each, used in self.used.items() if each <= bucket + limit.longest}
        free = limit.free(self.used, bucket)
        permits = wish.portion(free)
        self.used[bucket] = self.used.get(bucket, 0) + permits
        return [Grant(permits, limit.good_until(now) - now, limit.opens_at(self.used) - now, free - permits)]


def taken(store: Counting, limits: RateLimits, most: int, count: int) -> int:
    """How many of so many messages that come at once may come in."""

    async def ask() -> int:
        connector = InboundConnector("Scanners", rate_limit=most)
        answers = [limits.take(connector) for _ in range(count)]
        later = await asyncio.gather(*(answer for answer in answers if isinstance(answer, asyncio.Future)))
        return sum(later) + sum(answer is True for answer in answers)

    return asyncio.run(ask())


def made() -> tuple[Counting, RateLimits]:
    store = Counting()
    return store, RateLimits(cast("Spool", store), lambda: store.now - store.set_back, lambda: store.now)


def test_those_that_come_together_ask_together_and_get_what_there_is() -> None:
    store, limits = made()
    assert taken(store, limits, 5, 8) == 5
    assert store.asked == 2  # once for the first, once for those that came meanwhile


def test_who_is_refused_costs_nothing_until_there_may_be_more() -> None:
    store, limits = made()
    taken(store, limits, 5, 6)
    asked = store.asked
    assert taken(store, limits, 5, 1000) == 0
    assert store.asked == asked
    store.now += 60
    assert taken(store, limits, 5, 1000) == 5


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 50))
def test_what_comes_at_just_that_pace_is_never_refused(most: int) -> None:
    store, limits = made()
    for _ in range(2 * most):
        assert taken(store, limits, most, 1) == 1
        store.now += 60.01 / most


def test_at_a_busy_time_permits_come_in_chunks() -> None:
    store, limits = made()
    for _ in range(1000):
        assert taken(store, limits, 60_000, 1) == 1
        store.now += 0.001
    assert store.asked < 20


def test_a_store_that_is_away_is_no_reason_to_refuse_for_the_rate() -> None:
    store, limits = made()
    store.is_away = True
    assert taken(store, limits, 1, 3) == 3


def test_a_new_limit_is_in_force_at_once() -> None:
    store, limits = made()
    assert taken(store, limits, 1, 2) == 1
    assert taken(store, limits, 10, 20) == 9


def test_a_clock_that_is_set_back_does_not_keep_a_connector_shut() -> None:
    store, limits = made()
    assert taken(store, limits, 5, 6) == 5
    store.set_back = 3600.0
    store.now += 60
    assert taken(store, limits, 5, 6) == 5


def test_commands_that_follow_mail_wait_for_the_answer_of_the_store_each_client_for_its_own() -> None:
    class Shop(Desk):
        """A worker whose store has two permits."""

        left = 2

        async def permits(self, wishes: Sequence[Wish], now: float) -> list[Grant]:
            permits, self.left = self.left, 0
            return [Grant(permits, 60.0, 60.0, 0)]

    async def test() -> None:
        connector = InboundConnector("Scanners", sender_ip_addresses=(ip_network("192.0.2.0/24"),), rate_limit=2)
        organization = Organization(accepted_domains=(AcceptedDomain("contoso.com"),), inbound=(connector,))
        desk = Shop(Limits(), Listener(address="127.0.0.1:0"), organization)
        clients = [desk.client().greeted() for _ in range(4)]
        for client in clients:
            assert client.say(b"MAIL FROM:<a@contoso.com>\r\nRCPT TO:<b@contoso.com>\r\nDATA\r\n") == []
        for _ in range(10):
            await asyncio.sleep(0)
        said = ["".join(client.heard()) for client in clients]
        assert [[reply[:3] for reply in replies.splitlines()] for replies in said] == [
            *[["250", "250", "354"]] * 2,
            *[["450", "503", "503"]] * 2,
        ]
        desk.loop.close()

    asyncio.run(test())
