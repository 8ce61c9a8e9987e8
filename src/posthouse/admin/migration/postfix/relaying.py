"""Who may relay: https://www.postfix.org/SMTPD_ACCESS_README.html"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import NamedTuple

from posthouse.admin.migration.findings import Findings
from posthouse.admin.migration.nexthops import by_octets
from posthouse.admin.migration.postfix.parameters import Parameters
from posthouse.admin.migration.postfix.tables import Tables
from posthouse.organization import network_text

_LISTS = ("smtpd_relay_restrictions", "smtpd_recipient_restrictions")
_GATES = ("reject_unauth_destination", "defer_unauth_destination", "reject", "defer")
_OPEN = "permit"
_TAKES_ANOTHER = re.compile(
    "check_.*_access|check_policy_service|reject_(?:rbl|rhsbl)_.*|permit_(?:dnswl|rhswl)_client|warn_if_reject|sleep"
)
_CONNECTOR = "Postfix mynetworks"
_REFUSALS = ("REJECT", "DEFER", "DEFER_IF_PERMIT", "DEFER_IF_REJECT", "DISCARD", "HOLD")
_REPLY_CODE = re.compile("[45][0-9]{2}")
_MOST_HOLES = 20
_MOST = 100_000

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_EVERYBODY = ("0.0.0.0/0", "::/0")
_MAPPED_BITS = 96
"""The prefix of IPv4-mapped addresses, RFC 4291 2.5.5.2."""


class _Listed(NamedTuple):
    """A network, and whether it may relay. False is for good; None leaves it to what follows."""

    network: str
    admits: bool | None
    where: str = ""


class Relaying:
    """The restrictions before the one that refuses strangers; with both lists, what both permit."""

    def __init__(self, parameters: Parameters, tables: Tables, findings: Findings) -> None:
        self._parameters = parameters
        self._tables = tables
        self._findings = findings
        self._refused: list[Network] = []

    def read(self) -> None:
        gated = self._gated()
        if not gated:
            reason = "they refuse nobody: an open relay, which Posthouse can't be"
            return self._findings.leave(" and ".join(_LISTS), "", reason)
        permits = [restriction for restriction in gated[0] if all(restriction in other for other in gated[1:])]
        for restriction in dict.fromkeys(one for restrictions in gated for one in restrictions):
            if restriction not in permits:
                self._in_one_list(restriction)
        for restriction in permits:
            self._restriction(restriction)
        if "mynetworks" in self._parameters.given and "permit_mynetworks" not in permits:
            self._findings.leave("mynetworks", self._parameters["mynetworks"], "no restriction lets them relay")
        return None

    def _gated(self) -> list[list[str]]:
        """Of each list that refuses strangers what stands before that."""
        lists = [list(_restrictions(self._parameters.words(name))) for name in _LISTS]
        lines = self._findings.lines
        for name, restrictions in zip(_LISTS, lists, strict=True):
            if name in lines:
                lines.update({restriction.partition(" ")[0]: lines[name] for restriction in restrictions})
        return [before for restrictions in lists if (before := _before_gate(restrictions)) is not None]

    def _in_one_list(self, restriction: str) -> None:
        """It permits nobody, since the other list doesn't, but whom it refuses is refused."""
        name, _, table = restriction.partition(" ")
        if name == "check_client_access":
            refused = [network for network, admits, _ in self._clients(table) if admits is False]
            self._refused += [found for text in refused if (found := self._network(name, text))]
        reason = "it stands in one of the two lists only: it permits nobody here; clients that it refuses are refused"
        self._findings.leave(name, table, reason)

    def _restriction(self, restriction: str) -> None:
        name, _, argument = restriction.partition(" ")
        if name == "permit_mynetworks":
            self._networks("mynetworks", list(self._mynetworks()))
        elif name == "permit_sasl_authenticated":
            if self._parameters["smtpd_sasl_auth_enable"] == "yes":
                reason = "logins and passwords are Cyrus's or Dovecot's; give them with --sender-credentials"
                self._findings.leave(name, "", reason)
        elif name == "check_client_access":
            self._client_access(argument)
        elif "clientcerts" in name:
            reason = "certificates are known by their name here: set tls_sender_certificate_name of a connector"
            self._findings.leave(name, argument, reason)
        else:
            self._findings.leave(name, argument, "restrictions besides those of clients and logins have no counterpart")

    def _mynetworks(self) -> Iterator[_Listed]:
        """An exception of which nothing is known could be anybody."""
        for word in self._tables.listed("mynetworks", self._parameters.words("mynetworks")):
            network = word.lstrip("!")
            for text in (network,) if network else _EVERYBODY:
                yield _Listed(text, None if word.startswith("!") else True)

    def _client_access(self, table: str) -> None:
        self._networks(f"check_client_access {table}", self._clients(table))

    def _clients(self, table: str) -> list[_Listed]:
        entries = self._tables.entries(f"check_client_access {table}", [table])
        clients = [_Listed(by_octets(entry.key), _admits(entry.value), entry.where) for entry in entries]
        if not table.startswith("cidr:"):  # there the first one counts, elsewhere the closest one
            clients.sort(key=lambda client: _length(client.network), reverse=True)
        return clients

    def _networks(self, setting: str, entries: list[_Listed]) -> None:
        networks = self._admitted(setting, entries)
        if not networks:
            return
        name = _CONNECTOR if setting == "mynetworks" else "Postfix client access"
        kind = {"connector_type": "OnPremises", "sender_ip_addresses": networks}
        if self._findings.take(setting, networks, "inbound_connector", name, **kind):
            reason = "Postfix lets them send from any domain; here the sender's domain has to be an accepted one"
            self._findings.leave(setting, "", reason)

    def _admitted(self, setting: str, entries: list[_Listed]) -> list[str]:
        """Each network less those before it that aren't admitted, and less what was refused by a list before."""
        admitted: list[Network] = []
        holes = list(self._refused)
        for text, admits, where in entries:
            if (network := self._network(setting, text, where)) is None:
                continue
            if admits:
                admitted += _without(network, holes)
            else:
                holes.append(network)
            if admits is False:
                self._refused.append(network)
            if len(admitted) > _MOST or (admitted and len(holes) > _MOST_HOLES):
                self._findings.leave(setting, "", "it has too many exceptions or networks; name the networks yourself")
                return []
        return [network_text(network) for network in admitted]

    def _network(self, setting: str, text: str, where: str = "") -> Network | None:
        try:
            return _unmapped(ipaddress.ip_network(text.replace("[", "").replace("]", ""), strict=False))
        except ValueError:
            reason = "it is no address or network; clients are known by these only"
            self._findings.leave(setting, text, reason, where=where)
            return None


