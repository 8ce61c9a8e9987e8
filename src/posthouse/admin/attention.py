"""What an administrator should see to: whatever keeps mail from going, or soon will."""

from __future__ import annotations

import enum
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from posthouse.admin.audit import Ledger
from posthouse.admin.health import Health
from posthouse.admin.roles import Acts, Permission
from posthouse.net.certificates import CertificateError, load_pfx
from posthouse.organization import Organization, OutboundConnector, from_document
from posthouse.relay.house import node_name
from posthouse.settings import Settings
from posthouse.spool import Organizations, Overview, Secrets, SpoolError, Standing, Store, Workers
from posthouse.spool.workers import SILENT_AFTER

_SOON_DAYS, _URGENT_DAYS = 30, 7
_LONG_WAIT = 1800.0
_QUARTER = 900.0
_ON_ITS_WAY = 60.0
_GROWS = 50  # recipients


class Kind(enum.StrEnum):
    """What the subject and the number of a concern are, stands behind each."""

    NO_WORKER = enum.auto()
    FEW_WORKERS = enum.auto()  # how many run
    BEHIND = enum.auto()  # how many workers have an older organization in force
    DISK_FULL = enum.auto()  # MiB that are free
    DISK_LOW = enum.auto()  # MiB that are free
    CERTIFICATE_EXPIRED = enum.auto()  # who shows it
    CERTIFICATE_EXPIRES = enum.auto()  # who shows it, days
    UNUSABLE = enum.auto()  # outbound connector whose certificate or password can't be read
    CARRIES_NOTHING = enum.auto()  # outbound connector
    MATCHES_NOBODY = enum.auto()  # inbound connector
    NO_DOMAIN = enum.auto()
    NO_INBOUND = enum.auto()
    NO_OUTBOUND = enum.auto()
    PASSWORDS_END = enum.auto()  # outbound connector, days; negative after the end
    QUEUE_WAITS = enum.auto()  # seconds that the oldest message waits
    QUEUE_GROWS = enum.auto()  # recipients of the last quarter of an hour that wait


class Gravity(enum.StrEnum):
    BAD = "bad"
    """Mail doesn't go."""
    WARN = "warn"
    """It will not, or some of it does not."""


@dataclass(frozen=True, slots=True)
class Concern:
    kind: Kind
    gravity: Gravity
    subject: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class Condition:
    """How the relay is. `workers` are those of this node that live, of so many that there should be."""

    workers: int
    workers_wanted: int
    revision: int
    behind: int
    free: int
    min_free: int
    queue: Standing
    concerns: tuple[Concern, ...] = ()


