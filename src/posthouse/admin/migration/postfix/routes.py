"""Where mail goes: relayhost, transport_maps, TLS policies, logins for the next hop.

https://www.postfix.org/transport.5.html
https://www.postfix.org/TLS_README.html#client_tls
https://www.postfix.org/SASL_README.html#client_sasl
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from posthouse.admin.migration.findings import Findings
from posthouse.admin.migration.nexthops import Nexthop, nexthop
from posthouse.admin.migration.postfix.parameters import Parameters, split
from posthouse.admin.migration.postfix.rewriting import read_rewriting
from posthouse.admin.migration.postfix.tables import Entry, Tables

_INTO_MAILBOXES = ("local", "virtual")
_IMPLICIT_TLS_PORT = 465

_VERIFIED = {"tls_settings": "DomainValidation"}
_TLS: dict[str, dict[str, str]] = {
    "none": {},
    "may": {},
    "encrypt": {"tls_settings": "EncryptionOnly"},
    "dane": {},
    "dane-only": {"tls_settings": "EncryptionOnly"},
    "verify": _VERIFIED,
    "secure": _VERIFIED,
}
_NAMES_OF_THE_HOP = ("hostname", "nexthop", "dot-nexthop")


class Routes:
    """`by_smtp` are the names of the transports that speak it."""

    def __init__(self, parameters: Parameters, tables: Tables, by_smtp: frozenset[str], findings: Findings) -> None:
        self._parameters = parameters
        self._findings = findings
        self._tables = tables
        self._by_smtp = by_smtp | {""}
        self._rewritings = read_rewriting(parameters, tables, findings)
        self._logins = self._maps("smtp_sasl_password_maps") if parameters["smtp_sasl_auth_enable"] == "yes" else {}
        self._policies = self._maps("smtp_tls_policy_maps")
        self._routed: set[str] = set()
        self._used_logins: set[str] = set()

    def read(self) -> None:
        """transport_maps goes before the ways of the address classes: https://www.postfix.org/postconf.5.html"""
        self._transport_maps()
        self._everything_else()
        self._address_class("mydestination", "local_transport")
        for domains, way in (("virtual_mailbox_domains", "virtual_transport"), ("relay_domains", "relay_transport")):
            if domains in self._parameters.given:
                self._address_class(domains, way)
        self._domains_with_policies()
        self._unused_logins()

    def _everything_else(self) -> None:
        """`relayhost`, or by MX. An empty one is the default: https://www.postfix.org/postconf.5.html#relayhost"""
        relayhost = self._parameters["relayhost"]
        name, rest = _transport(self._parameters["default_transport"])
        if name not in self._by_smtp:
            self._findings.leave("default_transport", name, "mail to others leaves by SMTP only; here it has no way")
            if relayhost:
                self._findings.leave("relayhost", relayhost, "default_transport goes another way")
        else:
            self._route("relayhost", rest or relayhost, ["*"])

    def _transport_maps(self) -> None:
        ways: dict[str, list[str]] = {}
        for key, way, where in self._entries("transport_maps"):
            pattern = key.lower()
            if "@" in pattern:
                reason = "a way is for a domain, not for one address"
                self._findings.leave("transport_maps", f"{pattern} {way}", reason, where=where)
            else:
                ways.setdefault(way, []).append(f"*{pattern}" if pattern.startswith(".") else pattern)
        for way, patterns in ways.items():
            self._way("transport_maps", way, patterns)

    def _address_class(self, setting: str, way: str) -> None:
        """Domains with a way of their own: https://www.postfix.org/ADDRESS_CLASS_README.html

        Those that Postfix relays to go the way of all other mail, where relay_transport names no next hop.
        """
        listed = self._tables.listed(setting, self._parameters.words(setting))
        domains = [domain.lower() for domain in listed if self._findings.has("accepted_domain", domain)]
        if self._parameters[way] != "relay":
            self._way(setting, self._parameters[way], domains)

    def _way(self, setting: str, way: str, patterns: list[str]) -> None:
        name, rest = _transport(way)
        if name in self._by_smtp:
            self._route(setting, rest, patterns)
        elif name in _INTO_MAILBOXES:
            self._into_mailboxes(setting, patterns)
        elif patterns:
            reason = f"there is no transport {name}: mail for them would go the way of all other mail"
            self._findings.leave(setting, f"{', '.join(patterns[:5])} {way}", reason)

    def _route(self, setting: str, way: str, patterns: list[str]) -> None:
        """An outbound connector for the way, which may be that of other patterns already."""
        hop = nexthop(way)
        patterns = self._unrouted(patterns)
        if not patterns:
            return None
        if way and hop is None:
            return self._findings.leave(setting, way, "it is no [host]:port that can be understood")
        if hop is None:
            self._take(setting, way or "(empty)", "Postfix MX", recipient_domains=patterns, use_mx_record=True)
            self._tls("Postfix MX", None)
            return None
        name = f"Postfix {way}"
        self._take(setting, way, name, recipient_domains=patterns, smart_hosts=list(hop.hosts), port=hop.port)
        self._tls(name, hop)
        self._about(setting, hop)
        self._login(hop)
        return None

    def _unrouted(self, patterns: list[str]) -> list[str]:
        """Those that have no way yet. From then on they have one."""
        fresh = [pattern for pattern in patterns if pattern not in self._routed]
        self._routed.update(fresh)
        return fresh

    def _take(self, setting: str, value: object, name: str, **keys: Any) -> None:
        if source := self._parameters["smtp_bind_address"]:
            keys["source_address"] = source
        if self._rewritings:
            keys["rewrite_from"] = self._rewritings
        self._findings.take(setting, value, "outbound_connector", name, **keys)

    def _about(self, setting: str, hop: Nexthop) -> None:
        if not hop.brackets:
            reason = "without brackets Postfix goes to the hosts of its MX records; here it goes to this host"
            self._findings.leave(setting, hop.text, reason)
        if hop.port == _IMPLICIT_TLS_PORT or self._parameters["smtp_tls_wrappermode"] == "yes":
            self._findings.leave(setting, hop.text, "TLS begins with STARTTLS here: use port 587 or 25 of that host")

    def _into_mailboxes(self, setting: str, domains: list[str]) -> None:
        domains = self._unrouted(domains)
        if not domains:
            return
        known = self._entries("virtual_mailbox_maps") if setting == "virtual_mailbox_domains" else []
        addresses = [entry.key for entry in known if "@" in entry.key.strip("@")] or ["*"]
        keys = {"transport": "mailbox", "recipient_domains": domains, "mailboxes": addresses}
        self._findings.take(setting, domains, "outbound_connector", f"Postfix mailboxes of {setting}", **keys)
        if addresses == ["*"]:
            reason = "accounts are not known, so any address gets a Maildir; name those that exist with --mailboxes"
            self._findings.leave(setting, domains, reason)

    # TLS and logins

    def _tls(self, connector: str, hop: Nexthop | None) -> None:
        """The policy of the next hop, else the level for all."""
        if hop and (policy := self._policies.get(hop.text)):
            return self._policy("smtp_tls_policy_maps", policy.value, connector)
        level = self._parameters["smtp_tls_security_level"]
        if not level and self._parameters["smtp_enforce_tls"] == "yes":
            level = "encrypt"
        return self._policy("smtp_tls_security_level", level or "may", connector)

    def _policy(self, setting: str, policy: str, connector: str) -> None:
        level, *attributes = split(policy) or [""]
        keys = dict(_TLS.get(level, _VERIFIED))
        if level == "none":
            self._findings.leave(setting, policy, "TLS is used wherever it is offered")
        elif level.startswith("dane"):
            self._findings.leave(setting, policy, "TLSA records are not looked up here")
        elif level not in _TLS:
            self._findings.leave(setting, policy, "here certificates are verified by public CAs or your own roots")
        names = [attribute.removeprefix("match=") for attribute in attributes if attribute.startswith("match=")]
        if names and keys == _VERIFIED and names[0] not in _NAMES_OF_THE_HOP:
            name, *others = ":".join(names).split(":")
            keys["tls_domain"] = f"*{name}" if name.startswith(".") else name
            if others:
                self._findings.leave(setting, policy, "a connector has one name to match: the first one is taken")
        if keys:
            self._findings.take(setting, policy, "outbound_connector", connector, **keys)

    def _domains_with_policies(self) -> None:
        """A policy for a domain that is reached by MX; one for a next hop is that connector's already."""
        if self._parameters["relayhost"]:
            return
        for domain, policy in self._policies.items():
            if not domain.startswith(("[", ".")) and ":" not in domain:
                name = f"Postfix TLS {domain}"
                if patterns := self._unrouted([domain]):
                    self._take("smtp_tls_policy_maps", domain, name, recipient_domains=patterns, use_mx_record=True)
                    self._policy("smtp_tls_policy_maps", policy.value, name)

    def _login(self, hop: Nexthop) -> None:
        """By the next hop as it is written, else by its host."""
        key = next((key for key in _keys(hop) if key in self._logins), None)
        if key is None:
            return
        self._used_logins.add(key)
        user, _, password = self._logins[key].value.partition(":")
        setting = f"smtp_sasl_password_maps: {hop.text}"
        self._findings.take_credential(setting, f"Postfix {hop.text}", user, password)

    def _unused_logins(self) -> None:
        for key, login in self._logins.items():
            if key not in self._used_logins:
                reason = "no way goes to this host, and a login of one sender can't be said here"
                self._findings.leave(f"smtp_sasl_password_maps: {key}", "", reason, where=login.where)

    def _maps(self, name: str) -> dict[str, Entry]:
        return {entry.key: entry for entry in self._entries(name)}

    def _entries(self, name: str) -> list[Entry]:
        return self._tables.entries(name, self._parameters.words(name))


def _transport(text: str) -> tuple[str, str]:
    """The two parts of `transport:nexthop`; a text without a colon is a transport."""
    name, _, rest = text.partition(":")
    return name.strip(), rest.strip()


def _keys(hop: Nexthop) -> Iterator[str]:
    yield hop.text
    yield hop.hosts[0]
