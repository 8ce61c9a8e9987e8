"""What a way out is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from posthouse.mail import Delivery, Outcome, Reply, Status


class Transport(Protocol):
    """How mail leaves over one outbound connector."""

    def destination(self, forward_path: str) -> str:
        """The place that mail for this address goes to. Recipients of one destination can share a delivery."""
        ...

    async def deliver(self, delivery: Delivery) -> Sequence[Outcome]:
        """Try once: one outcome for each of `delivery.recipients`. Trouble on the way is an outcome, never raised."""
        ...

    async def end_idle(self) -> None:
        """End the connections that are kept idle, since others want them; return when they have ended."""
        ...

    async def close(self) -> None:
        """Let go of what is kept between deliveries. Those under way go on to their end."""
        ...


def status_of(reply: Reply) -> Status:
    """The fate that a recipient's last reply means."""
    if reply.is_positive:
        return Status.DELIVERED
    return Status.DEFERRED if reply.is_transient else Status.FAILED
