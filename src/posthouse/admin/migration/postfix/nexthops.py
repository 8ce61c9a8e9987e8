"""`[host]:port`, `domain`, `transport:nexthop`: https://www.postfix.org/transport.5.html"""

from __future__ import annotations

from dataclasses import dataclass

_SERVICES = {"smtp": 25, "submission": 587, "smtps": 465, "submissions": 465}
"""Names of ports: https://www.iana.org/assignments/service-names-port-numbers"""


@dataclass(frozen=True, slots=True)
class Nexthop:
    """Hosts to go to, tried in order. `text` is as Postfix has it, by which other tables look it up.

    `brackets`: the host itself, and not the hosts that its MX records name.
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


def transport(text: str) -> tuple[str, str]:
    """The two parts of `transport:nexthop`; a text without a colon is a transport."""
    name, _, rest = text.partition(":")
    return name.strip(), rest.strip()


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
