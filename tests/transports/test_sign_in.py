"""Signing in to a next hop: which way, what a refusal means, and that nobody is asked again at once."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from net.tls_peers import pem_of
from posthouse.mail import Delivery, Outcome, Status
from posthouse.net.verification import Verifier
from posthouse.organization import Credential, OutboundConnector, TlsSettings
from posthouse.organization.connectors import CredentialKind
from posthouse.spool import Organizations, Store, open_store
from posthouse.transports import SharedTransport, SmtpTransport
from posthouse.transports.sign_in import Account
from posthouse.transports.tokens import SharedTokens, TokenSource
from standins import submission_replies as replies
from standins.entra import Entra
from standins.submission import Submission
from support.peers import EXTENSIONS, GOOD, Peer

HOST, SCANNER, COPIER = "smtp.office365.test", "a@contoso.com", "copier@contoso.com"
SECRET, PASSWORD = "s3cret~value", "pa55~word"
CONNECTOR = OutboundConnector(
    "Submission", smart_hosts=(HOST,), tls_settings=TlsSettings.CERTIFICATE_VALIDATION, credential=("Scanner",)
)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def entra(authority: trustme.CA) -> Iterator[Entra]:
    with Entra(authority) as running:
        yield running


@pytest.fixture
def submission(authority: trustme.CA, entra: Entra) -> Iterator[Submission]:
    with Submission(authority, entra, host=HOST) as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path / 'posthouse.db'}", tmp_path)) as opened:
        Organizations(opened).save({}, put={"credential/app": SECRET.encode()})
        yield opened


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Relay:
    """Delivers with accounts, one mail after another, all over one transport."""

    def __init__(self, sender: Any, mail: Callable[..., Delivery], authority: trustme.CA, entra: Entra, store: Store):
        self.sender, self.mail, self.entra, self.clock = sender, mail, entra, Clock()
        self.roots = [pem_of(authority)]
        self.tokens = SharedTokens(TokenSource(store, own_roots=self.roots))
        self.app = entra.register(secret=SECRET)
        self.connector = CONNECTOR
        sender.resolver.hosts[HOST] = ["127.0.0.1"]

    def application(self, user: str = SCANNER) -> Account:
        credential = Credential(
            user, CredentialKind.CLIENT_CREDENTIALS, user, "credential/app", self.entra.tenant, self.app.client_id
        )
        return Account(replace(credential, authority=self.entra.url), self.tokens, clock=self.clock)

    def password(self, user: str = SCANNER, password: str = PASSWORD) -> Account:
        return Account(Credential(user, CredentialKind.BASIC, user), self.tokens, password, self.clock)

    def delivers(
        self, port: int, *accounts: Account, meanwhile: Callable[[], object] = lambda: None, count: int = 1
    ) -> list[Outcome]:
        """The outcomes; between two deliveries the sessions end, and `meanwhile` happens."""

        async def run() -> list[Outcome]:
            ways = [self._way(port, account) for account in accounts]
            transport = SharedTransport(ways) if len(ways) > 1 else ways[0]
            outcomes: list[Outcome] = []
            for number in range(count):
                if number:
                    await transport.end_idle()
                    meanwhile()
                outcomes += await transport.deliver(self.mail())
            await transport.close()
            return outcomes

        return asyncio.run(run())

    def delivers_at_once(self, port: int, account: Account, count: int) -> list[Outcome]:
        async def run() -> list[Outcome]:
            transport = self._way(port, account)
            each = await asyncio.gather(*(transport.deliver(self.mail()) for _ in range(count)))
            await transport.close()
            return [outcome for outcomes in each for outcome in outcomes]

        return asyncio.run(run())

    def _way(self, port: int, account: Account) -> SmtpTransport:
        self.sender.connector = self.connector
        return self.sender.transport(port, account=account, verifier=Verifier(self.roots))


@pytest.fixture
def relay(sender: Any, mail: Callable[..., Delivery], authority: trustme.CA, entra: Entra, store: Store) -> Relay:
    return Relay(sender, mail, authority, entra, store)


def tls_for(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    return context


def said(outcomes: list[Outcome]) -> list[str]:
    return [f"{outcome.status} {outcome.reply.code} {outcome.reply.enhanced}" for outcome in outcomes]


@pytest.mark.parametrize("challenges", [False, True])
def test_by_a_token_of_an_application(relay: Relay, submission: Submission, challenges: bool) -> None:
    submission.challenges = challenges
    submission.mailbox(SCANNER, applications={relay.app.client_id})
    assert said(relay.delivers(submission.port, relay.application(), count=2)) == ["delivered 250 2.0.0"] * 2
    assert len(relay.entra.issued) == 1


@pytest.mark.parametrize("challenges", [False, True])
def test_a_token_that_was_revoked_is_replaced_once(relay: Relay, submission: Submission, challenges: bool) -> None:
    submission.challenges = challenges
    submission.mailbox(SCANNER, applications={relay.app.client_id})
    outcomes = relay.delivers(submission.port, relay.application(), meanwhile=relay.entra.revoke, count=2)
    assert said(outcomes) == ["delivered 250 2.0.0"] * 2
    assert len(relay.entra.issued) == 2
    assert submission.refusals == {"535 5.7.3": 1}


def test_a_mailbox_that_the_application_has_no_right_to(relay: Relay, submission: Submission) -> None:
    submission.mailbox(SCANNER)
    outcomes = relay.delivers(submission.port, relay.application(), count=5)
    assert said(outcomes) == ["deferred 451 4.7.0"] * 5
    assert outcomes[0].reply.text == f"{HOST} [127.0.0.1] does not sign {SCANNER} in: {replies.UNSUCCESSFUL}"
    assert outcomes[0].remote == f"{HOST} [127.0.0.1]"
    assert submission.refusals == {"535 5.7.3": 2}, "each mail would have asked anew"


def test_by_a_password_with_what_the_server_offers(relay: Relay, submission: Submission) -> None:
    submission.mailbox(SCANNER, PASSWORD)
    assert said(relay.delivers(submission.port, relay.password())) == ["delivered 250 2.0.0"]
    assert submission.refusals == {}


def test_plain_is_preferred(relay: Relay, authority: trustme.CA) -> None:
    with Peer(extensions=(*EXTENSIONS, "AUTH LOGIN PLAIN"), tls=tls_for(authority), AUTH="235 2.7.0 welcome") as peer:
        assert said(relay.delivers(peer.port, relay.password())) == ["delivered 250 2.0.0"]
        (session,) = peer.sessions
    assert session.commands[:5] == [
        "EHLO relay.contoso.com",
        "STARTTLS",
        "TLS",
        "EHLO relay.contoso.com",
        "AUTH PLAIN AGFAY29udG9zby5jb20AcGE1NX53b3Jk",
    ]


@pytest.mark.parametrize(
    "refusal", [replies.WRONG_PASSWORD, replies.OFF_FOR_TENANT, replies.SECURITY_DEFAULTS, replies.CONDITIONAL_ACCESS]
)
def test_a_refused_password_is_not_tried_for_each_mail_but_after_a_while(
    relay: Relay, submission: Submission, refusal: str
) -> None:
    mailbox = submission.mailbox(SCANNER, PASSWORD)
    mailbox.refusal = refusal
    account = relay.password()
    outcomes = relay.delivers(submission.port, account, count=5)
    assert said(outcomes) == ["deferred 451 4.7.0"] * 5
    assert {outcome.reply.text.partition(" in: ")[2] for outcome in outcomes} == {refusal}
    assert submission.refusals.total() == 1
    mailbox.refusal = ""
    relay.clock.now += 301
    assert said(relay.delivers(submission.port, account)) == ["delivered 250 2.0.0"]


def test_a_wrong_password_is_tried_once_however_many_mails_there_are(relay: Relay, submission: Submission) -> None:
    """Else they would be enough to have the mailbox locked."""
    mailbox = submission.mailbox(SCANNER, "another one")
    assert said(relay.delivers_at_once(submission.port, relay.password(), 10)) == ["deferred 451 4.7.0"] * 10
    assert submission.refusals.total() == 1
    mailbox.password, submission.limits.connections = PASSWORD, 10
    assert said(relay.delivers_at_once(submission.port, relay.password(), 10)) == ["delivered 250 2.0.0"] * 10


def test_passwords_when_basic_authentication_is_over(relay: Relay, submission: Submission) -> None:
    submission.mailbox(SCANNER, PASSWORD)
    submission.basic_is_over = True
    (outcome,) = relay.delivers(submission.port, relay.password())
    assert outcome.status is Status.DEFERRED
    assert "550 5.7.30 Basic authentication is not supported" in outcome.reply.text


def test_trouble_with_signing_in_is_tried_again_soon(relay: Relay, authority: trustme.CA) -> None:
    script = ["454 4.7.0 Temporary authentication failure", "235 2.7.0 welcome"]
    account = relay.password()
    with Peer(extensions=(*EXTENSIONS, "AUTH PLAIN"), tls=tls_for(authority), AUTH=script) as peer:
        assert said(relay.delivers(peer.port, account, count=2)) == ["deferred 451 4.7.0"] * 2
        relay.clock.now += 31
        assert said(relay.delivers(peer.port, account)) == ["delivered 250 2.0.0"]
        assert len(peer.sessions) == 2


@pytest.mark.parametrize(
    ("offered", "text"),
    [
        ((), "offers no AUTH, and the credential needs XOAUTH2"),
        (("AUTH PLAIN CRAM-MD5",), "offers AUTH CRAM-MD5 PLAIN, and the credential needs XOAUTH2"),
    ],
)
def test_a_server_that_does_not_offer_what_the_credential_needs(
    relay: Relay, authority: trustme.CA, offered: tuple[str, ...], text: str
) -> None:
    with Peer(extensions=(*EXTENSIONS, *offered), tls=tls_for(authority)) as peer:
        (outcome,) = relay.delivers(peer.port, relay.application())
    assert said([outcome]) == ["deferred 451 4.7.4"]
    assert outcome.reply.text.endswith(text)


def test_nobody_signs_in_without_tls(relay: Relay) -> None:
    relay.connector = replace(CONNECTOR, tls_settings=TlsSettings.OPPORTUNISTIC)
    with Peer(extensions=(*EXTENSIONS, "AUTH PLAIN"), AUTH="235 2.7.0 welcome") as peer:
        (outcome,) = relay.delivers(peer.port, relay.password())
        assert said([outcome]) == ["deferred 451 4.7.11"]
        assert not [line for line in peer.sessions[0].commands if line.startswith("AUTH")]


def test_no_server_is_called_where_there_is_no_token(relay: Relay, submission: Submission) -> None:
    relay.app.secret = "another one"
    (outcome,) = relay.delivers(submission.port, relay.application())
    assert said([outcome]) == ["deferred 451 4.7.0"]
    assert outcome.reply.text.startswith(f'no token for the credential "{SCANNER}": AADSTS7000215: ')
    assert outcome.remote == ""
    assert submission.sign_ins == []


def test_a_session_that_the_server_has_signed_out_is_not_the_mail_s_fault(relay: Relay, authority: trustme.CA) -> None:
    script = ["530 5.7.57 Client not authenticated to send mail.", GOOD]
    keys: dict[str, Any] = {"extensions": (*EXTENSIONS, "AUTH PLAIN"), "AUTH": "235 2.7.0 welcome", "MAIL": script}
    with Peer(tls=tls_for(authority), **keys) as peer:
        outcomes = relay.delivers(peer.port, relay.password(), count=2)
        assert said(outcomes) == ["deferred 451 4.7.0", "delivered 250 2.0.0"]
        assert outcomes[0].reply.text.endswith(f"has {SCANNER} signed out: {script[0]}")
        assert len(peer.sessions) == 2


def test_the_next_host_is_not_tried_with_what_the_first_one_refused(relay: Relay, submission: Submission) -> None:
    submission.mailbox(SCANNER, "another one")
    relay.sender.resolver.hosts[HOST] = ["127.0.0.1", "127.0.0.2"]
    assert said(relay.delivers(submission.port, relay.password())) == ["deferred 451 4.7.0"]
    assert submission.refusals.total() == 1


def test_several_credentials_take_turns(relay: Relay, submission: Submission) -> None:
    for user in (SCANNER, COPIER):
        submission.mailbox(user, PASSWORD, send_as={SCANNER})
    accounts = [relay.password(user) for user in (SCANNER, COPIER)]
    assert said(relay.delivers(submission.port, *accounts, count=4)) == ["delivered 250 2.0.0"] * 4
    assert submission.sign_ins == [SCANNER, COPIER] * 2


def test_a_refused_credential_is_passed_over(relay: Relay, submission: Submission) -> None:
    submission.mailbox(COPIER, PASSWORD, send_as={SCANNER})
    accounts = [relay.password(user) for user in (SCANNER, COPIER)]
    assert said(relay.delivers(submission.port, *accounts, count=4)) == ["delivered 250 2.0.0"] * 4
    assert submission.sign_ins == [COPIER] * 4
    assert submission.refusals.total() == 1


def test_where_no_credential_is_taken_the_mail_waits(relay: Relay, submission: Submission) -> None:
    accounts = [relay.password(user) for user in (SCANNER, COPIER)]
    assert said(relay.delivers(submission.port, *accounts, count=3)) == ["deferred 451 4.7.0"] * 3
    assert submission.refusals.total() == 2


def test_sending_as_somebody_else_fails_for_good(relay: Relay, submission: Submission) -> None:
    submission.mailbox(COPIER, PASSWORD)
    (outcome,) = relay.delivers(submission.port, relay.password(COPIER))
    assert said([outcome]) == ["failed 550 5.7.60"]
