"""Who may relay: https://www.postfix.org/SMTPD_ACCESS_README.html"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from posthouse.admin.migration.findings import Findings
from posthouse.admin.migration.nexthops import by_octets
from posthouse.admin.migration.postfix.parameters import Parameters
from posthouse.admin.migration.postfix.tables import Tables
from posthouse.organization import network_text

_LISTS = ("smtpd_relay_restrictions", "smtpd_recipient_restrictions")
_GATES = ("reject_unauth_destination", "defer_unauth_destination", "reject", "defer")
_OPEN = "permit"
_CONNECTOR = "Postfix mynetworks"
_MOST_WITH_HOLES = 100

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Relaying:
    """The restrictions before the one that refuses strangers; with both lists, what both permit."""

    def __init__(self, parameters: Parameters, tables: Tables, findings: Findings) -> None:
        self._parameters = parameters
        self._tables = tables
        self._findings = findings

    def read(self) -> None:
        permits = self._permits()
        if permits is None:
            reason = "they refuse nobody: an open relay, which Posthouse can't be"
            return self._findings.leave(" and ".join(_LISTS), "", reason)
        words = self._parameters.words("mynetworks")
        if "permit_mynetworks" in permits:
            listed = self._tables.listed("mynetworks", words)
            self._networks("mynetworks", [(word.removeprefix("!"), not word.startswith("!")) for word in listed])
        elif "mynetworks" in self._parameters.given:
            self._findings.leave("mynetworks", words, "no restriction lets them relay")
        for restriction in permits:
            self._restriction(restriction)
        return None

    def _permits(self) -> list[str] | None:
        """None: everything."""
        lists = [list(_restrictions(self._parameters.words(name))) for name in _LISTS]
        gated = [_before_gate(restrictions) for restrictions in lists]
        found = [before for before in gated if before is not None]
        if not found:
            return None
        return [restriction for restriction in found[0] if all(restriction in others for others in found[1:])]

    def _restriction(self, restriction: str) -> None:
        name, _, argument = restriction.partition(" ")
        if name == "permit_mynetworks":
            return
        if name == "permit_sasl_authenticated":
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

    def _client_access(self, table: str) -> None:
        """https://www.postfix.org/access.5.html: OK, and a number that says nothing else, permit."""
        setting = f"check_client_access {table}"
        entries = [(by_octets(key), _permits(action)) for key, action in self._tables.pairs(setting, [table])]
        if not table.startswith("cidr:"):  # there the first one counts, elsewhere the closest one
            entries.sort(key=lambda entry: _length(entry[0]), reverse=True)
        self._networks(setting, entries)

    def _networks(self, setting: str, entries: list[tuple[str, bool]]) -> None:
        """Networks, in the order in which they are looked at, and whether each may relay."""
        networks = self._admitted(setting, entries)
        if not networks:
            return
        name = _CONNECTOR if setting == "mynetworks" else "Postfix client access"
        kind = {"connector_type": "OnPremises", "sender_ip_addresses": networks}
        if self._findings.take(setting, networks, "inbound_connector", name, **kind):
            reason = "Postfix lets them send from any domain; here the sender's domain has to be an accepted one"
            self._findings.leave(setting, "", reason)

    def _admitted(self, setting: str, entries: list[tuple[str, bool]]) -> list[str]:
        """What is refused is cut out of the networks after it."""
        admitted: list[Network] = []
        refused: list[Network] = []
        if len(entries) > _MOST_WITH_HOLES and not all(admits for _, admits in entries):
            self._findings.leave(setting, "", "it is too long to have exceptions; name the networks yourself")
            return []
        for text, admits in entries:
            try:
                network = ipaddress.ip_network(text.replace("[", "").replace("]", ""), strict=False)
            except ValueError:
                self._findings.leave(setting, text, "it is no address or network; clients are known by these only")
                continue
            if not admits:
                refused.append(network)
            else:
                admitted += _without(network, refused)
        return [network_text(network) for network in admitted]


def _without(network: Network, refused: list[Network]) -> list[Network]:
    left = [network]
    for hole in refused:
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


def _permits(action: str) -> bool:
    """OK and numbers permit: https://www.postfix.org/access.5.html"""
    word = action.partition(" ")[0].upper()
    return word in ("OK", "PERMIT") or word.isdigit()


def _restrictions(words: list[str]) -> Iterator[str]:
    """A restriction with its table as one text."""
    waiting = ""
    for word in words:
        if waiting:
            yield f"{waiting} {word}"
            waiting = ""
        elif word.startswith("check_") and word.endswith("_access"):
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
