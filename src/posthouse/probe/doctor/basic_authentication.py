"""Passwords toward Microsoft 365: which connectors stop when it takes none any more, and what to change.

Basic authentication for client submission is off by default for existing tenants from the end of December 2026.
https://techcommunity.microsoft.com/t5/exchange-team-blog/exchange-online-to-retire-basic-auth-for-client-submission-smtp/ba-p/4114750
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Final

from posthouse.organization import Organization, OutboundConnector
from posthouse.organization.connectors import CredentialKind
from posthouse.probe.doctor.step import About, Step

ENDS: Final = date(2026, 12, 31)
_SUBMISSION: Final = (".office365.com", ".office365.us", ".outlook.com", ".partner.outlook.cn")
_REMEDY: Final = (
    "give it kind client_credentials, with SMTP.SendAsApp for its mailbox; or send without a login, "
    "by a connector in the tenant for this relay's address or certificate"
)


def steps(organization: Organization, connector: OutboundConnector, about: About) -> Iterator[Step]:
    hosts = [host for host in connector.smart_hosts if f".{host}".endswith(_SUBMISSION)]
    passwords = [
        credential.name
        for credential in organization.credentials_of(connector)
        if credential.kind is CredentialKind.BASIC
    ]
    for name in passwords if hosts else ():
        what = f'the credential "{name}" is a password, and {hosts[0]} takes none'
        if datetime.now(UTC).date() > ENDS:
            yield about.failed(f"{what} since {ENDS}, unless an administrator of the tenant allowed it again", _REMEDY)
        else:
            yield about.warning(f"{what} after {ENDS}, unless an administrator of the tenant allows it", _REMEDY)
