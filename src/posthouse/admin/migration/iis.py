"""The SMTP service of IIS 6: its part of MetaBase.xml. Each property has its page below
https://learn.microsoft.com/previous-versions/windows/it-pro/windows-server-2003/cc780293(v=ws.10) (RelayIpList),
cc739348 (SmartHostType), cc757175 (RouteAction), cc778501 (RelayForAuth).
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from posthouse.admin.errors import AdminError
from posthouse.admin.migration.findings import Findings, Section
from posthouse.admin.migration.xml import XmlError, parse
from posthouse.organization import network_text

_SERVICE = "/lm/smtpsvc"
_DROP, _SMART_HOST, _TLS, _SASL, _ALIAS, _DELIVER, _RELAY = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20, 0x1000
"""Flags of RouteAction."""
_MX_FIRST = "1"
_POINTER = 0x80000000
_IPV4 = 2
_MOST_GROUPS = 1000
_MOST_ADDRESSES = 10_000

_LIMITS: tuple[tuple[str, Section, str, int], ...] = (
    ("maxmessagesize", "limits", "message_size", 1),
    ("maxrecipients", "limits", "recipients", 1),
    ("smtpremotendrexpireminutes", "delivery", "give_up_after", 60),
    ("smtpremotedelayexpireminutes", "delivery", "warn_after", 60),
)

_REASONS = {
    "fullyqualifieddomainname": "set hostname in posthouse.toml",
    "serverbindings": "set the address of a listener in posthouse.toml",
    "securebindings": 'set a listener with tls = "implicit" in posthouse.toml',
    "dropdirectory": "mailboxes are in data_dir/mailboxes",
    "queuedirectory": "set data_dir in posthouse.toml",
    "pickupdirectory": "there is no pickup folder: hand mail in by SMTP",
    "badmaildirectory": "mail that fails is in posthouse trace",
    "sendndrto": "no copies of notifications are made",
    "sendbadto": "no copies of notifications are made",
    "ipsecurity": "who may connect is no list of its own here: only who may relay, by connectors",
    "masqueradedomain": "addresses are not rewritten here",
    "routeusername": "its password isn't in this file",
    "maxconnections": "set sessions of [limits]: it counts both ways there",
}
"""Of the other properties, which are many, those that say nothing of mail flow are passed over."""

_Attributes = Mapping[str, str]


def read_iis(text: str, findings: Findings) -> None:
    """All virtual servers together, with what the service has for all of them. Raises `AdminError`."""
    try:
        root = parse(text)
    except XmlError as error:
        raise AdminError(f"no MetaBase.xml: {error}") from None
    service: dict[str, str] = {}
    servers: dict[str, _Server] = {}
    for element in root.iter():
        attributes = {key.casefold(): value for key, value in element.attributes.items()}
        location = attributes.get("location", "").casefold().rstrip("/")
        findings.lines = {"SmtpSvc": element.line, "Domain": element.line}
        if element.tag == "IIsSmtpService" and location == _SERVICE:
            service = attributes
        elif element.tag == "IIsSmtpServer":
            server = servers[location] = _Server(location.rpartition("/")[2], {**service, **attributes}, findings)
            server.read()
        elif element.tag == "IIsSmtpDomain" and location.rpartition("/")[0].endswith("/domain"):
            name = attributes["location"].rstrip("/").rpartition("/")[2]
            server = servers.get(location.rpartition("/domain/")[0])
            _domain(name, attributes, server.way if server else {}, findings)


class _Server:
    """One SMTP virtual server; `number` is its last part in the metabase."""

    def __init__(self, number: str, properties: _Attributes, findings: Findings) -> None:
        self._number = number
        self._properties = properties
        self._findings = findings

    def read(self) -> None:
        self._default_domain()
        self._relay()
        self._out()
        self._limits()
        for name in sorted(self._properties.keys() & _REASONS.keys()):
            if value := self._properties[name]:
                self._findings.leave(f"SmtpSvc {self._number}: {name}", value, _REASONS[name])

    @property
    def way(self) -> dict[str, Any]:
        """What holds for all that goes out."""
        tls = {"tls_settings": "EncryptionOnly"} if self._truth("alwaysusessl") else {}
        return {**tls, **({"port": int(port)} if (port := self._digits("remotesmtpport")) else {})}

    def _default_domain(self) -> None:
        """The domain that is local without having a route."""
        setting = f"SmtpSvc {self._number}: DefaultDomain"
        domain = self._properties.get("defaultdomain", "")
        if "." in domain:
            _local(setting, domain, domain.lower(), self._findings)
        elif domain:
            self._findings.leave(setting, domain, "a name of this machine only; mail needs a domain with a dot")

    def _relay(self) -> None:
        setting = f"SmtpSvc {self._number}: RelayIpList"
        value = self._properties.get("relayiplist", "")
        networks = _relay_ip_list(value)
        if networks:
            self._findings.take(
                setting,
                networks,
                "inbound_connector",
                f"IIS relay {self._number}",
                connector_type="OnPremises",
                sender_ip_addresses=networks,
            )
            reason = "IIS lets them send from any domain; here the sender's domain has to be an accepted one"
            self._findings.leave(setting, "", reason)
        elif value:
            self._findings.leave(
                setting, value, "no list of granted IPv4 addresses; name them with --sender-ip-addresses"
            )
        if self._properties.get("relayforauth", "0") not in ("", "0"):
            reason = "logins are Windows accounts; give them with --sender-credentials"
            self._findings.leave(f"SmtpSvc {self._number}: RelayForAuth", self._properties["relayforauth"], reason)

    def _out(self) -> None:
        setting = f"SmtpSvc {self._number}: SmartHost"
        if host := self._properties.get("smarthost", ""):
            hosts = {"smart_hosts": [host], "recipient_domains": ["*"], **self.way}
            self._findings.take(setting, host, "outbound_connector", f"IIS smart host {self._number}", **hosts)
            if self._properties.get("smarthosttype") == _MX_FIRST:
                reason = "IIS tries the recipients' MX hosts first; here all goes to the smart host"
                self._findings.leave(f"SmtpSvc {self._number}: SmartHostType", _MX_FIRST, reason)
        else:
            by_mx = {"use_mx_record": True, "recipient_domains": ["*"], **self.way}
            self._findings.take(setting, "(not set)", "outbound_connector", f"IIS MX {self._number}", **by_mx)

    def _limits(self) -> None:
        for name, section, key, unit in _LIMITS:
            if digits := self._digits(name):
                self._findings.set(f"SmtpSvc {self._number}: {name}", digits, section, key, int(digits) * unit)

    def _digits(self, name: str) -> str:
        value = self._properties.get(name, "")
        return value if value.isdecimal() and value.isascii() and len(value) < 16 and int(value) else ""

    def _truth(self, name: str) -> bool:
        return self._properties.get(name, "").casefold() in ("true", "1", "-1")


def _domain(name: str, properties: _Attributes, server_way: Mapping[str, Any], findings: Findings) -> None:
    """A local domain, an alias of it, or a remote one with a way of its own, or with the server's and TLS."""
    given = properties.get("routeaction", "0")
    action = int(given) if given.isdecimal() and given.isascii() and len(given) < 11 else 0
    way = properties.get("routeactionstring", "")
    setting = f"Domain {name}: RouteAction"
    domain = name.lower().removeprefix("*.")
    if action & (_ALIAS | _DELIVER | _DROP):
        _local(setting, given, domain, findings)
    if action & _RELAY:
        findings.take(setting, given, "accepted_domain", domain, type="InternalRelay")
    tls = {"tls_settings": "EncryptionOnly"} if action & _TLS else {}
    if action & _SMART_HOST and way:
        hosts = {"recipient_domains": [name.lower()], "smart_hosts": [way.strip("[]")], **server_way, **tls}
        findings.take(setting, way, "outbound_connector", f"IIS {name}", **hosts)
    elif tls:
        findings.leave(setting, given, "TLS to this domain only: make a connector for it with tls_settings")
    if action & _SASL:
        findings.leave(setting, given, "its password isn't in this file; name a credential with --credential")


