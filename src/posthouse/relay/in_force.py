"""What is in force in a worker: the organization with all that follows from it, swapped whole when it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from typing import TypeVar

from posthouse import observe
from posthouse.organization import DeliveryOverrides, LimitOverrides, Organization, OrganizationError, from_document
from posthouse.relay.retry import RetrySchedule
from posthouse.settings import DeliverySettings, Limits, Settings
from posthouse.spool import Organizations, Spool, SpoolError

POLL = 0.25
"""Seconds between two looks at the stored organization's revision."""
HEARTBEAT = 5.0

log = observe.logger


@dataclass(frozen=True, slots=True)
class InForce:
    """One immutable snapshot. Limits and schedule are the node's, but for what the organization sets."""

    revision: int
    organization: Organization
    limits: Limits
    schedule: RetrySchedule

    @classmethod
    def made(cls, revision: int, organization: Organization, settings: Settings) -> InForce:
        delivery = _overridden(settings.delivery, organization.delivery)
        schedule = RetrySchedule(delivery.retry_after, delivery.warn_after, delivery.give_up_after)
        return cls(revision, organization, _overridden(settings.limits, organization.limits), schedule)


class Watch:
    """Follows the stored organization. `prepare` makes what each new snapshot needs before it is in force."""

    def __init__(
        self,
        settings: Settings,
        spool: Spool,
        organizations: Organizations,
        prepare: Callable[[InForce], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._spool = spool
        self._organizations = organizations
        self._prepare = prepare
        self._clock = clock
        self._beat_at = 0.0
        self.current = InForce.made(0, Organization(), settings)

    async def refresh(self) -> None:
        """Take the stored organization into force. One that can't be read leaves the last in force."""
        stored = await asyncio.to_thread(self._organizations.load)
        try:
            organization = from_document(stored.document) if stored.document is not None else Organization()
        except OrganizationError as error:
            log.error("organization unusable", revision=stored.revision, reason=str(error), hint="the last one stays")
            organization = self.current.organization
        fresh = InForce.made(stored.revision, organization, self._settings)
        await self._prepare(fresh)
        self.current = fresh
        await self._beat()

    async def run(self) -> None:
        """Poll until cancelled; heartbeat in between."""
        while True:
            await asyncio.sleep(POLL)
            try:
                if abs(self._clock() - self._beat_at) > HEARTBEAT:  # it may have been set back
                    await self._beat()
                if await self._spool.revision() != self.current.revision:
                    await self.refresh()
                    log.info("organization changed", revision=self.current.revision)
            except SpoolError as error:
                log.error("store unavailable", reason=str(error))

    async def _beat(self) -> None:
        self._beat_at = self._clock()
        await self._spool.heartbeat(self._beat_at, self.current.revision)


_Section = TypeVar("_Section", DeliverySettings, Limits)


def _overridden(section: _Section, overrides: DeliveryOverrides | LimitOverrides) -> _Section:
    """The node's section with what the organization sets in its place."""
    values = {field.name: getattr(overrides, field.name) for field in fields(overrides)}
    return section.model_copy(update={name: value for name, value in values.items() if value is not None})
