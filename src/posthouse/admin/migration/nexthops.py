"""Hosts and networks as configurations write them: `[host]:port`, `host:smtp`, `192.168.0.*`."""

from __future__ import annotations

from dataclasses import dataclass

_SERVICES = {"smtp": 25, "submission": 587, "smtps": 465, "submissions": 465}
"""Names of ports: https://www.iana.org/assignments/service-names-port-numbers"""


@dataclass(frozen=True, slots=True)
class Nexthop:
    """Hosts to go to, tried in order. `text` is as it is written, by which Postfix looks it up in other tables.

    `brackets`: to Postfix, the host itself, and not the hosts that its MX records name.
    """

    text: str
    hosts: tuple[str, ...]
    port: int
    brackets: bool


def nexthop(text: str) -> Nexthop | None:
    """None where it can't be understood. Several hosts, with commas between, go to the port of the first."""
    hosts: list[str] = []
    ports: list[int | None] = []
    for part in text.replace(",", " ").split():
        host, port = _split_port(part)
        hosts.append(host)
        ports.append(port)
    if not hosts or not all(hosts) or ports[0] is None:
        return None
    return Nexthop(text, tuple(host.strip("[]") for host in hosts), ports[0], hosts[0].startswith("["))


def _split_port(text: str) -> tuple[str, int | None]:
    if text.startswith("["):
        host, bracket, rest = text.partition("]")
        host, port = (host + bracket).replace("[ipv6:", "[").replace("[IPv6:", "["), rest.removeprefix(":")
    else:
        host, _, port = text.partition(":")
    if not port:
        return host, 25
    if port.isdecimal() and port.isascii() and len(port) <= 5:
        return host, int(port)
    return host, _SERVICES.get(port)


def by_octets(text: str) -> str:
    """`192.168.0.*` or `192.168.0`, a network by its first octets, as CIDR; anything else as it is."""
    octets = text.removesuffix(".*").split(".")
    if len(octets) < 4 and all(octet.isdecimal() and octet.isascii() for octet in octets):
        return f"{'.'.join((octets + ['0'] * 3)[:4])}/{8 * len(octets)}"
    return text
