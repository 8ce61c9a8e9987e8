"""What goes into the spool and comes out of it, as values, and the ways in which it can say no.

SpoolError
├── StoreUnavailable     nothing was stored; it may work later
├── StoreUncertain       the commit's outcome is not known
├── StoreTooNew          a newer Posthouse made the store
├── StoreUnusable        the settings lead to no store at all
└── RevisionConflict     somebody else changed the organization first
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from posthouse.mail import Client, Message, Outcome, Reply, Status


class SpoolError(Exception):
    """The text is one line for the user: what is wrong and what to do."""


class StoreUnavailable(SpoolError):
    """Nothing was stored: full, locked, read-only or gone. The session answers 452, and the store goes on by itself."""


class StoreUncertain(SpoolError):
    """Whether it was stored can't be known. The session ends without a reply: never both refused and delivered."""


class StoreTooNew(SpoolError):
    """The store's schema is one that this version doesn't know."""


class StoreUnusable(SpoolError):
    """The store can't be opened with these settings."""


class RevisionConflict(SpoolError):
    """The organization is no longer at the revision that the change was made from."""


class State(enum.StrEnum):
    """Where a recipient stands. The first two are in the queue, the others are its end."""

    WAITING = "waiting"
    HELD = "held"
    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"

    @property
    def is_final(self) -> bool:
        return self not in (State.WAITING, State.HELD)


class Origin(enum.StrEnum):
    """How a message came into the spool."""

    SMTP = "smtp"
    DSN = "dsn"


class EventKind(enum.StrEnum):
    """What the trace tells beyond acceptance and the last outcome."""

    DEFERRED = "deferred"
    WAITS = "waits"
    DSN_SENT = "dsn sent"
    DSN_SUPPRESSED = "dsn suppressed"
    HELD = "held"
    RELEASED = "released"
    RETRIED = "retried"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Event:
    """`recipient` is an index into the envelope's recipients, None where the event is about all of them."""

    at: float
    kind: EventKind
    detail: str = ""
    recipient: int | None = None


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to accept. `reasons` tells the trace why it was taken (text or JSON, as the relay likes).

    `leased`: the accepting worker delivers it at once; otherwise it waits, due now, for whoever claims it.
    """

    message: Message
    subject: str = ""
    header_message_id: str = ""
    reasons: str = ""
    origin: Origin = Origin.SMTP
    leased: bool = True


WAITS_ITS_TURN = (450, "4.4.5")
"""What the queue shows of mail that a limit makes wait (RFC 3463 3.5: the mail system is congested)."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of leased recipients of one message; stored whole or not at all, and storing it twice is harmless.

    Every deferred outcome has its next try in `retry_at`. `postponed` gives recipients back that were not tried
    (a throttle, a drain): due then, no attempt counted; None keeps them leased. `waits` is what the queue then shows as
    their last reply; an event `WAITS` with the same detail is written once a message. `warned` are those whose delay
    DSN is among `dsns`.
    `connector` and `destination` are the outbound ones that the outcomes came from.
    """

    message_id: str
    outcomes: tuple[Outcome, ...] = ()
    retry_at: Mapping[int, float] = field(default_factory=dict[int, float])
    postponed: Mapping[int, float | None] = field(default_factory=dict[int, float | None])
    waits: Reply | None = None
    connector: str = ""
    destination: str = ""
    warned: tuple[int, ...] = ()
    dsns: tuple[NewMessage, ...] = ()
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        deferred = {outcome.recipient for outcome in self.outcomes if outcome.status is Status.DEFERRED}
        if deferred != self.retry_at.keys():
            raise ValueError(f"{self.message_id}: deferred are {deferred}, next tries are for {set(self.retry_at)}")


@dataclass(frozen=True, slots=True)
class Pending:
    """A recipient that a lease hands to the worker, after so many attempts."""

    index: int
    attempts: int
    delay_warned: bool


@dataclass(frozen=True, slots=True)
class Lease:
    """Recipients of one message that are this worker's to deliver, until it settles them."""

    message: Message
    recipients: tuple[Pending, ...]


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that holds leases, as its heartbeat row says."""

    id: int
    node: str
    pid: int
    started_at: float
    heartbeat_at: float
    revision: int


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """What happened to one recipient of one message. `reply` is the last attempt's, None before the first."""

    message_id: str
    recipient: int
    received_at: float
    origin: Origin
    reverse_path: str
    forward_path: str
    subject: str
    header_message_id: str
    size: int
    client: Client
    connector: str | None
    reasons: str
    state: State
    leased: bool
    attempts: int
    due: float
    reply: Reply | None
    remote: str
    at: float | None
    outbound_connector: str
    destination: str
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """All that is given must hold. Addresses and connector match without case, a leading or trailing `*` as wildcard.
    The sender `<>` is the null reverse-path.

    `message_id` is ours or the Message-ID header's, `subject` a part of the subject, `connector` inbound or outbound,
    `client` the address that it came from, or the beginning of it and `*`.
    `since` and `until` bound the time of acceptance.
    """

    sender: str = ""
    recipient: str = ""
    since: float | None = None
    until: float | None = None
    state: State | None = None
    message_id: str = ""
    subject: str = ""
    connector: str = ""
    client: str = ""


@dataclass(frozen=True, slots=True)
class TracePage:
    """Newest first. `cursor` continues the search, None when all was searched; a page may be short of its limit."""

    entries: tuple[TraceEntry, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """Which queued recipients are meant: all that is given must hold, and nothing given means all of them.

    Addresses match as in a `TraceFilter`; `connector` (outbound) and `destination` are as a `QueueGroup` has them,
    and so empty for what was never tried.
    """

    message_ids: tuple[str, ...] = ()
    sender: str = ""
    recipient: str = ""
    state: State | None = None
    connector: str | None = None
    destination: str | None = None


@dataclass(frozen=True, slots=True)
class QueueGroup:
    """Queued recipients of the same state, outbound connector and destination. `leased` are being delivered now.

    `received_at` is when the oldest of their messages came, `due` the next try of any; `reply` and `remote` are an
    answer to one of them, with the status that most have got.
    """

    state: State
    connector: str
    destination: str
    recipients: int
    leased: int
    received_at: float
    due: float
    reply: Reply | None
    remote: str


@dataclass(frozen=True, slots=True)
class QueueGroups:
    """The largest first; not `complete` where the queue is longer than what is looked at."""

    groups: tuple[QueueGroup, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class QueueChange:
    """What a queue act did: recipients changed, and those it left alone because a worker is delivering them."""

    changed: int
    in_delivery: int


@dataclass(frozen=True, slots=True)
class OrganizationDocument:
    """The organization as stored; `document` is None before the first `save`, at revision 0."""

    revision: int
    document: Mapping[str, object] | None
