"""What each hop was for, and whether the message went the way that an SMTP relay to Microsoft 365 is to go.

device > on-premises relay > Exchange Online Protection > Exchange Online > recipient's server
"""

from __future__ import annotations

import enum
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from posthouse.analysis.antispam import Stamp, value_of
from posthouse.analysis.authentication import related
from posthouse.analysis.hops import Hop
from posthouse.analysis.received import LENGTH_LIMIT
from posthouse.mail import encoded_words

_EOP = re.compile(
    r"\.mail\.protection\.(?:outlook\.com|partner\.outlook\.cn|office365\.us|example)\Z"
    r"|\.mx\.microsoft\Z|\.mail\.eo\.outlook\.com\Z|\.eop-[\w-]+\.prod\.protection\.outlook\.com\Z"
)
"""The tenant's MX endpoint and the servers behind it; `example` is that of our own rehearsal (RFC 2606)."""

_EXCHANGE_ONLINE = re.compile(r"\.(?:outlook(?:\.office365)?\.com|exchangelabs\.com|outlook\.cn|office365\.us)\Z")
_OUTBOUND = re.compile(r"\.outbound\.protection\.(?:outlook\.com|outlook\.cn|office365\.us)\Z")
_POOL = re.compile(r"mail-\w{3,16}?(rl[hn]n|hn|on|lp)\d{4}\.", re.IGNORECASE)
_RELAY_POOL = ipaddress.ip_network("40.95.0.0/16")
_CONNECTOR = re.compile(r"\(connector ((?:[^()]|\([^()]*\))*)\)")
_TENANT = re.compile(r"TenantId=([\w-]{1,40})", re.IGNORECASE)
_CONNECTING_IP = re.compile(r"\bIp=\[([^\]]{1,45})\]", re.IGNORECASE)


class Role(enum.StrEnum):
    """Who received the message at a hop."""

    RELAY = "relay"
    PROTECTION = "Exchange Online Protection"
    EXCHANGE_ONLINE = "Exchange Online"
    RECIPIENT = "recipient's server"


_MICROSOFT = (Role.PROTECTION, Role.EXCHANGE_ONLINE)


class Entry(enum.StrEnum):
    """How a message came into Microsoft 365."""

    CONNECTOR = "connector"
    MAILBOX = "mailbox"
    INTERNET = "internet"


class Pool(enum.StrEnum):
    """Which addresses Microsoft 365 sent it from.

    https://learn.microsoft.com/defender-office-365/outbound-spam-high-risk-delivery-pool-about
    """

    NORMAL = "normal"
    HIGH_RISK = "high-risk"
    RELAY = "relay"


@dataclass(frozen=True, slots=True)
class Step:
    """Hops that follow each other in one role: what Exchange Online passes on inside itself is one step.

    `connector` is the inbound connector, where the server tells (Posthouse does).
    """

    role: Role
    host: str
    hops: tuple[int, ...]
    connector: str

    def to_json(self) -> dict[str, object]:
        return {"role": self.role, "host": self.host, "hops": list(self.hops), "connector": self.connector}


@dataclass(frozen=True, slots=True)
class Workflow:
    """`origin` is who handed it to the first hop. `entry`, `evidence` (the header that shows it), `tenant`,
    `connecting_ip` and `pool` are about Microsoft 365, and unknown where it played no part or left no trace.
    """

    origin: str
    steps: tuple[Step, ...]
    entry: Entry | None
    evidence: str
    tenant: str
    connecting_ip: str
    pool: Pool | None

    @property
    def over_relay(self) -> bool | None:
        """Whether it came to Microsoft 365 from a relay; None where that took no part."""
        roles = [step.role for step in self.steps]
        return Role.RELAY in roles[: roles.index(Role.PROTECTION)] if Role.PROTECTION in roles else None

    @property
    def as_expected(self) -> bool | None:
        """Whether it went over a relay and a connector through Microsoft 365; None where that can't be told."""
        left_another_tenant = self.entry is Entry.INTERNET and self.pool is not None
        if self.entry is None or left_another_tenant or self.over_relay is None:
            return None
        return self.entry is Entry.CONNECTOR and self.over_relay

    def role(self, hop: Hop) -> Role | None:
        return next((step.role for step in self.steps if hop.number in step.hops), None)

    def to_json(self) -> dict[str, object]:
        return {
            "origin": self.origin,
            "steps": [step.to_json() for step in self.steps],
            "entry": self.entry,
            "evidence": self.evidence,
            "tenant": self.tenant,
            "connecting_ip": self.connecting_ip,
            "pool": self.pool,
            "as_expected": self.as_expected,
        }


def workflow(way: Sequence[Hop], stamps: Sequence[Stamp]) -> Workflow:
    steps = _steps(way)
    entry, evidence = _entry(steps, stamps)
    attributed = value_of(stamps, "X-MS-Exchange-CrossTenant-OriginalAttributedTenantConnectingIp")
    tenant, connecting = _TENANT.search(attributed), _CONNECTING_IP.search(attributed)
    return Workflow(
        origin=str(way[0].received.source) if way else "",
        steps=steps,
        entry=entry,
        evidence=evidence,
        tenant=tenant[1] if tenant else value_of(stamps, "X-MS-Exchange-CrossTenant-Id"),
        connecting_ip=connecting[1] if connecting else "",
        pool=next((pool for hop in way if (pool := _pool(hop))), None),
    )


