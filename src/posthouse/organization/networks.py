"""Which networks hold an address: one dict look-up per prefix length in use, however many networks there are."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Generic, TypeVar

from posthouse.organization.connectors import Network

T = TypeVar("T")


@lru_cache(maxsize=4096)
def parse_client(ip: str) -> tuple[int, int] | None:
    """The version and number of a client's address; None for what is no IP address (a UNIX socket's name).

    An IPv4-mapped IPv6 address (RFC 4291 2.5.5.2), as a dual-stack listener shows it, is the IPv4 address. A scope id
    is dropped: it names an interface of ours, not the client.
    """
    try:
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.version, int(address)


class NetworkTable(Generic[T]):
    """Entries by network. `find` gives those that hold an address with the prefix length, longest first."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: dict[int, dict[int, dict[int, list[T]]]] = {4: {}, 6: {}}

    def add(self, network: Network, entry: T) -> None:
        key = int(network.network_address) >> network.max_prefixlen - network.prefixlen
        by_key = self._entries[network.version].setdefault(network.prefixlen, {})
        by_key.setdefault(key, []).append(entry)

    def freeze(self) -> None:
        """Order the prefix lengths, once all entries are in."""
        for version, by_length in self._entries.items():
            self._entries[version] = dict(sorted(by_length.items(), reverse=True))

    def find(self, client: tuple[int, int]) -> list[tuple[int, T]]:
        version, number = client
        bits = 32 if version == 4 else 128
        return [
            (length, entry)
            for length, by_key in self._entries[version].items()
            for entry in by_key.get(number >> bits - length, ())
        ]
