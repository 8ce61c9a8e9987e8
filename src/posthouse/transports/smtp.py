"""Mail leaves by SMTP: to smart hosts, or to the recipients' MX hosts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace
from itertools import repeat
from typing import Final

from posthouse.mail import Delivery, DsnDuty, Outcome, Refused, Reply, Status, domain_of
from posthouse.net.certificates import Identity
from posthouse.net.dns import Resolver
from posthouse.net.verification import Verifier
from posthouse.organization import OutboundConnector
from posthouse.transports.base import status_of
from posthouse.transports.connection import DEFAULT_TIMEOUTS, Connection, SessionFailed, Timeouts
from posthouse.transports.dial import Dialler
from posthouse.transports.hosts import HostFinder
from posthouse.transports.pool import DEFAULT_LIMITS, Pool, PoolLimits
from posthouse.transports.sign_in import SIGNED_OUT, Account, SignInFailed

_TOO_MANY_RECIPIENTS: Final = "4.5.3"
_LAST_WORDS: Final = (*SIGNED_OUT, 432)
"""Exchange Online says 432 to a mailbox that has too many sessions:
https://learn.microsoft.com/exchange/troubleshoot/send-emails/smtp-submission-improvements"""


class SmtpTransport:
    """Delivers for one outbound connector over pooled, pipelined sessions, signed in to `account` where there is one.

    Hosts are tried in turn until one speaks with us; what that one says then is the answer.
    """

    def __init__(
        self,
        connector: OutboundConnector,
        *,
        resolver: Resolver,
        helo_name: str,
        verifier: Verifier,
        client_identity: Identity | None = None,
        account: Account | None = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        limits: PoolLimits = DEFAULT_LIMITS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._smart_hosts = ", ".join(connector.smart_hosts)
        self._finder = HostFinder(connector, resolver)
        self._dialler = Dialler(
            connector,
            helo_name=helo_name,
            client_identity=client_identity,
            verifier=verifier,
            timeouts=timeouts,
            account=account,
        )
        self._account = account
        self._pool = Pool(limits)
        self._clock = clock

    @property
    def credential(self) -> str | None:
        """The Name of the one that it signs in with."""
        return self._account.name if self._account else None

    def destination(self, forward_path: str) -> str:
        """The smart hosts, or the recipient's domain."""
        return self._smart_hosts or domain_of(forward_path)

    async def deliver(self, delivery: Delivery) -> Sequence[Outcome]:
        """Try once, over a warm session if there is one. Only cancelling raises."""
        try:
            return await self._deliver_warm(delivery) or await self._deliver_anew(delivery)
        except SessionFailed as failure:
            return self.failed(delivery, failure)

    async def attempt(self, delivery: Delivery) -> Sequence[Outcome]:
        """The same, but for `SessionFailed`, which is raised: nothing has been sent."""
        return await self._deliver_warm(delivery) or await self._deliver_anew(delivery)

    def failed(self, delivery: Delivery, failure: SessionFailed) -> Sequence[Outcome]:
        return self._outcomes(delivery.recipients, repeat(failure.reply), failure.remote)

    async def end_idle(self) -> None:
        await self._pool.end_idle()

    async def close(self) -> None:
        await self._pool.close()

    async def _deliver_warm(self, delivery: Delivery) -> Sequence[Outcome]:
        """Nothing where no session is warm, or the server was done with it: that says nothing of the destination."""
        connection = self._pool.take(delivery.destination)
        if connection is None:
            return ()
        try:
            outcomes = await self._deliver_over(connection, delivery)
        except SessionFailed:
            return ()
        return () if all(outcome.reply.code == 421 for outcome in outcomes) else outcomes

    async def _deliver_anew(self, delivery: Delivery) -> Sequence[Outcome]:
        """Over a new session with the first host that has one for us. The mail waits if any of them may come back."""
        failures: list[SessionFailed] = []
        try:
            async with aclosing(self._finder.hosts(delivery.destination)) as hosts:
                async for host in hosts:
                    try:
                        return await self._deliver_over(await self._dialler.dial(host), delivery)
                    except SignInFailed:  # the next host would refuse the same
                        raise
                    except SessionFailed as failure:
                        failures.append(failure)
        except SessionFailed as failure:
            failures.append(failure)
        if isinstance(failures[-1], SignInFailed):
            raise failures[-1]
        raise next((failure for failure in failures if failure.reply.is_transient), failures[-1])

    async def _deliver_over(self, connection: Connection, delivery: Delivery) -> Sequence[Outcome]:
        """Raises `SessionFailed` if the session ended before the server answered anything."""
        try:
            outcomes = await self._transact(connection, delivery)
        except BaseException:
            connection.abort()
            raise
        self._pool.give(delivery.destination, connection)
        return outcomes

    async def _transact(self, connection: Connection, delivery: Delivery) -> Sequence[Outcome]:
        """As many transactions as the server's limit of recipients makes of it (RFC 5321 4.5.3.1.10)."""
        outcomes = await self._send(connection, delivery, delivery.recipients)
        settled: list[Outcome] = []
        while connection.is_usable and (rest := _left_over(outcomes)):
            settled += [outcome for outcome in outcomes if outcome.recipient not in rest]
            outcomes = [outcome for outcome in outcomes if outcome.recipient in rest]
            try:
                outcomes = await self._send(connection, delivery, tuple(rest))
            except SessionFailed:
                break
        return [*settled, *outcomes]

    async def _send(self, connection: Connection, delivery: Delivery, recipients: tuple[int, ...]) -> Sequence[Outcome]:
        message = delivery.message
        envelope = message.envelope
        if recipients != tuple(range(len(envelope.recipients))):
            envelope = replace(envelope, recipients=tuple(envelope.recipients[index] for index in recipients))
        try:
            replies = await connection.send(envelope, message.content)
        except Refused as refusal:
            return self._outcomes(recipients, repeat(refusal.reply), connection.remote)
        if self._account is not None:
            replies = _ended_with(self._account, connection, replies)
        duty = DsnDuty.PASSED if connection.extensions.dsn else DsnDuty.RELAYED
        return self._outcomes(recipients, replies, connection.remote, duty)

    def _outcomes(
        self, recipients: Sequence[int], replies: Iterable[Reply], remote: str, duty: DsnDuty = DsnDuty.RELAYED
    ) -> Sequence[Outcome]:
        now = self._clock()
        return [
            Outcome(recipient, status_of(reply), reply, remote, now, duty)
            for recipient, reply in zip(recipients, replies, strict=False)
        ]


def _ended_with(account: Account, connection: Connection, replies: tuple[Reply, ...]) -> tuple[Reply, ...]:
    """A server that wants another sign-in gets it from the next session; one that has too many is rid of this one,
    which would count on while it is idle."""
    if not any(reply.code in _LAST_WORDS for reply in replies):
        return replies
    connection.abort()
    return tuple(account.deferred(reply, connection) for reply in replies)


def _left_over(outcomes: Sequence[Outcome]) -> dict[int, None]:
    """Recipients that were one too many, where others weren't: they may come with the next transaction."""
    if not any(outcome.status is Status.DELIVERED for outcome in outcomes):
        return {}
    return {outcome.recipient: None for outcome in outcomes if outcome.reply.enhanced == _TOO_MANY_RECIPIENTS}
