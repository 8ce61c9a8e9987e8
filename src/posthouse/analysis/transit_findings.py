"""What is worth knowing about the way: loops, delays, clocks, encryption."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from posthouse.analysis.finding import Facts, Finding, Severity
from posthouse.analysis.hops import Hop

SLOW_SECONDS = 300.0
NOTABLE_SECONDS = 30.0
"""A hop that took most of the time is worth a word if it took so long."""

FORGED_SECONDS = 3600.0
"""A clock that is so far off is more than inexact."""

LOOP_COUNT = 3
MANY_HOPS = 25
"""Half of what mail systems take for a loop; the usual is below ten."""

_ENCRYPTED = re.compile(r"(?:SMTP|LMTP)SA?\Z|\bTLS\b|HTTPS|mapi", re.IGNORECASE)
_OLD_TLS = ("SSL", "TLS1.0", "TLS1.1")


def _loops(facts: Facts) -> Iterator[Finding]:
    visits: Counter[str] = Counter()
    before = ""
    for hop in facts.hops:
        host = hop.received.by.lower()
        if host and not _stayed(hop, host == before):
            visits[host] += 1
        before = host
    for host, count in visits.items():
        if count >= LOOP_COUNT:
            text = (
                f"The message passed {host} {count} times: it loops, or nearly did. "
                "Two servers or forwarding rules send it to each other: look who routes this recipient back."
            )
            yield Finding(Severity.ERROR, text, "Received")


def _stayed(hop: Hop, same_host: bool) -> bool:
    """Filters and list managers hand a message back to their host, Exchange's services to each other: one visit."""
    handed_back = hop.received.source.ip == "::1" or hop.received.source.ip.startswith("127.")
    return handed_back or (same_host and "microsoft" in hop.received.protocol.lower())


def _many_hops(facts: Facts) -> Iterator[Finding]:
    if len(facts.hops) > MANY_HOPS:
        text = f"{len(facts.hops)} hops are unusually many. Relays refuse mail as looping from 30 to 50 on."
        yield Finding(Severity.WARNING, text, "Received")


def _delays(facts: Facts) -> Iterator[Finding]:
    for hop in facts.hops:
        if hop.delay is None or hop.skewed:
            continue
        most = hop.share >= 0.5 and hop.delay >= NOTABLE_SECONDS
        if hop.delay > SLOW_SECONDS or most:
            sender = hop.received.source.name or "the server before"
            text = (
                f"Hop {hop.number} to {_by(hop)} took {_duration(hop.delay)}, {hop.share:.0%} of the whole: "
                f"it waited at {sender}. Look there for what was deferred, and why (greylisting, throttling, a queue)."
            )
            yield Finding(Severity.WARNING if hop.delay > SLOW_SECONDS else Severity.INFO, text, "Received")


def _clocks(facts: Facts) -> Iterator[Finding]:
    for hop in facts.hops:
        if not hop.wrong_clock:
            continue
        seconds = _off(hop, facts.hops)
        if abs(seconds) >= FORGED_SECONDS:
            text = (
                f"By hop {hop.number} ({_by(hop)}) it was {_duration(abs(seconds))} "
                f"{'earlier' if seconds < 0 else 'later'} than by the others: its clock is wrong, or the field is "
                "forged. Trust it, and what stands below it, only if you know that server."
            )
        else:
            text = (
                f"The clock of hop {hop.number} ({_by(hop)}) is {_duration(abs(seconds))} "
                f"{'slow' if seconds < 0 else 'fast'}: delays around it tell nothing. Set it by NTP."
            )
        yield Finding(Severity.WARNING, text, "Received")


def _off(wrong: Hop, hops: Sequence[Hop]) -> float:
    """Seconds from the time of the nearest hop whose clock is right, the one before if there is one."""
    right = [hop for hop in hops if hop.received.time and not hop.wrong_clock]
    nearest = next((hop for hop in reversed(right) if hop.number < wrong.number), right[0] if right else wrong)
    if wrong.received.time is None or nearest.received.time is None:
        return 0.0
    return (wrong.received.time - nearest.received.time).total_seconds()


def _date(facts: Facts) -> Iterator[Finding]:
    first = next((hop.received.time for hop in facts.hops if hop.received.time and not hop.wrong_clock), None)
    if facts.date is None or first is None:
        return
    seconds = (facts.date - first).total_seconds()
    if seconds > SLOW_SECONDS:
        text = f"The message was dated {_duration(seconds)} after it was sent: the sender's clock is wrong. Set it."
        yield Finding(Severity.WARNING, text, "Date")
    elif seconds < -FORGED_SECONDS:
        text = (
            f"The message was dated {_duration(-seconds)} before the first server took it: "
            "it waited at the sender, or the sender's clock or time zone is wrong."
        )
        yield Finding(Severity.INFO, text, "Date")


def _encryption(facts: Facts) -> Iterator[Finding]:
    for hop in facts.hops:
        received = hop.received
        way = f"Hop {hop.number} from {received.source.name or received.source.ip} to {_by(hop)}"
        if received.tls_version.startswith(_OLD_TLS):
            text = (
                f"{way} used {received.tls_version}, which is broken and which Microsoft 365 refuses. "
                "Update the sender, or let it use the relay inside your own network only."
            )
            severity = Severity.WARNING if _public(received.source.ip) else Severity.INFO
            yield Finding(severity, text, "Received")
        elif _public(received.source.ip) and not received.tls and _is_plain(received.protocol):
            text = (
                f"{way} went over the internet without TLS, as far as is told: anybody on the way can read it. "
                "Require TLS on the connector, or ask the receiver to offer STARTTLS."
            )
            yield Finding(Severity.WARNING, text, "Received")


def _is_plain(protocol: str) -> bool:
    return "smtp" in protocol.lower() and not _ENCRYPTED.search(protocol)


def _public(ip: str) -> bool:
    try:
        return ipaddress.ip_address(ip).is_global
    except ValueError:
        return False


def _without_time(facts: Facts) -> Iterator[Finding]:
    for hop in facts.hops:
        if hop.received.time is None:
            yield Finding(Severity.INFO, f"Hop {hop.number} by {_by(hop)} has no date that can be read", "Received")


def _by(hop: Hop) -> str:
    return hop.received.by or "an unnamed host"


def _duration(seconds: float) -> str:
    """`90 s`, `12 min`, `5 h`, `3 days`: as people say it."""
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"


RULES = (_loops, _delays, _clocks, _encryption, _many_hops, _date, _without_time)
