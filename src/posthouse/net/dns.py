"""DNS as SMTP needs it: mail exchangers, addresses and texts. Built on dnspython.

DnsError
├── NoSuchDomain    for good: the name or its addresses don't exist
├── NullMx          for good: the domain takes no mail (RFC 7505)
└── DnsTemporary    try again: a server failed, or none answered
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.resolver

from posthouse.mail.address import normalize_domain

_CACHED_ANSWERS = 10_000
_LIFETIME = 10.0
_random = random.SystemRandom()
_ADDRESS_TYPES = ("AAAA", "A")


class DnsError(Exception):
    """No answer that can be used. One line: what was asked, and what came."""


class NoSuchDomain(DnsError):
    """The name, or the record asked for, does not exist. The same question will get the same answer."""


class NullMx(DnsError):
    """The domain says that it takes no mail (RFC 7505): `556 5.1.10`."""


class DnsTemporary(DnsError):
    """No server gave an answer in time, or the one that did has failed."""


@dataclass(frozen=True, slots=True)
class MxHost:
    """A host that takes a domain's mail. The lowest preference comes first (RFC 5321 5.1)."""

    preference: int
    host: str


class Resolver:
    """Asks the system's name servers, or those given, and keeps their answers for as long as they say."""

    def __init__(self, nameservers: Sequence[str] = (), *, lifetime: float = _LIFETIME) -> None:
        """`nameservers` are `ip`, `ip:port` or `[ip]:port`; without any, the system's. `lifetime` bounds a question.

        Raises `DnsError` for a name server that isn't an address.
        """
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not nameservers)
        except dns.resolver.NoResolverConfiguration:  # a relay with a smart host's address needs none
            self._resolver = dns.asyncresolver.Resolver(configure=False)
        if nameservers:
            self._resolver.nameservers = [_nameserver(text) for text in nameservers]
        self._resolver.cache = dns.resolver.LRUCache(_CACHED_ANSWERS)
        self._resolver.timeout = lifetime / 5  # for one server, so that the others are asked too
        self._resolver.lifetime = lifetime

    async def mx_hosts(self, domain: str) -> list[MxHost]:
        """Where mail for `domain` goes, best first; equals in random order. Without MX, the domain itself.

        Raises `NullMx`, `NoSuchDomain` or `DnsTemporary`.
        """
        if literal := _literal(domain):
            return [MxHost(0, literal)]
        return await self.mx_records(domain) or [MxHost(0, normalize_domain(domain))]

    async def mx_records(self, domain: str) -> list[MxHost]:
        """The same without the domain itself: empty where it has no MX."""
        answer = await self._ask(domain, "MX")
        hosts = [MxHost(record.preference, _text(record.exchange)) for record in answer if len(record.exchange) > 1]
        if answer and not hosts:
            raise NullMx(f"{domain} takes no mail (null MX)")
        _random.shuffle(hosts)
        return sorted(hosts, key=lambda mx: mx.preference)

    async def texts(self, name: str) -> list[str]:
        """The TXT records of a name, the strings of each joined (RFC 7208 3.3); empty where it has none.

        Raises `NoSuchDomain` or `DnsTemporary`.
        """
        return [b"".join(record.strings).decode("utf-8", "replace") for record in await self._ask(name, "TXT")]

    async def addresses(self, host: str) -> list[str]:
        """The addresses of a host, IPv6 and IPv4 in turn (RFC 8305 4). An address is its own.

        Raises `NoSuchDomain` or `DnsTemporary`; the latter only if no family of addresses was found.
        """
        if literal := _literal(host):
            return [literal]
        families = await asyncio.gather(*(self._family(host, kind) for kind in _ADDRESS_TYPES))
        found = [
            address
            for turn in zip_longest(*(family for family in families if isinstance(family, list)))
            for address in turn
            if address
        ]
        if not found:
            raise next(
                (error for error in families if isinstance(error, DnsTemporary)), NoSuchDomain(f"{host} has no address")
            )
        return found

    async def _family(self, host: str, kind: str) -> list[str] | DnsError:
        """One family may fail while the other is there."""
        try:
            return [record.address for record in await self._ask(host, kind)]
        except DnsError as error:
            return error

    async def _ask(self, name: str, kind: str) -> dns.resolver.Answer:
        """An answer without records where the name exists and has none of this kind. CNAMEs have been followed."""
        try:
            question = dns.name.from_text(normalize_domain(name))
        except dns.exception.DNSException:
            raise NoSuchDomain(f"{name} is not a valid domain name") from None
        if not self._resolver.nameservers:
            raise DnsTemporary(f"cannot ask for {name}: this system has no name server; set one in /etc/resolv.conf")
        try:
            return await self._resolver.resolve(question, kind, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            raise NoSuchDomain(f"{name} does not exist in DNS (NXDOMAIN)") from None
        except dns.exception.Timeout:
            raise DnsTemporary(f"no name server answered in time when asked for {kind} of {name}") from None
        except dns.exception.DNSException:
            raise DnsTemporary(f"the name servers gave no usable answer when asked for {kind} of {name}") from None


def _nameserver(text: str) -> dns.nameserver.Do53Nameserver:
    """`ip`, `ip:port` or `[ip]:port`."""
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):
        host, port = text, "53"
    host = host.strip("[]")
    try:
        return dns.nameserver.Do53Nameserver(str(ipaddress.ip_address(host)), int(port))
    except ValueError:
        raise DnsError(
            f"name server {text}: it should be an IP address, or one with a port like 192.0.2.1:53"
        ) from None


def _literal(host: str) -> str:
    """The address in an address literal (RFC 5321 4.1.3), or a bare one; else empty."""
    text = host.strip("[]")
    if text[:5].lower() == "ipv6:":
        text = text[5:]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
