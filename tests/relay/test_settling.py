"""What follows from outcomes: retries, giving up, and DSNs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import cast

import pytest

from posthouse.mail import Delivery, DsnDuty, Message, Notify, Outcome, Reply, Status
from posthouse.relay.budget import Budget
from posthouse.relay.in_force import InForce
from posthouse.relay.settling import OpenLease, Settler
from posthouse.relay.worker import new_id
from posthouse.spool import EventKind, Lease, Pending, Spool
from support.recording import RecordingSpool

MakeMessage = Callable[..., Message]

OK = Reply(250, "2.0.0", "OK")
BUSY = Reply(451, "4.3.2", "Busy")
UNKNOWN = Reply(550, "5.1.1", "Unknown user")
DAY = 86400.0


class Settling:
    """A settler over a recording spool, at a time of the test's choosing."""

    def __init__(self, spool: RecordingSpool, in_force: InForce) -> None:
        self.spool = spool
        self.now = 1000.0
        self.budget = Budget()
        self.settler = Settler(
            spool=cast("Spool", spool),
            budget=self.budget,
            in_force=lambda: in_force,
            hostname="relay.test",
            new_id=new_id,
            clock=lambda: self.now,
        )

    def settle(
        self,
        message: Message,
        status: Status,
        reply: Reply,
        *,
        attempts: int = 0,
        warned: bool = False,
        duty: DsnDuty = DsnDuty.RELAYED,
    ) -> None:
        recipients = range(len(message.envelope.recipients))
        lease = Lease(message, tuple(Pending(index, attempts, warned) for index in recipients))
        self.budget.reserve(message.content, len(recipients))
        delivery = Delivery(message, tuple(recipients), "Office 365", "tenant.test")
        outcomes = [Outcome(index, status, reply, "mx.test [192.0.2.25]", self.now, duty) for index in recipients]
        asyncio.run(self.settler.settle(OpenLease(lease, 1), delivery, outcomes))


class Unreadable:
    """Content in a file that is gone."""

    size = 1000
    in_memory = False

    def chunks(self) -> Iterator[bytes]:
        raise FileNotFoundError


@pytest.fixture
def settling(spool: RecordingSpool, in_force: InForce) -> Settling:
    return Settling(spool, in_force)


def test_delivered_is_settled_without_a_word(settling: Settling, message: MakeMessage) -> None:
    settling.settle(message("user@example.net"), Status.DELIVERED, OK)
    assert settling.spool.last.outcomes[0].status is Status.DELIVERED
    assert not settling.spool.dsns
    assert settling.budget.room == Budget().room


def test_a_failure_is_told_though_its_content_cannot_be_read(settling: Settling, message: MakeMessage) -> None:
    lost = replace(message("user@example.net"), content=Unreadable())
    settling.settle(lost, Status.FAILED, UNKNOWN)
    [dsn] = settling.spool.dsns
    assert b"Status: 5.1.1" in b"".join(dsn.message.content.chunks())


def test_deferred_is_tried_again_after_a_minute_or_so(settling: Settling, message: MakeMessage) -> None:
    settling.settle(message("user@example.net"), Status.DEFERRED, BUSY)
    assert 1054 <= settling.spool.last.retry_at[0] <= 1066
    assert not settling.spool.dsns


def test_deferred_becomes_a_failure_when_its_time_is_over(settling: Settling, message: MakeMessage) -> None:
    settling.now = 1000.0 + 2 * DAY
    settling.settle(message("user@example.net"), Status.DEFERRED, BUSY, attempts=40)
    (outcome,) = settling.spool.last.outcomes
    assert outcome.status is Status.FAILED
    assert outcome.reply == Reply(550, "5.4.7", "Delivery time expired; the last answer was: 451 4.3.2 Busy")
    assert settling.spool.dsns


def test_a_failure_is_reported_to_the_sender_with_a_null_reverse_path(settling: Settling, message: MakeMessage) -> None:
    settling.settle(message("user@example.net"), Status.FAILED, UNKNOWN)
    (dsn,) = settling.spool.dsns
    assert dsn.message.envelope.reverse_path == ""
    assert dsn.message.envelope.recipients[0].forward_path == "scanner@contoso.com"
    assert b"550 5.1.1 Unknown user" in b"".join(dsn.message.content.chunks())
    assert not dsn.leased
    assert settling.spool.last.events[0].kind is EventKind.DSN_SENT


@pytest.mark.parametrize(
    ("sender", "notify"),
    [("", Notify.ABSENT), ("scanner@contoso.com", Notify.NEVER), ("scanner@contoso.com", Notify.DELAY)],
)
def test_no_failure_is_reported_where_none_is_wanted(
    settling: Settling, message: MakeMessage, sender: str, notify: Notify
) -> None:
    settling.settle(message("user@example.net", sender=sender, notify=notify), Status.FAILED, UNKNOWN)
    assert not settling.spool.dsns


def test_what_came_without_a_connector_causes_no_backscatter(settling: Settling, message: MakeMessage) -> None:
    stranger = message("user@contoso.com", sender="forged@example.net", connector=None)
    settling.settle(stranger, Status.FAILED, UNKNOWN)
    assert not settling.spool.dsns
    assert settling.spool.last.events[0].kind is EventKind.DSN_SUPPRESSED


def test_one_of_ours_is_told_even_without_a_connector(settling: Settling, message: MakeMessage) -> None:
    settling.settle(message("user@contoso.com", connector=None), Status.FAILED, UNKNOWN)
    assert len(settling.spool.dsns) == 1


def test_a_delay_is_reported_once_after_four_hours_if_asked_for(settling: Settling, message: MakeMessage) -> None:
    asked = message("user@example.net", notify=Notify.DELAY | Notify.FAILURE)
    settling.settle(asked, Status.DEFERRED, BUSY)
    assert not settling.spool.dsns, "too early"
    settling.now += 4 * 3600
    settling.settle(asked, Status.DEFERRED, BUSY, attempts=5)
    assert settling.spool.last.warned == (0,)
    assert len(settling.spool.dsns) == 1
    settling.settle(asked, Status.DEFERRED, BUSY, attempts=6, warned=True)
    assert len(settling.spool.dsns) == 1, "told already"


@pytest.mark.parametrize(
    ("duty", "action"), [(DsnDuty.FINAL, b"delivered"), (DsnDuty.RELAYED, b"relayed"), (DsnDuty.PASSED, None)]
)
def test_success_is_reported_by_whoever_has_the_duty(
    settling: Settling, message: MakeMessage, duty: DsnDuty, action: bytes | None
) -> None:
    settling.settle(message("user@example.net", notify=Notify.SUCCESS), Status.DELIVERED, OK, duty=duty)
    reports = [b"".join(dsn.message.content.chunks()) for dsn in settling.spool.dsns]
    assert [b"Action: " + action in report for report in reports] == [True] if action else not reports
