"""An outbound connector while somebody fills in its wizard."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from posthouse.admin.presets import Preset, presets
from posthouse.organization import TlsSettings, TransportKind
from posthouse.organization.connectors import ANY
from posthouse.probe.doctor.domain import is_microsoft
from posthouse.web.pages.connectors.draft import OTHER, RELAY, TENANT, Draft, number_of
from posthouse.web.pages.connectors.powershell import new_connector
from posthouse.web.pages.forms import Errors
from posthouse.web.pages.texts import Texts

DOMAINS, ACCEPTED = "domains", "accepted"
HOSTS, MX, MAILBOXES = "hosts", "mx", "mailboxes"
"""Ways that are no preset."""
TENANT_RELAY, GRAPH = "microsoft-365-relay", "microsoft-365-graph"
TENANT_WAYS = (TENANT_RELAY, "microsoft-365-submission", GRAPH, "high-volume-email")
OTHER_WAYS = (HOSTS, MX, *(name for name in presets() if name not in TENANT_WAYS), MAILBOXES)
UPLOAD = "upload"
"""In place of a thumbprint: the certificate is to be read from a file."""
_LIMITS = ("messages_per_minute", "recipients_per_day", "connections")
_PORT = "25"


@dataclass(frozen=True, slots=True)
class OutboundDraft(Draft):
    """`way` is a preset's name, or one of those above; `applied` the one whose values stand in the other fields.

    `use` says for whom, `certificate` is a thumbprint. `tenant_domain` finds the tenant's host, `recipient` and
    `public_ip` are for trying it; none of them is stored.
    """

    origin: str = RELAY
    to: str = TENANT
    way: str = ""
    applied: str = ""
    use: tuple[str, ...] = (DOMAINS,)
    recipient_domains: tuple[str, ...] = (ANY,)
    tenant_domain: str = ""
    smart_hosts: tuple[str, ...] = ()
    port: str = _PORT
    source_address: str = ""
    mailboxes: tuple[str, ...] = (ANY,)
    tls_settings: str = TlsSettings.OPPORTUNISTIC.value
    tls_domain: str = ""
    certificate: str = ""
    credential: tuple[str, ...] = ()
    messages_per_minute: str = ""
    recipients_per_day: str = ""
    connections: str = ""
    rewrite_from: tuple[str, ...] = ()
    recipient: str = ""
    public_ip: str = ""

    @classmethod
    def read(cls, item: Mapping[str, Any]) -> dict[str, Any]:
        way = _way_of(item)
        use = {DOMAINS: item.get("recipient_domains"), ACCEPTED: item.get("all_accepted_domains")}
        throttle = item.get("throttle", {})
        return {
            "to": TENANT if way in TENANT_WAYS else OTHER,
            "way": way,
            "applied": way,
            "use": tuple(name for name, is_set in use.items() if is_set),
            "port": str(item.get("port", _PORT)),
            "certificate": item.get("client_certificate", {}).get("thumbprint", ""),
            **{key: str(throttle.get(key, "")) for key in _LIMITS},
        }

    @property
    def preset(self) -> Preset | None:
        return presets().get(self.way)

    @property
    def transport(self) -> TransportKind:
        return {GRAPH: TransportKind.GRAPH, MAILBOXES: TransportKind.MAILBOX}.get(self.way, TransportKind.SMTP)

    @property
    def is_smtp(self) -> bool:
        return self.transport is TransportKind.SMTP

    @property
    def may_sign_in(self) -> bool:
        return self.transport is TransportKind.GRAPH or (self.is_smtp and self.way != MX)

    @property
    def must_sign_in(self) -> bool:
        return self.preset is not None and "credential" in self.preset.needs

    @property
    def script(self) -> str:
        """Of a certificate that isn't stored yet, its file; what it is called there, nobody knows."""
        return new_connector("New-OutboundConnector", self.name, self.values(self.certificate_reference))

    @property
    def certificate_reference(self) -> dict[str, str] | None:
        return {"thumbprint": self.certificate} if self.certificate else None

    def with_way(self) -> OutboundDraft:
        """With what the way sets, where another one was chosen."""
        if self.way == self.applied:
            return self
        connector = self.preset.connector if self.preset else {}
        throttle = connector.get("throttle", {})
        kept = self.smart_hosts if self.applied == "" else ()
        return dataclasses.replace(
            self,
            applied=self.way,
            smart_hosts=tuple(connector.get("smart_hosts", kept)),
            port=str(connector.get("port", _PORT)),
            tls_settings=connector.get("tls_settings", TlsSettings.OPPORTUNISTIC.value),
            **{key: str(throttle.get(key, "")) for key in _LIMITS},
        )

    def values(self, client_certificate: Mapping[str, str] | None) -> dict[str, Any]:
        """For `Items`: None is the default, or not for this way."""
        throttle = {key: number_of(text) for key in _LIMITS if (text := getattr(self, key))}
        sends = self.transport is not TransportKind.MAILBOX
        return {
            "comment": self.comment or None,
            "enabled": self.enabled,
            "recipient_domains": list(self.recipient_domains) if DOMAINS in self.use else None,
            "all_accepted_domains": ACCEPTED in self.use or None,
            "transport": None if self.is_smtp else self.transport.value,
            **self._next_hop(client_certificate),
            "mailboxes": None if sends else list(self.mailboxes),
            "credential": (list(self.credential) or None) if self.may_sign_in else None,
            "throttle": (throttle or None) if sends else None,
            "rewrite_from": (list(self.rewrite_from) or None) if sends else None,
        }

    def values_to_check(self) -> dict[str, Any]:
        """Which certificates there are, the wizard knows."""
        return self.values(None)

    def gaps(self, text: Texts) -> Errors:
        return dict(self._gaps(text))

    def _next_hop(self, client_certificate: Mapping[str, str] | None) -> dict[str, Any]:
        """What only SMTP has."""
        names_server = self.tls_settings == TlsSettings.DOMAIN_VALIDATION
        hop: dict[str, Any] = {
            "use_mx_record": self.way == MX or None,
            "smart_hosts": list(self.smart_hosts) if self.way != MX else None,
            "port": number_of(self.port) if self.port != _PORT else None,
            "source_address": self.source_address or None,
            "tls_settings": self.tls_settings if self.tls_settings != TlsSettings.OPPORTUNISTIC else None,
            "tls_domain": (self.tls_domain or None) if names_server else None,
            "client_certificate": client_certificate,
        }
        return hop if self.is_smtp else dict.fromkeys(hop)

    def _gaps(self, text: Texts) -> Iterator[tuple[str, Sequence[str]]]:
        if self.way not in (TENANT_WAYS if self.to == TENANT else OTHER_WAYS):
            yield "way", [text("Choose how mail gets there.")]
        if not self.use:
            yield "use", [text("Choose at least one, or the connector carries nothing.")]
        if DOMAINS in self.use and not self.recipient_domains:
            yield "recipient_domains", [text("Name at least one domain.")]
        if self.is_smtp and self.way != MX and not self.smart_hosts:
            yield "smart_hosts", [text("Name at least one host.")]
        if self.must_sign_in and not self.credential:
            yield "credential", [text("Choose what signs in.")]
        if self.certificate == UPLOAD:
            yield "certificate", [text("Choose a file, and have it read.")]


def _way_of(item: Mapping[str, Any]) -> str:
    """The preset that a connector looks like, for its wizard to say more."""
    match item.get("transport", TransportKind.SMTP.value), tuple(item.get("smart_hosts", ())):
        case TransportKind.GRAPH.value, _:
            return GRAPH
        case TransportKind.MAILBOX.value, _:
            return MAILBOXES
        case _, ():
            return MX
        case _, hosts:
            if all(map(is_microsoft, hosts)) and not item.get("credential"):
                return TENANT_RELAY
            alike = (name for name, each in presets().items() if each.connector.get("smart_hosts") == list(hosts))
            return next(alike, HOSTS)
