"""A transport for tests of what stands on transports: it keeps the deliveries and answers as told."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from posthouse.mail import Delivery, DsnDuty, Outcome, Reply, domain_of
from posthouse.transports.base import status_of

ACCEPTED = Reply(250, "2.0.0", "Accepted by the fake transport")


class FakeTransport:
    """Answers its deliveries with `replies` in turn; the last one goes for all that follow.

    A reply counts for every recipient of its delivery. `replies_to` overrides it for single forward-paths.
    """

    REMOTE = "fake.example.net [192.0.2.1]"

    def __init__(
        self, *replies: Reply, clock: Callable[[], float] = lambda: 0.0, duty: DsnDuty = DsnDuty.RELAYED
    ) -> None:
        *first, last = replies or (ACCEPTED,)
        self._replies = itertools.chain(first, itertools.repeat(last))
        self._clock = clock
        self._duty = duty
        self.replies_to: dict[str, Reply] = {}
        self.deliveries: list[Delivery] = []
        self.closed = False

    def destination(self, forward_path: str) -> str:
        return domain_of(forward_path)

    async def deliver(self, delivery: Delivery) -> Sequence[Outcome]:
        self.deliveries.append(delivery)
        reply = next(self._replies)
        return [self._outcome(delivery, index, reply) for index in delivery.recipients]

    async def end_idle(self) -> None: ...

    async def close(self) -> None:
        self.closed = True

    def _outcome(self, delivery: Delivery, index: int, reply: Reply) -> Outcome:
        forward_path = delivery.message.envelope.recipients[index].forward_path
        reply = self.replies_to.get(forward_path, reply)
        return Outcome(index, status_of(reply), reply, self.REMOTE, self._clock(), self._duty)
