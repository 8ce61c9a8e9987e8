"""Where the test sender goes: the addresses of a server, or of the mail exchangers of a domain."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from posthouse.mail import Reply
from posthouse.net.dns import DnsError, Resolver
from posthouse.probe.dialogue import Dialogue
from posthouse.probe.options import SendOptions

_MOST: Final = 10
"""Addresses: enough for any real destination, and an end to one that lists hundreds."""


class SendError(Exception):
    """The mail can't be sent. One line: why, and what to do; `reply` is the server's, where it was one that said so."""

    def __init__(self, text: str, reply: Reply | None = None) -> None:
        super().__init__(text)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Host:
    """One address of a server. `name` is what its certificate should say."""

    name: str
    ip: str

    def __str__(self) -> str:
        return self.name if self.name == self.ip else f"{self.name} [{self.ip}]"


async def find_hosts(options: SendOptions, dialogue: Dialogue) -> tuple[Host, ...]:
    """In the order to try them. Raises `SendError` if there are none that the source address can reach."""
    found = await (_exchangers(options, dialogue) if options.mx else _addresses(options))
    reachable = tuple(_reachable(found, options.source))[:_MOST]
    if not reachable:
        version = f"IPv{ipaddress.ip_address(options.source).version} " if options.source else ""
        raise SendError(f"{options.target}: there is no {version}address to connect to; check the name and DNS")
    return reachable


async def _exchangers(options: SendOptions, dialogue: Dialogue) -> list[Host]:
    resolver = Resolver(options.nameservers)
    try:
        exchangers = await resolver.mx_hosts(options.mx)
    except DnsError as error:
        raise SendError(f"{error}; check the domain and the name servers") from None
    dialogue.remark(f"MX of {options.mx}: " + ", ".join(f"{mx.preference} {mx.host}" for mx in exchangers))
    hosts: list[Host] = []
    for mx in exchangers:
        try:
            hosts += [Host(mx.host, ip) for ip in await resolver.addresses(mx.host)]
        except DnsError as error:
            dialogue.remark(str(error))
    return hosts


async def _addresses(options: SendOptions) -> list[Host]:
    """As this system resolves names, hosts file included."""
    try:
        async with asyncio.timeout(options.timeout):
            found = await asyncio.get_running_loop().getaddrinfo(options.server, options.port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise SendError(f"{options.server}: no name server answered within {options.timeout:g} s") from None
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no host name"
        raise SendError(f"{options.server} has no address ({reason}); check the name") from None
    return [Host(options.server, str(address[0])) for *_, address in found]


def _reachable(hosts: Iterable[Host], source: str) -> Iterable[Host]:
    if not source:
        return hosts
    version = ipaddress.ip_address(source).version
    return (host for host in hosts if ipaddress.ip_address(host.ip.partition("%")[0]).version == version)
