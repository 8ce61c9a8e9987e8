"""The transports of the connectors in force, and what becomes of a connector whose secret can't be had."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from posthouse.net.certificates import self_signed
from posthouse.net.verification import Verifier
from posthouse.organization import Organization, OutboundConnector, TransportKind
from posthouse.organization.connectors import ClientCertificateRef, Credential, CredentialKind, TlsSettings
from posthouse.relay.exits import Exits
from posthouse.spool import SpoolError, StoreUnavailable
from posthouse.transports.tokens import SharedTokens, TokenSource

CERTIFIED = OutboundConnector(
    "Office 365", smart_hosts=("tenant.test",), client_certificate=ClientCertificateRef("relay.pfx", "00")
)
MAILBOXES = OutboundConnector("Mailboxes", all_accepted_domains=True, transport=TransportKind.MAILBOX)
ORGANIZATION = Organization(outbound=(CERTIFIED, MAILBOXES))


class Secrets:
    """`answer` is the secret, or what goes wrong with it."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer

    def get(self, name: str) -> bytes:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Source(TokenSource):
    """Never asked: nothing is delivered here."""

    def __init__(self) -> None:
        self.own_roots: Sequence[str] = ()


def exits_with(secrets: Any, folder: Path) -> Exits:
    resolver: Any = None
    tokens = SharedTokens(Source())
    return Exits(hostname="relay.test", mailboxes=folder, resolver=resolver, secrets=secrets, tokens=tokens)


@pytest.mark.parametrize("trouble", [b"no PFX", KeyError("relay.pfx"), SpoolError("stored with another key")], ids=repr)
def test_a_connector_without_its_certificate_has_no_transport_until_it_can_be_had(
    trouble: bytes | Exception, tmp_path: Path
) -> None:
    """To send without it would have the mail refused for good."""
    secrets = Secrets(trouble)
    exits, verifier = exits_with(secrets, tmp_path), Verifier()
    asyncio.run(exits.prepare(ORGANIZATION, verifier))
    assert exits.transport("Office 365") is None
    assert exits.transport("Mailboxes") is not None
    secrets.answer = self_signed("relay.test").to_pfx()
    asyncio.run(exits.prepare(ORGANIZATION, verifier))
    assert exits.transport("Office 365") is not None


def test_a_store_that_is_away_puts_the_change_off(tmp_path: Path) -> None:
    exits = exits_with(Secrets(StoreUnavailable("the disk")), tmp_path)
    with pytest.raises(StoreUnavailable):
        asyncio.run(exits.prepare(ORGANIZATION, Verifier()))
    assert exits.transport("Mailboxes") is None


def test_what_a_change_does_not_touch_is_kept(tmp_path: Path) -> None:
    exits, verifier = exits_with(Secrets(self_signed("relay.test").to_pfx()), tmp_path), Verifier()

    async def change() -> None:
        await exits.prepare(ORGANIZATION, verifier)
        kept = exits.transport("Mailboxes")
        await exits.prepare(Organization(outbound=(MAILBOXES,)), verifier)
        assert exits.transport("Mailboxes") is kept
        assert exits.transport("Office 365") is None

    asyncio.run(change())


PASSWORD = Credential("Scanner", CredentialKind.BASIC, "scanner@contoso.test", secret="credential/1")
SUBMITTING = OutboundConnector(
    "Submission",
    smart_hosts=("smtp.office365.test",),
    tls_settings=TlsSettings.CERTIFICATE_VALIDATION,
    credential=("Scanner",),
)


def test_a_connector_s_transport_is_made_anew_when_its_credential_changes(tmp_path: Path) -> None:
    exits, verifier = exits_with(Secrets(b"pa55~word"), tmp_path), Verifier()

    def transport_of(credential: Credential) -> Any:
        asyncio.run(exits.prepare(Organization(outbound=(SUBMITTING,), credentials=(credential,)), verifier))
        return exits.transport("Submission")

    first = transport_of(PASSWORD)
    assert transport_of(PASSWORD) is first
    assert transport_of(replace(PASSWORD, secret="credential/2")) is not first


def test_a_connector_without_its_password_has_no_transport(tmp_path: Path) -> None:
    exits = exits_with(Secrets(KeyError("credential/1")), tmp_path)
    organization = Organization(outbound=(SUBMITTING, MAILBOXES), credentials=(PASSWORD,))
    asyncio.run(exits.prepare(organization, Verifier()))
    assert exits.transport("Submission") is None
    assert exits.transport("Mailboxes") is not None
