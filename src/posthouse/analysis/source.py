"""Who handed the message over: the `from` clause of a `Received` value.

Postfix      from helo (rdns [192.0.2.1])
Exchange     from helo (192.0.2.1)
Gmail        from helo (rdns. [192.0.2.1])
Exim         from rdns ([192.0.2.1]:4321 helo=helo), from [192.0.2.1] (port=4321 helo=helo)
qmail        from rdns (HELO helo) (user@192.0.2.1)
CommuniGate  from [192.0.2.1] (account user HELO helo)
chasquid     from [192.0.2.1] (helo)
fetchmail    from helo [192.0.2.1]
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from posthouse.analysis.clauses import Clause, Clauses

_ADDRESS = re.compile(
    r"(?<![\w.:])(?:IPv6:)?((?:\d{1,3}\.){3}\d{1,3}|[0-9a-f]{0,4}(?::[0-9a-f.]{0,15}){2,8})(?![\w-]|\.\w)",
    re.IGNORECASE,
)
_HELO = re.compile(r"\b(?:helo|ehlo|lhlo)[= ]\[?([^\s\])]+)|claiming to be \"([^\"]+)\"", re.IGNORECASE)
_RDNS = re.compile(r"(?:IDENT:)?(?:[^\s@\[]*@)?([\w-][\w.-]*)\s*\[", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9_][\w-]*(?:\.[\w-]+)+\.?|localhost", re.IGNORECASE)
_NO_NAME = frozenset({"unknown", "unverified", "nxdomain", "dnserror", "softdnserr"})
_PICKED_UP = re.compile(r"from (\S+)|Postfix, from (userid \d+)|qmail \d+ invoked (?:by|from) (.+)")


@dataclass(frozen=True, slots=True)
class Source:
    """What stands first, what the reverse DNS of its address is, the address, and what it called itself."""

    name: str = ""
    rdns: str = ""
    ip: str = ""
    helo: str = ""

    def __str__(self) -> str:
        """`name (rdns [ip])`, as far as it is known."""
        rdns = self.rdns if self.rdns != self.name else ""
        literal = f"[{self.ip}]" if self.ip != self.name and self.ip else ""
        inside = " ".join(part for part in (rdns, literal) if part)
        return " ".join(part for part in (self.name, f"({inside})" if inside else "") if part)


def source(clauses: Clauses) -> Source:
    return _remote(clauses["from"]) if clauses["from"].words or clauses["from"].comments else _local(clauses)


def _local(clauses: Clauses) -> Source:
    """A message that came from a program on the same machine, which sendmail, Postfix and qmail tell in a comment."""
    for comment in (*clauses[""].comments, *clauses["by"].comments):
        match = _PICKED_UP.fullmatch(comment)
        if match:
            return Source(match[1] or match[2] or match[3])
    return Source()


def _remote(clause: Clause) -> Source:
    words, hints = clause.words, clause.comments
    within = address(clause.first)
    outside = _first_address(_HELO.sub("", hint) for hint in (*hints, *words[1:]))
    name = within or (clause.first if hints or outside else " ".join(words))
    told = next((match[1] or match[2] for hint in (*hints, " ".join(words)) if (match := _HELO.search(hint))), "")
    rdns = _rdns(hints)
    if within and rdns and not _RDNS.match(hints[0]):
        told, rdns = told or rdns, ""
    elif told and not rdns and not within and name.lower() not in _NO_NAME:
        rdns = name
    if not told and (not within or outside not in ("", within)):
        told = name
    return Source(name, rdns, outside or within, told)


def address(text: str) -> str:
    """The first IP address in the text."""
    for match in _ADDRESS.finditer(text):
        try:
            found = ipaddress.ip_address(match[1])
        except ValueError:
            continue
        mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
        return str(mapped or found)
    return ""


def _first_address(texts: Iterable[str]) -> str:
    return next((found for text in texts if (found := address(text))), "")


def _rdns(hints: list[str]) -> str:
    """Out of the first comment: what stands in front of the address, or a host name alone."""
    if not hints or _HELO.match(hints[0]):
        return ""
    match = _RDNS.match(hints[0])
    found = match[1] if match else hints[0] if _HOST.fullmatch(hints[0]) else ""
    return "" if address(found) or found.lower() in _NO_NAME else found.rstrip(".")