def _connector(hop: Hop) -> str:
    """The inbound connector that our own stamp names (mail/headers.py)."""
    match = _CONNECTOR.search(hop.received.raw[:LENGTH_LIMIT])
    return encoded_words.decode(match[1]) if match else ""


def _steps(way: Sequence[Hop]) -> tuple[Step, ...]:
    steps: list[Step] = []
    for hop, role in zip(way, _roles(way), strict=True):
        last = steps[-1] if steps else None
        if last and last.role is role and (role in _MICROSOFT or _same_place(last.host, hop.received.by)):
            steps[-1] = Step(role, last.host, (*last.hops, hop.number), last.connector or _connector(hop))
        else:
            steps.append(Step(role, hop.received.by, (hop.number,), _connector(hop)))
    return tuple(steps)


def _same_place(host: str, next_host: str) -> bool:
    """Servers inside an organization often have no name, or an address for one (Gmail)."""
    return "." not in next_host or ":" in next_host or related(host, next_host)


def _roles(way: Sequence[Hop]) -> list[Role]:
    """By the name of the host, else by its place: before Microsoft 365 it is a relay, after it the recipient's."""
    named = [_named_role(hop) for hop in way]
    handed_over = [place for place, hop in enumerate(way) if _outbound_name(hop)]
    behind_microsoft = [place + 1 for place, role in enumerate(named) if role][-1:]
    recipient = (handed_over or behind_microsoft or [_last_place(way)])[0]
    return [role or (Role.RECIPIENT if place >= recipient else Role.RELAY) for place, role in enumerate(named)]


def _last_place(way: Sequence[Hop]) -> int:
    """Where the recipient's servers begin: those in one place with the last, but never the very first hop."""
    place = len(way) - 1
    while place > 1 and _same_place(way[place - 1].received.by, way[place].received.by):
        place -= 1
    return place


def _named_role(hop: Hop) -> Role | None:
    host = hop.received.by.lower().rstrip(".")
    if _EOP.search(host):
        return Role.PROTECTION
    if _EXCHANGE_ONLINE.search(host):
        return Role.EXCHANGE_ONLINE
    return None


def _outbound_name(hop: Hop) -> str:
    """The sending host's name as it shows that Microsoft 365 sent it to the internet: `mail-…` rather than `…-obe`."""
    source = hop.received.source
    names = [name.rstrip(".") for name in (source.rdns, source.name, source.helo) if _OUTBOUND.search(name.rstrip("."))]
    return next((name for name in names if name.lower().startswith("mail-")), names[0] if names else "")


def _pool(hop: Hop) -> Pool | None:
    """By the address, which Microsoft documents for the relay pool, else by what is seen in its host names."""
    name = _outbound_name(hop)
    if not name:
        return None
    if _in_relay_pool(hop.received.source.ip):
        return Pool.RELAY
    match = _POOL.match(name)
    kind = match[1].lower() if match else ""
    return Pool.RELAY if kind.startswith("rl") else Pool.HIGH_RISK if kind == "hn" else Pool.NORMAL


def _in_relay_pool(ip: str) -> bool:
    try:
        return ipaddress.ip_address(ip) in _RELAY_POOL
    except ValueError:
        return False


_ENTITIES = {"hybridonprem": Entry.CONNECTOR, "hosted": Entry.MAILBOX, "internet": Entry.INTERNET}


def _entry(steps: Sequence[Step], stamps: Sequence[Stamp]) -> tuple[Entry | None, str]:
    """How it came into Microsoft 365, and the header that says so.

    AuthAs says little: mail over a connector is Anonymous too, unless it keeps internal Exchange headers. What tells
    is FromEntityHeader; in the organization itself also MessageDirectionality, which is Originating for mail of the
    organization's own servers and mailboxes. Our own tenant's side names the connector in its Received field.
    https://techcommunity.microsoft.com/blog/exchange/demystifying-and-troubleshooting-hybrid-mail-flow-when-is-a-message-internal/1420838
    """
    for header in ("X-MS-Exchange-CrossTenant-FromEntityHeader", "X-MS-Exchange-Organization-FromEntityHeader"):
        if entry := _ENTITIES.get(value_of(stamps, header).lower()):
            return entry, header
    header = "X-MS-Exchange-Organization-MessageDirectionality"
    protection = [step for step in steps if step.role is Role.PROTECTION]
    match value_of(stamps, header).lower():
        case "incoming":
            return Entry.INTERNET, header
        case "originating":
            return (Entry.CONNECTOR if protection else Entry.MAILBOX), header
        case _:
            return (Entry.CONNECTOR, "Received") if any(step.connector for step in protection) else (None, "")