def _unmapped(network: Network) -> Network:
    """A client with an IPv4 address is one here on whatever socket it came."""
    address = network.network_address
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped and network.prefixlen >= _MAPPED_BITS:
        return ipaddress.IPv4Network((address.ipv4_mapped, network.prefixlen - _MAPPED_BITS))
    return network


def _without(network: Network, holes: list[Network]) -> list[Network]:
    left = [network]
    for hole in holes[: _MOST_HOLES + 1]:
        left = [part for whole in left for part in _cut(whole, hole)]
    return left


def _cut(whole: Network, hole: Network) -> Iterator[Network]:
    """By halves, until one is the hole itself."""
    if whole.version != hole.version or not whole.overlaps(hole):
        yield whole
    elif whole.prefixlen < hole.prefixlen:
        yield from (part for half in whole.subnets() for part in _cut(half, hole))


def _length(network: str) -> int:
    """Of its prefix; an address is longer than any."""
    length = network.partition("/")[2]
    return int(length) if length.isdecimal() and len(length) < 4 else 999


def _admits(action: str) -> bool | None:
    """The action of an access table: https://www.postfix.org/access.5.html

    A number is OK, but for a reply code. What neither permits nor refuses leaves it to the next restriction.
    """
    word = action.partition(" ")[0].upper()
    if word in _REFUSALS or _REPLY_CODE.fullmatch(word):
        return False
    return True if word in ("OK", "PERMIT") or word.isdecimal() else None


def _restrictions(words: list[str]) -> Iterator[str]:
    """A restriction with what belongs to it as one text. What `warn_if_reject` stands before refuses nobody."""
    waiting = ""
    for word in words:
        if waiting:
            yield f"{waiting} {word}"
            waiting = ""
        elif _TAKES_ANOTHER.fullmatch(word):
            waiting = word
        else:
            yield word


def _before_gate(restrictions: list[str]) -> list[str] | None:
    """None where nothing refuses, or everybody is permitted before."""
    for number, restriction in enumerate(restrictions):
        if restriction == _OPEN:
            return None
        if restriction in _GATES:
            return restrictions[:number]
    return None
