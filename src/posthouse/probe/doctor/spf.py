"""SPF (RFC 7208) for one address of ours: is it in the record, and can receivers evaluate the record at all?

Unlike a receiver's, this walk doesn't stop at the first match: an administrator wants to know of every look-up.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from posthouse.net.dns import NoSuchDomain, NullMx, Resolver

MOST_LOOKUPS: Final = 10
"""RFC 7208 4.6.4: more make the result a permerror."""
MOST_VOID_LOOKUPS: Final = 2

_COUNTED_UP_TO: Final = 30
_MX_HOSTS: Final = 10
_TERM: Final = re.compile(r"([-+~?]?)([A-Za-z][A-Za-z0-9_.-]*)([:/=]?)(.*)")
_LENGTHS: Final = re.compile(r"(?:/([0-9]{1,3}))?(?://([0-9]{1,3}))?")
_RESULTS: Final[dict[str, Result]] = {"": "pass", "+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_MECHANISMS: Final = ("all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Result = Literal["pass", "fail", "softfail", "neutral"]


class SpfMissing(Exception):
    """The domain has no SPF record."""


class SpfBroken(Exception):
    """A permerror: receivers can't evaluate it. One line: why."""


@dataclass(frozen=True, slots=True)
class SpfReport:
    """`result` is that for the address. `unevaluated` are terms that depend on the mail (macros, ptr)."""

    record: str
    result: Result
    lookups: int
    void_lookups: int
    unevaluated: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Term:
    """A mechanism with its result, or a modifier, whose `result` is None."""

    text: str
    name: str
    value: str
    result: Result | None


async def evaluate_spf(resolver: Resolver, domain: str, address: Address | None) -> SpfReport:
    """What `domain` says of mail from `address`. None matches nothing: the record itself is looked at.

    Raises `SpfMissing`, `SpfBroken`, or `DnsTemporary`.
    """
    return await _Evaluation(resolver, address).report(domain)


class _Evaluation:
    def __init__(self, resolver: Resolver, address: Address | None) -> None:
        self._resolver = resolver
        self._address = address
        self._lookups = 0
        self._void_lookups = 0
        self._unevaluated: list[str] = []

    async def report(self, domain: str) -> SpfReport:
        record = await self._record(domain)
        result = await self._evaluate(domain, record)
        return SpfReport(record, result, self._lookups, self._void_lookups, tuple(self._unevaluated))

    async def _record(self, domain: str) -> str:
        try:
            texts = await self._resolver.texts(domain)
        except NoSuchDomain:
            texts = []
        found = [text for text in texts if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")]
        if not found:
            raise SpfMissing(f"{domain} has no SPF record")
        if len(found) > 1:
            raise SpfBroken(f"{domain} has {len(found)} SPF records; one is allowed")
        return found[0]

    async def _evaluate(self, domain: str, record: str) -> Result:
        terms = [_parse(text, domain) for text in record.split()[1:]]
        verdict: Result | None = None
        for term in terms:
            if term.result is not None and await self._matches(term, domain) and verdict is None:
                verdict = term.result
        redirect = next((term.value for term in terms if term.name == "redirect"), "")
        if redirect and not any(term.name == "all" for term in terms):
            self._count()
            redirected = await self._evaluate(redirect, await self._needed(redirect))
            verdict = verdict or redirected
        return verdict or "neutral"

    async def _needed(self, domain: str) -> str:
        """The record of an include or redirect, which must be there (RFC 7208 5.2, 6.1)."""
        try:
            return await self._record(domain)
        except SpfMissing as missing:
            raise SpfBroken(f"it refers to {domain}, but {missing}") from None

    async def _matches(self, term: _Term, domain: str) -> bool:
        match term.name:
            case "all":
                return True
            case "ip4" | "ip6":
                return self._is_in(term)
        self._count()
        if "%" in term.value or term.name == "ptr":
            self._unevaluated.append(term.text)
            return False
        target, slash, rest = term.value.partition("/")
        target, lengths = target or domain, slash + rest
        match term.name:
            case "include":
                return await self._evaluate(target, await self._needed(target)) == "pass"
            case "exists":
                return bool(await self._addresses([target]))
            case "a":
                return self._is_near(await self._addresses([target]), lengths)
            case _:
                return self._is_near(await self._addresses(await self._exchangers(target)), lengths)

    def _count(self) -> None:
        self._lookups += 1
        if self._lookups > _COUNTED_UP_TO:
            raise SpfBroken(f"it needs more than {_COUNTED_UP_TO} DNS look-ups, {MOST_LOOKUPS} are allowed")

    async def _addresses(self, hosts: Iterable[str]) -> list[str]:
        found: list[str] = []
        for host in hosts:
            try:
                found += await self._resolver.addresses(host)
            except NoSuchDomain:
                self._void_lookups += 1
        return found

    async def _exchangers(self, domain: str) -> list[str]:
        try:
            found = [mx.host for mx in await self._resolver.mx_records(domain)][:_MX_HOSTS]
        except (NoSuchDomain, NullMx):
            found = []
        self._void_lookups += not found
        return found

    def _is_in(self, term: _Term) -> bool:
        try:
            network = ipaddress.ip_network(term.value, strict=False)
        except ValueError:
            raise SpfBroken(f"{term.text} names no network") from None
        return self._address is not None and self._address in network

    def _is_near(self, addresses: Iterable[str], lengths: str) -> bool:
        """Whether one of these is ours, as far as the prefix lengths go: `/4`, `//6` or `/4//6` (RFC 7208 5.6)."""
        match = _LENGTHS.fullmatch(lengths)
        if match is None or int(match[1] or 0) > 32 or int(match[2] or 0) > 128:
            raise SpfBroken(f"{lengths} is no prefix length")
        ours = self._address
        if ours is None:
            return False
        length = match[1 if ours.version == 4 else 2] or ours.max_prefixlen
        return any(
            ours in ipaddress.ip_network(f"{address}/{length}", strict=False)
            for address in addresses
            if ipaddress.ip_address(address).version == ours.version
        )


def _parse(text: str, domain: str) -> _Term:
    match = _TERM.fullmatch(text)
    name = match[2].lower() if match else ""
    if match and match[3] == "=" and not match[1]:
        return _Term(text, name, match[4], None)
    if not match or name not in _MECHANISMS:
        raise SpfBroken(f"the record of {domain} has {text}, which is no SPF")
    value = match[4] if match[3] == ":" else f"{match[3]}{match[4]}"
    return _Term(text, name, value, _RESULTS[match[1]])