def _local(setting: str, value: str, domain: str, findings: Findings) -> None:
    """Its mail is dropped into a folder."""
    findings.take(setting, value, "accepted_domain", domain, type="Authoritative")
    keys = {"transport": "mailbox", "recipient_domains": [domain], "mailboxes": ["*"]}
    findings.take(setting, value, "outbound_connector", "IIS drop folder", **keys)
    findings.leave(setting, domain, "all its mail was dropped into one folder; here each address gets a Maildir")


def _relay_ip_list(value: str) -> list[str]:
    """The granted networks of an address list, which is hex; nothing where it has another shape.

    Its layout isn't documented. As scripts write it: offsets of the lists of denied and of granted addresses, each with
    the highest bit set; a list is the number of its groups and of its addresses, then the groups: family, entries, size
    of an entry, first entry, and the offset of the entries, of which the first is the mask.
    """
    try:
        octets = bytes.fromhex(value)
        granted = _granted(octets, struct.unpack_from("<I", octets, 4)[0] & ~_POINTER)
        return list(islice(granted, _MOST_ADDRESSES))
    except (ValueError, struct.error):
        return []


def _granted(octets: bytes, at: int) -> Iterator[str]:
    groups = min(struct.unpack_from("<I", octets, at)[0], _MOST_GROUPS)
    for group in range(groups):
        family, entries, size, _, pointer = struct.unpack_from("<5I", octets, at + 8 + 20 * group)
        if family != _IPV4 or size != 4:
            continue
        start = pointer & ~_POINTER
        length = _prefix_length(octets[start : start + 4])
        for entry in range(1, entries):
            address = ipaddress.IPv4Address(octets[start + 4 * entry : start + 4 * entry + 4])
            yield network_text(ipaddress.IPv4Network((address, length), strict=False))


def _prefix_length(mask: bytes) -> int:
    """Ones, then zeros; a mask without ones would be everybody. Raises `ValueError`."""
    bits = f"{int.from_bytes(mask, 'big'):032b}"
    if "01" in bits or "1" not in bits:
        raise ValueError("no mask")
    return bits.count("1")
