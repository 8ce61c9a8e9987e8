"""Which hosts take the mail for a destination, in the order to try them (RFC 5321 5.1)."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from posthouse.mail import Reply
from posthouse.net.dns import DnsTemporary, NoSuchDomain, NullMx, Resolver
from posthouse.organization import OutboundConnector
from posthouse.transports.connection import SessionFailed

MAX_ADDRESSES: Final = 10
"""Addresses tried in one attempt: enough for any real destination, and an end to one that lists hundreds."""


@dataclass(frozen=True, slots=True)
class Host:
    """One address of a next hop. `name` is what MX or the connector calls it, and its certificate should."""

    name: str
    ip: str


class HostFinder:
    """Finds a destination's hosts for one outbound connector."""

    def __init__(self, connector: OutboundConnector, resolver: Resolver) -> None:
        self._connector = connector
        self._resolver = resolver
        self._version = ipaddress.ip_address(connector.source_address).version if connector.source_address else None

    async def hosts(self, destination: str) -> AsyncGenerator[Host, None]:
        """Each address in turn, looked up when its turn comes.

        Ends in `SessionFailed` when there was none to try, or one more that could not be looked up.
        """
        names = self._connector.smart_hosts or await self._mail_exchangers(destination)
        count = 0
        trouble: SessionFailed | None = None
        for name in names:
            try:
                addresses = await self._addresses(name)
            except SessionFailed as failure:
                trouble = failure
                continue
            for ip in addresses:
                if count == MAX_ADDRESSES:
                    return
                count += 1
                yield Host(ip if name.startswith("[") else name, ip)
        if trouble or not count:
            raise trouble or self._no_address(destination)

    async def _mail_exchangers(self, domain: str) -> list[str]:
        try:
            found = await self._resolver.mx_hosts(domain)
        except NullMx:
            raise SessionFailed(Reply(556, "5.1.10", f"{domain} accepts no mail (null MX, RFC 7505)")) from None
        except NoSuchDomain:
            raise SessionFailed(Reply(550, "5.1.2", f"The domain {domain} does not exist")) from None
        except DnsTemporary as error:
            raise SessionFailed(Reply(451, "4.4.3", f"MX look-up of {domain} failed: {error}")) from None
        return [mx.host for mx in found]

    async def _addresses(self, name: str) -> list[str]:
        """The addresses of a host that our source address can reach."""
        try:
            found = await self._resolver.addresses(name)
        except NoSuchDomain:
            found = []
        except DnsTemporary as error:
            raise SessionFailed(Reply(451, "4.4.3", f"Address look-up of {name} failed: {error}")) from None
        return [ip for ip in found if self._version is None or ipaddress.ip_address(ip).version == self._version]

    def _no_address(self, destination: str) -> SessionFailed:
        """A smart host without an address is an error in the connector, which costs no mail; an MX host is final."""
        if self._connector.smart_hosts:
            return SessionFailed(
                Reply(451, "4.4.4", f"None of the smart hosts {', '.join(self._connector.smart_hosts)} has an address")
            )
        return SessionFailed(Reply(550, "5.4.4", f"No mail exchanger of {destination} has an address"))
