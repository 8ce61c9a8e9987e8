"""What follows from an attempt's outcomes: the next try, giving up, the DSNs, and the record of all in one step."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from posthouse import observe
from posthouse.mail import Client, Delivery, MemoryContent, Message, Outcome, Reply, Status, domain_of
from posthouse.mail.dsn import DsnKind, compose, due, returns_content
from posthouse.mail.headers import split, survey
from posthouse.relay.budget import Budget
from posthouse.relay.in_force import InForce
from posthouse.spool import Event, EventKind, Lease, NewMessage, Origin, Pending, Settlement, Spool, SpoolError
from posthouse.spool.records import WAITS_ITS_TURN

log = observe.logger

_ADVISED = 10  # different replies that a DSN explains


@dataclass(slots=True)
class OpenLease:
    """A lease in this worker's hands. `deliveries` are those of it that are still to be settled."""

    lease: Lease
    deliveries: int

    def pending(self, recipient: int) -> Pending:
        return next(pending for pending in self.lease.recipients if pending.index == recipient)


class Settler:
    """Turns outcomes into settlements. The budget is released with a lease's last delivery."""

    def __init__(
        self,
        *,
        spool: Spool,
        budget: Budget,
        in_force: Callable[[], InForce],
        hostname: str,
        new_id: Callable[[], str],
        clock: Callable[[], float],
    ) -> None:
        self._spool = spool
        self._budget = budget
        self._in_force = in_force
        self._hostname = hostname
        self._new_id = new_id
        self._clock = clock

    async def settle(self, held: OpenLease, delivery: Delivery, outcomes: Sequence[Outcome]) -> None:
        """Record what became of a delivery, with the DSNs that it calls for, in one settlement."""
        now = self._clock()
        message = delivery.message
        retry_at: dict[int, float] = {}
        settled = tuple(self._judged(held, outcome, now, retry_at) for outcome in outcomes)
        reports = self._reports(held, settled, now)
        settlement = Settlement(
            message.id, settled, retry_at, connector=delivery.connector, destination=delivery.destination
        )
        if not reports:
            self._spool.settle(settlement)
        else:
            await self._settle_with_reports(settlement, message, reports, now)
        self._log(delivery, settled, now)
        self._let_go(held)

    async def postpone(self, held: OpenLease, delivery: Delivery, due: float, why: str) -> None:
        """Give a delivery back to the store until then, untried: it waits for its turn. Its sender may have asked to be
        told of the delay, and a message that is too old by now is given up."""
        now = self._clock()
        message = delivery.message
        waits = _waits(why)
        outcomes = [Outcome(recipient, Status.DEFERRED, waits, "", now) for recipient in delivery.recipients]
        looks = [at for at in self._deadlines(held, outcomes) if at > now]
        if not looks:
            given_up = [replace(each, status=Status.FAILED, reply=_expired(waits)) for each in outcomes]
            await self.settle(held, delivery, given_up)
            return
        reports = self._reports(held, outcomes, now)
        settlement = self._postponement(delivery, min(due, *looks), why, now)
        if reports:
            await self._settle_with_reports(settlement, message, reports, now)
        else:
            self._spool.settle(settlement)
        self._let_go(held)

    def note(self, delivery: Delivery, why: str) -> None:
        """Have the trace and the queue say what a delivery waits for, while it stays leased."""
        self._spool.settle(self._postponement(delivery, None, why, self._clock()))

    def _deadlines(self, held: OpenLease, outcomes: Sequence[Outcome]) -> list[float]:
        """When the message is given up, and before that when its sender wants to hear of it."""
        message = held.lease.message
        schedule = self._in_force().schedule
        told = due(message.envelope, outcomes, DsnKind.DELAYED)
        warns = any(not held.pending(each.recipient).delay_warned for each in told)
        give_up_at = message.received_at + schedule.give_up_after
        return [give_up_at, message.received_at + schedule.warn_after] if warns else [give_up_at]

    def _postponement(self, delivery: Delivery, due: float | None, why: str, now: float) -> Settlement:
        return Settlement(
            delivery.message.id,
            postponed=dict.fromkeys(delivery.recipients, due),
            waits=_waits(why),
            events=(Event(now, EventKind.WAITS, why),),
            connector=delivery.connector,
            destination=delivery.destination,
        )

    def _let_go(self, held: OpenLease) -> None:
        held.deliveries -= 1
        if held.deliveries == 0:
            self._budget.release(held.lease.message.content, len(held.lease.recipients))

    def _judged(self, held: OpenLease, outcome: Outcome, now: float, retry_at: dict[int, float]) -> Outcome:
        """A deferred outcome gets its next try, or becomes a failure when there is to be none."""
        if outcome.status is not Status.DEFERRED:
            return outcome
        schedule = self._in_force().schedule
        received_at = held.lease.message.received_at
        attempts = held.pending(outcome.recipient).attempts + 1
        at = schedule.next_attempt(attempts=attempts, now=now, chance=random.random())  # noqa: S311 - jitter
        if schedule.is_hopeless(received_at=received_at, next_attempt=at):
            return replace(outcome, status=Status.FAILED, reply=_expired(outcome.reply))
        retry_at[outcome.recipient] = at
        return outcome

    def _reports(self, held: OpenLease, settled: Sequence[Outcome], now: float) -> dict[DsnKind, tuple[Outcome, ...]]:
        """The outcomes that the sender is to be told of."""
        message = held.lease.message
        if _is_expected(message, settled):
            return {}
        is_late = self._in_force().schedule.is_late(received_at=message.received_at, now=now)
        reports: dict[DsnKind, tuple[Outcome, ...]] = {}
        for kind in DsnKind:
            about = due(message.envelope, settled, kind)
            if kind is DsnKind.DELAYED:
                about = tuple(o for o in about if is_late and not held.pending(o.recipient).delay_warned)
            if about:
                reports[kind] = about
        return reports

    def _is_backscatter(self, message: Message) -> bool:
        """A DSN for what came without a connector goes to our own people only: a stranger's sender may be forged."""
        organization = self._in_force().organization
        return message.connector is None and domain_of(message.envelope.reverse_path) not in organization.domain_names

    async def _settle_with_reports(
        self, settlement: Settlement, message: Message, reports: dict[DsnKind, tuple[Outcome, ...]], now: float
    ) -> None:
        if self._is_backscatter(message):
            suppressed = Event(now, EventKind.DSN_SUPPRESSED, "the reverse-path is not ours and no connector matched")
            self._spool.settle(replace(settlement, events=(*settlement.events, suppressed)))
        else:
            await self._settle_with_dsns(settlement, message, reports, now)

    async def _settle_with_dsns(
        self, settlement: Settlement, message: Message, reports: dict[DsnKind, tuple[Outcome, ...]], now: float
    ) -> None:
        dsns = tuple([await self._dsn(message, kind, about, now) for kind, about in reports.items()])
        events = tuple(
            Event(now, EventKind.DSN_SENT, f"{kind}: {dsn.message.id}", outcome.recipient)
            for (kind, about), dsn in zip(reports.items(), dsns, strict=True)
            for outcome in about
        )
        warned = tuple(outcome.recipient for outcome in reports.get(DsnKind.DELAYED, ()))
        self._spool.settle(replace(settlement, dsns=dsns, events=(*settlement.events, *events), warned=warned))

    async def _dsn(self, message: Message, kind: DsnKind, about: Sequence[Outcome], now: float) -> NewMessage:
        """Outside the loop, since it may tell of a thousand recipients."""
        returned = await self._returned(message, kind)
        retry_until = message.received_at + self._in_force().schedule.give_up_after
        return await asyncio.to_thread(self._composed, message, kind, about, now, retry_until, returned)

    def _composed(
        self, message: Message, kind: DsnKind, about: Sequence[Outcome], now: float, retry_until: float, returned: bytes
    ) -> NewMessage:
        """Leased to nobody: whether it is stored depends on the settlement, so whoever claims it delivers it."""
        dsn_id = self._new_id()
        envelope, content = compose(
            message,
            about,
            kind=kind,
            dsn_id=dsn_id,
            hostname=self._hostname,
            at=now,
            retry_until=retry_until,
            returned=returned,
            advice=() if kind is DsnKind.DELIVERED else _advice(about),
        )
        facts = survey(content[: split(content)], self._hostname)
        dsn = Message(dsn_id, now, envelope, MemoryContent((content,)), None, Client(""))
        return NewMessage(dsn, facts.subject, facts.message_id, f"DSN for {message.id}", Origin.DSN, leased=False)

    async def _returned(self, message: Message, kind: DsnKind) -> bytes:
        """What the DSN quotes: the whole content, or what holds its header; nothing if it can't be read."""
        content = message.content
        whole = returns_content(message, kind)

        def read() -> bytes:
            return b"".join(content.chunks()) if whole else _head(message)

        try:
            return read() if content.in_memory else await asyncio.to_thread(read)
        except (OSError, SpoolError) as error:
            log.error("content can't be read", id=message.id, reason=str(error), hint="the DSN goes without it")
            return b""

    def _log(self, delivery: Delivery, settled: Sequence[Outcome], now: float) -> None:
        """The one line that a message is logged with, a line more for each further delivery or attempt."""
        message = delivery.message
        seconds = now - message.received_at
        for alike in _by_status(settled):
            first = alike[0]
            _count(first.status, len(alike), seconds)
            log.info(
                str(first.status),
                id=message.id,
                client=message.client.ip,
                connector=message.connector or "",
                sender=message.envelope.reverse_path,
                recipients=len(alike),
                size=message.size,
                exit=delivery.connector,
                remote=first.remote,
                seconds=round(seconds, 3),
                reply=str(first.reply),
            )


