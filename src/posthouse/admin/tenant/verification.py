"""Test mails into the tenant, by the way that the relay's own mail takes: source address, client certificate, hosts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from posthouse.admin.errors import AdminError
from posthouse.admin.tenant.ways import ReadIdentity
from posthouse.mail import domain_of
from posthouse.net.certificates import CertificateError
from posthouse.organization import Organization, OutboundConnector
from posthouse.probe.options import SendOptions
from posthouse.probe.send import SendResult, send
from posthouse.settings import Settings
from posthouse.spool import SpoolError

_SUBJECT = "Posthouse: is the tenant set up?"
_BODY = "Sent by `posthouse tenant verify`, to see whether the tenant takes this relay's mail."


@dataclass(frozen=True, slots=True)
class Trial:
    """Test mails: `internal` is one of the tenant's people, `external` somebody elsewhere. `timeout`: a step's."""

    sender: str
    internal: str
    external: str
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """On one mail by one outbound connector. `text` is what was said, `remedy` what to do where it was refused."""

    connector: str
    recipient: str
    is_internal: bool
    accepted: bool
    text: str
    remedy: str = ""


def send_tests(
    trial: Trial,
    connectors: Sequence[OutboundConnector],
    read: ReadIdentity,
    organization: Organization,
    settings: Settings,
) -> Iterator[Verdict]:
    """To the internal recipient and the external one, one after the other: their refusals have other causes."""
    for connector in connectors:
        for recipient in filter(None, (trial.internal, trial.external)):
            result = send(_options(trial, recipient, connector, read, organization, settings))
            remedies = [remedy for found in result.explanations for remedy in found.remedies]
            yield Verdict(
                connector.name,
                recipient,
                recipient == trial.internal,
                result.accepted,
                _told(result),
                "" if result.accepted else next(iter(remedies), ""),
            )


def _options(
    trial: Trial,
    recipient: str,
    connector: OutboundConnector,
    read: ReadIdentity,
    organization: Organization,
    settings: Settings,
) -> SendOptions:
    try:
        identity = read(connector.client_certificate) if connector.client_certificate else None
        return SendOptions(
            sender=trial.sender,
            recipients=(recipient,),
            server=connector.smart_hosts[0].strip("[]") if connector.smart_hosts else "",
            mx="" if connector.smart_hosts else domain_of(recipient),
            nameservers=tuple(map(str, settings.delivery.nameservers)),
            port=connector.port,
            source=connector.source_address,
            subject=_SUBJECT,
            body=_BODY,
            tls="starttls",
            identity=identity,
            trusted_roots=organization.trusted_roots,
            helo=settings.hostname,
            timeout=trial.timeout,
        )
    except (CertificateError, SpoolError, KeyError) as error:
        raise AdminError(f"the client certificate of {connector.name} can't be read: {error}; set it again") from None
    except ValueError as error:
        raise AdminError(str(error)) from None


def _told(result: SendResult) -> str:
    if not result.accepted:
        return result.error or ""
    by = f", shown {result.client_certificate}" if result.client_certificate else ""
    return f"{result.server} took it{by}: {result.replies[0].reply}"
