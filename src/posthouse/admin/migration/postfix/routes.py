"""Where mail goes: relayhost, transport_maps, TLS policies, logins for the next hop.

https://www.postfix.org/transport.5.html
https://www.postfix.org/TLS_README.html#client_tls
https://www.postfix.org/SASL_README.html#client_sasl
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from posthouse.admin.migration.findings import Findings
from posthouse.admin.migration.postfix.nexthops import Nexthop, nexthop, transport
from posthouse.admin.migration.postfix.parameters import Parameters, split
from posthouse.admin.migration.postfix.tables import Tables

_BY_SMTP = ("smtp", "relay", "")
_INTO_MAILBOXES = ("local", "virtual")
_IMPLICIT_TLS_PORT = 465

_VERIFIED = {"tls_settings": "DomainValidation"}
_TLS: dict[str, dict[str, str]] = {
    "none": {},
    "may": {},
    "encrypt": {"tls_settings": "EncryptionOnly"},
    "dane": {"smtp_dane_mode": "Opportunistic"},
    "dane-only": {"smtp_dane_mode": "Mandatory"},
    "verify": _VERIFIED,
    "secure": _VERIFIED,
}
_NAMES_OF_THE_HOP = ("hostname", "nexthop", "dot-nexthop")


class Routes:
    def __init__(self, parameters: Parameters, tables: Tables, findings: Findings) -> None:
        self._parameters = parameters
        self._findings = findings
        self._tables = tables
        self._logins = self._maps("smtp_sasl_password_maps") if parameters["smtp_sasl_auth_enable"] == "yes" else {}
        self._policies = self._maps("smtp_tls_policy_maps")

    def read(self) -> None:
        ways = self._transport_maps()
        if not any("*" in patterns for patterns in ways.values()):
            self._everything_else()
        for way, patterns in ways.items():
            self._way(way, patterns)
        self._mailboxes("mydestination", self._parameters["local_transport"], ["*"])
        addresses = [key for key, _ in self._pairs("virtual_mailbox_maps") if "@" in key.strip("@")]
        if "virtual_mailbox_domains" in self._parameters.given:
            self._mailboxes("virtual_mailbox_domains", self._parameters["virtual_transport"], addresses or ["*"])
        self._domains_with_policies()

    def _everything_else(self) -> None:
        """`relayhost`, or by MX. An empty one is the default: https://www.postfix.org/postconf.5.html#relayhost"""
        relayhost = self._parameters["relayhost"]
        name, rest = transport(self._parameters["default_transport"])
        if name not in _BY_SMTP:
            self._findings.leave("default_transport", name, "mail to others leaves by SMTP only; here it has no way")
        else:
            self._route("relayhost", rest or relayhost, ["*"])

    def _transport_maps(self) -> dict[str, list[str]]:
        """The patterns of each way. `*` there goes before relayhost."""
        ways: dict[str, list[str]] = {}
        for pattern, way in self._pairs("transport_maps"):
            if "@" in pattern:
                self._findings.leave("transport_maps", f"{pattern} {way}", "a way is for a domain, not for one address")
            else:
                ways.setdefault(way, []).append(f"*{pattern}" if pattern.startswith(".") else pattern)
        return ways

    def _way(self, way: str, patterns: list[str]) -> None:
        name, rest = transport(way)
        if name in _BY_SMTP:
            self._route("transport_maps", rest, patterns)
        elif name in _INTO_MAILBOXES:
            self._into_mailboxes("transport_maps", patterns, ["*"])
        else:
            reason = f"there is no transport {name}: mail for it would go the way of all other mail"
            self._findings.leave("transport_maps", f"{', '.join(patterns[:5])} {way}", reason)

    def _route(self, setting: str, way: str, patterns: list[str]) -> None:
        """An outbound connector for the way, which may be that of other patterns already."""
        hop = nexthop(way)
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

    def _take(self, setting: str, value: object, name: str, **keys: Any) -> None:
        if source := self._parameters["smtp_bind_address"]:
            keys["source_address"] = source
        self._findings.take(setting, value, "outbound_connector", name, **keys)

    def _about(self, setting: str, hop: Nexthop) -> None:
        if not hop.brackets:
            reason = "without brackets Postfix goes to the hosts of its MX records; here it goes to this host"
            self._findings.leave(setting, hop.text, reason)
        if hop.port == _IMPLICIT_TLS_PORT or self._parameters["smtp_tls_wrappermode"] == "yes":
            self._findings.leave(setting, hop.text, "TLS begins with STARTTLS here: use port 587 or 25 of that host")

    # Mailboxes

    def _mailboxes(self, setting: str, way: str, addresses: list[str]) -> None:
        """Domains whose mailboxes Postfix has. With another transport they are somewhere else."""
        listed = self._tables.listed(setting, self._parameters.words(setting))
        domains = [domain.lower() for domain in listed if self._findings.has("accepted_domain", domain)]
        name, rest = transport(way)
        if not domains:
            return
        if name in _INTO_MAILBOXES:
            self._into_mailboxes(setting, domains, addresses)
        elif name in _BY_SMTP:
            self._route(setting, rest, domains)
        else:
            reason = f"there is no transport {name}: mail for these domains would go the way of all other mail"
            self._findings.leave(setting, ", ".join(domains[:5]), reason)

    def _into_mailboxes(self, setting: str, domains: list[str], addresses: list[str]) -> None:
        self._findings.take(
            setting,
            domains,
            "outbound_connector",
            f"Postfix mailboxes of {setting}",
            transport="mailbox",
            recipient_domains=domains,
            mailboxes=addresses,
        )
        if addresses == ["*"]:
            reason = "accounts are not known, so any address gets a Maildir; name those that exist with --mailboxes"
            self._findings.leave(setting, domains, reason)

    # TLS and logins

    def _tls(self, connector: str, hop: Nexthop | None) -> None:
        """The policy of the next hop, else the level for all."""
        if hop and (policy := self._policies.get(hop.text)):
            return self._policy("smtp_tls_policy_maps", policy, connector)
        level = self._parameters["smtp_tls_security_level"]
        if not level and self._parameters["smtp_enforce_tls"] == "yes":
            level = "encrypt"
        return self._policy("smtp_tls_security_level", level or "may", connector)

    def _policy(self, setting: str, policy: str, connector: str) -> None:
        level, *attributes = split(policy) or [""]
        keys = dict(_TLS.get(level, _VERIFIED))
        if level == "none":
            self._findings.leave(setting, policy, "TLS is used wherever it is offered")
        elif level not in _TLS:
            self._findings.leave(setting, policy, "here certificates are verified by public CAs or your own roots")
        names = [attribute.removeprefix("match=") for attribute in attributes if attribute.startswith("match=")]
        if names and keys == _VERIFIED and names[0] not in _NAMES_OF_THE_HOP:
            keys["tls_domain"] = names[0].split(":")[0]
        if keys:
            self._findings.take(setting, policy, "outbound_connector", connector, **keys)

    def _domains_with_policies(self) -> None:
        """A policy for a domain that is reached by MX; one for a next hop is that connector's already."""
        if self._parameters["relayhost"]:
            return
        for domain, policy in self._policies.items():
            if not domain.startswith(("[", ".")) and ":" not in domain:
                name = f"Postfix TLS {domain}"
                self._take("smtp_tls_policy_maps", domain, name, recipient_domains=[domain], use_mx_record=True)
                self._policy("smtp_tls_policy_maps", policy, name)

    def _login(self, hop: Nexthop) -> None:
        """By the next hop as it is written, else by its host."""
        found = next((self._logins[key] for key in _keys(hop) if key in self._logins), None)
        if found is None:
            return
        user, _, password = found.partition(":")
        name = f"Postfix {hop.text}"
        setting = f"smtp_sasl_password_maps: {hop.text}"
        self._findings.take(setting, user, "credential", name, kind="password", user=user, secret=password)
        reason = "the login is kept as a credential, but signing in to a next hop is not available in this version"
        self._findings.leave(setting, user, reason)

    def _maps(self, name: str) -> dict[str, str]:
        return dict(self._pairs(name))

    def _pairs(self, name: str) -> list[tuple[str, str]]:
        return self._tables.pairs(name, self._parameters.words(name))


def _keys(hop: Nexthop) -> Iterator[str]:
    yield hop.text
    yield hop.hosts[0]