class Attention:
    """Of one store, looked at from a node with these settings."""

    def __init__(self, store: Store, ledger: Ledger, health: Health) -> None:
        self._store = store
        self._ledger = ledger
        self._health = health
        self._secrets = Secrets(store)

    def condition(self, settings: Settings) -> Condition:
        """For whoever may see the queue; concerns about the organization only for whoever may see that."""
        self._ledger.check(Acts.GET_QUEUE)
        now = time.time()
        stored = Organizations(self._store).load()
        organization = from_document(stored.document or {})
        alive = [each for each in Workers(self._store).list() if each.heartbeat_at > now - SILENT_AFTER]
        here = node_name(settings.data_dir)
        wanted = settings.limits.min_free if organization.limits.min_free is None else organization.limits.min_free
        condition = Condition(
            workers=sum(each.node == here for each in alive),
            workers_wanted=settings.worker_count,
            revision=stored.revision,
            behind=sum(each.revision < stored.revision for each in alive),
            free=shutil.disk_usage(_existing(settings.data_dir)).free,
            min_free=wanted,
            queue=Overview(self._store).queue(now - _QUARTER - _ON_ITS_WAY, now - _ON_ITS_WAY),
        )
        concerns = [*_of_node(condition), *_of_queue(condition.queue, now), *self._of_certificates(settings)]
        if self._ledger.actor.may(Permission.VIEW_ORGANIZATION):
            concerns += self._of_organization(organization)
        return replace(condition, concerns=tuple(sorted(concerns, key=_by_gravity)))

    def _of_certificates(self, settings: Settings) -> Iterator[Concern]:
        for where, identity in self._health.certificates(settings):
            left = identity.certificate.not_valid_after_utc - datetime.now(UTC)
            if left.total_seconds() < 0:
                yield Concern(Kind.CERTIFICATE_EXPIRED, Gravity.BAD, where)
            elif left.days < _SOON_DAYS:
                gravity = Gravity.BAD if left.days < _URGENT_DAYS else Gravity.WARN
                yield Concern(Kind.CERTIFICATE_EXPIRES, gravity, where, left.days)

    def _of_organization(self, organization: Organization) -> Iterator[Concern]:
        inbound = [connector for connector in organization.inbound if connector.enabled]
        outbound = [connector for connector in organization.outbound if connector.enabled]
        if not organization.accepted_domains:
            yield Concern(Kind.NO_DOMAIN, Gravity.BAD)
        if not inbound:
            yield Concern(Kind.NO_INBOUND, Gravity.WARN)
        if not outbound:
            yield Concern(Kind.NO_OUTBOUND, Gravity.BAD)
        for each in inbound:
            if not (each.sender_ip_addresses or each.tls_sender_certificate_name or each.sender_credentials):
                yield Concern(Kind.MATCHES_NOBODY, Gravity.WARN, each.name)
        for each in outbound:
            yield from self._of_outbound(organization, each)

    def _of_outbound(self, organization: Organization, connector: OutboundConnector) -> Iterator[Concern]:
        if not self._is_usable(organization, connector):
            yield Concern(Kind.UNUSABLE, Gravity.BAD, connector.name)
        if not connector.recipient_domains and not connector.all_accepted_domains:
            yield Concern(Kind.CARRIES_NOTHING, Gravity.WARN, connector.name)
        yield from _of_passwords(organization, connector)

    def _is_usable(self, organization: Organization, connector: OutboundConnector) -> bool:
        """Whether what it shows and signs in with can be read: the key of the secrets may be another one."""
        credentials = organization.credentials_of(connector)
        certificates = (connector.client_certificate, *(each.certificate for each in credentials))
        try:
            for reference in filter(None, certificates):
                load_pfx(self._secrets.get(reference.secret), None, source="")
            for credential in credentials:
                if credential.secret:
                    self._secrets.get(credential.secret)
        except (CertificateError, KeyError, SpoolError):
            return False
        return True


def _of_node(condition: Condition) -> Iterator[Concern]:
    if not condition.workers:
        yield Concern(Kind.NO_WORKER, Gravity.BAD)
    elif condition.workers < condition.workers_wanted:
        yield Concern(Kind.FEW_WORKERS, Gravity.WARN, number=condition.workers)
    if condition.behind:
        yield Concern(Kind.BEHIND, Gravity.WARN, number=condition.behind)
    if condition.free < condition.min_free:
        yield Concern(Kind.DISK_FULL, Gravity.BAD, number=condition.free >> 20)
    elif condition.free < 2 * condition.min_free:
        yield Concern(Kind.DISK_LOW, Gravity.WARN, number=condition.free >> 20)


def _of_queue(queue: Standing, now: float) -> Iterator[Concern]:
    if queue.oldest is not None and now - queue.oldest > _LONG_WAIT:
        yield Concern(Kind.QUEUE_WAITS, Gravity.WARN, number=int(now - queue.oldest))
    if queue.fresh >= _GROWS:
        yield Concern(Kind.QUEUE_GROWS, Gravity.WARN, number=queue.fresh)


def _of_passwords(organization: Organization, connector: OutboundConnector) -> Iterator[Concern]:
    from posthouse.probe.doctor import Area, basic_authentication
    from posthouse.probe.doctor.step import About

    if any(basic_authentication.steps(organization, connector, About(Area.CONNECTOR, connector.name))):
        days = (basic_authentication.ENDS - datetime.now(UTC).date()).days
        yield Concern(Kind.PASSWORDS_END, Gravity.BAD if days < 0 else Gravity.WARN, connector.name, days)


def _by_gravity(concern: Concern) -> int:
    return [*Gravity].index(concern.gravity)


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())
