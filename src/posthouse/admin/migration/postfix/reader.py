"""main.cf to an organization: domains, who may relay, where mail goes, limits."""

from __future__ import annotations

import re

from posthouse.admin.migration.files import Beside
from posthouse.admin.migration.findings import Findings
from posthouse.admin.migration.postfix.master import read_transports
from posthouse.admin.migration.postfix.parameters import Parameters
from posthouse.admin.migration.postfix.relaying import Relaying
from posthouse.admin.migration.postfix.routes import Routes
from posthouse.admin.migration.postfix.tables import Tables

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_TIME = re.compile(r"(\d{1,9})([smhdw]?)")

_OTHER_RESTRICTIONS = "restrictions besides those of who may relay have no counterpart"
_OTHER_RECIPIENTS = "mail is not redirected to other recipients here"
_BY_SENDER = "the way is chosen by the recipient only"
_ELSEWHERE = {
    "myhostname": "set hostname in posthouse.toml",
    "inet_interfaces": "set the address of each listener in posthouse.toml",
    "inet_protocols": "set the address of each listener in posthouse.toml",
    "smtpd_tls_cert_file": "set certificate of a listener in posthouse.toml",
    "smtpd_tls_key_file": "set key of a listener in posthouse.toml",
    "smtpd_tls_chain_files": "set certificate of a listener in posthouse.toml",
    "smtpd_tls_security_level": "a listener offers STARTTLS by itself; require_tls of a connector demands it",
    "smtpd_tls_auth_only": "a listener offers AUTH with TLS only, unless auth_without_tls is set in posthouse.toml",
    "smtpd_tls_protocols": "set tls_profile of a listener in posthouse.toml",
    "smtpd_banner": "the banner has hostname of posthouse.toml",
    "smtp_tls_cert_file": "give it to the connector: posthouse connector set outbound NAME --client-certificate FILE",
    "smtp_tls_key_file": "give it to the connector: posthouse connector set outbound NAME --client-certificate FILE",
    "smtp_tls_CAfile": "public CAs are known; name your own in trusted_roots of the organization file",
    "mynetworks_style": "it depends on the machine: name the networks with --sender-ip-addresses",
    "smtpd_client_restrictions": _OTHER_RESTRICTIONS,
    "smtpd_helo_restrictions": _OTHER_RESTRICTIONS,
    "smtpd_sender_restrictions": _OTHER_RESTRICTIONS,
    "virtual_alias_maps": _OTHER_RECIPIENTS,
    "alias_maps": _OTHER_RECIPIENTS,
    "recipient_canonical_maps": _OTHER_RECIPIENTS,
    "sender_dependent_relayhost_maps": _BY_SENDER,
    "sender_dependent_default_transport_maps": _BY_SENDER,
    "smtp_sender_dependent_authentication": "a next hop has one login, whoever sends",
    "smtp_fallback_relay": "there is no second way: mail that can't be delivered is tried again",
    "masquerade_domains": "only the senders of canonical and generic maps get another address",
    "content_filter": "mail is not filtered here",
    "smtpd_milters": "mail is not filtered here",
    "non_smtpd_milters": "mail is not filtered here",
    "header_checks": "mail is not filtered here",
    "smtp_header_checks": "mail is not filtered here",
    "body_checks": "mail is not filtered here",
    "always_bcc": "no copies are made here",
}
_OTHERWISE = "it says nothing of who may send or where mail goes, or has no counterpart"


def read_postfix(text: str, beside: Beside, findings: Findings) -> None:
    parameters = Parameters(text)
    findings.lines = parameters.lines
    tables = Tables(beside, findings)
    _domains(parameters, tables, beside, findings)
    Relaying(parameters, tables, findings).read()
    Routes(parameters, tables, read_transports(beside, findings), findings).read()
    _limits(parameters, findings)
    for name, value in parameters.given.items():
        if name in _ELSEWHERE or not parameters.is_read(name):
            findings.leave(name, "" if "password" in name else value, _ELSEWHERE.get(name, _OTHERWISE))


def _domains(parameters: Parameters, tables: Tables, beside: Beside, findings: Findings) -> None:
    """Those that Postfix has the mailboxes of, or relays to from anyone: accepted domains.

    https://www.postfix.org/ADDRESS_CLASS_README.html
    """
    for name, kind in (
        ("mydestination", "Authoritative"),
        ("virtual_mailbox_domains", "Authoritative"),
        ("virtual_alias_domains", "Authoritative"),
        ("relay_domains", "InternalRelay"),
    ):
        if name.startswith("virtual") and name not in parameters.given:
            continue
        for domain in tables.listed(name, parameters.words(name)):
            _domain(name, domain, kind, findings)
    if parameters["relay_domains"]:
        reason = "Postfix relays to their subdomains too; here a domain is accepted for itself: add those in use"
        findings.leave("relay_domains", "", reason)
    _origin(parameters, beside, findings)


def _domain(setting: str, domain: str, kind: str, findings: Findings) -> None:
    if domain.startswith("!"):
        findings.leave(setting, domain, "an exception can't be said here; name the domains themselves")
    elif domain.startswith("."):
        findings.leave(setting, domain, "a domain is accepted for itself; add its subdomains")
    elif "." not in domain or domain.lower().startswith("localhost."):
        findings.leave(setting, domain, "a name of this machine only; mail needs a domain with a dot")
    elif not findings.has("accepted_domain", domain):
        findings.take(setting, domain, "accepted_domain", domain.lower(), type=kind)


def _origin(parameters: Parameters, beside: Beside, findings: Findings) -> None:
    """The domain that local senders have. They may relay here only if it is an accepted one.

    Debian has its name in a file: https://wiki.debian.org/Postfix
    """
    given = origin = parameters["myorigin"].strip()
    if given.startswith("/"):
        origin = (beside.text(given) or "").strip()
        if not origin:
            reason = "it is not beside main.cf, or can't be read; copy the file into that folder"
            return findings.leave("myorigin", given, reason)
    if "." in origin and "/" not in origin and not origin.lower().startswith("localhost."):
        _domain("myorigin", origin.lower(), "InternalRelay", findings)
    return None


def _limits(parameters: Parameters, findings: Findings) -> None:
    for name, key in (
        ("message_size_limit", "message_size"),
        ("smtpd_recipient_limit", "recipients"),
        ("smtpd_client_connection_count_limit", "sessions_per_client"),
    ):
        value = parameters[name]
        if value.isdecimal() and value.isascii() and len(value) <= 15:
            findings.set(name, value, "limits", key, int(value))
        elif value:
            findings.leave(name, value, "it is not a number")
    for name, unit, key in (
        ("maximal_queue_lifetime", "d", "give_up_after"),
        ("delay_warning_time", "h", "warn_after"),
    ):
        value = parameters[name]
        seconds = _seconds(value, unit)
        if seconds:
            findings.set(name, value, "delivery", key, f"{seconds}s")
        elif value:
            findings.leave(name, value, "only a time above 0 can be said here")


def _seconds(value: str, unit: str) -> int:
    """Each parameter has its own unit for a number alone."""
    found = _TIME.fullmatch(value)
    return int(found[1]) * _SECONDS[found[2] or unit] if found else 0