def _waits(why: str) -> Reply:
    """As the queue shows it, and a DSN that tells of the delay."""
    return Reply(*WAITS_ITS_TURN, f"waits: {why}")


def _expired(last: Reply) -> Reply:
    return Reply(550, "5.4.7", f"Delivery time expired; the last answer was: {last}")


def _by_status(settled: Sequence[Outcome]) -> Iterable[Sequence[Outcome]]:
    if len(settled) == 1:  # most are
        return (settled,)
    matching = ([outcome for outcome in settled if outcome.status is status] for status in Status)
    return filter(None, matching)


def _count(status: Status, recipients: int, seconds: float) -> None:
    counters = observe.counters
    if status is Status.DELIVERED:
        counters.delivered += recipients
        counters.delivery_seconds.add(seconds)
    elif status is Status.DEFERRED:
        counters.deferred += recipients
    else:
        counters.failed += recipients


def _advice(about: Sequence[Outcome]) -> list[str]:
    """What the replies mean, for the DSN's reader. What is known of replies is loaded with the first that fails."""
    from posthouse.analysis import explain_reply

    replies = dict.fromkeys(outcome.reply for outcome in about)
    return [explain_reply(reply).advice for reply in islice(replies, _ADVISED)]


def _is_expected(message: Message, settled: Sequence[Outcome]) -> bool:
    """All is delivered, and nobody has asked to be told: what most settlements are."""
    recipients = message.envelope.recipients
    return all(one.status is Status.DELIVERED and not recipients[one.recipient].notify for one in settled)


def _head(message: Message) -> bytes:
    """The first pieces of the content, up to the end of its header."""
    head = b""
    for chunk in message.content.chunks():
        head += chunk
        if split(head) < len(head):
            break
    return head
