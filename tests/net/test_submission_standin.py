"""The stand-in of Exchange Online's client submission, spoken to as Microsoft's pages say, with Python's own client.

https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
https://learn.microsoft.com/exchange/troubleshoot/send-emails/smtp-submission-improvements
"""

from __future__ import annotations

import base64
import contextlib
import json
import smtplib
import ssl
from collections.abc import Callable, Iterator

import pytest
import trustme

from standins import submission_replies as replies
from standins.entra import Entra
from standins.submission import RESOURCE, Limits, Mailbox, Submission
from support.house import wait_for

HOST, SCANNER, PASSWORD = "smtp.office365.test", "scanner@contoso.test", "pa55~word"
MAIL = b"From: Scanner <scanner@contoso.test>\r\nTo: bob@example.test\r\nSubject: Scan\r\n\r\n.\r\nPage 1\r\n"

Connect = Callable[..., smtplib.SMTP]


@pytest.fixture
def submission(authority: trustme.CA, entra: Entra) -> Iterator[Submission]:
    with Submission(authority, entra, host=HOST, limits=Limits(recipients=3, recipients_per_day=5)) as running:
        yield running


@pytest.fixture
def mailbox(submission: Submission) -> Mailbox:
    return submission.mailbox(SCANNER, PASSWORD)


@pytest.fixture
def connect(submission: Submission, authority: trustme.CA) -> Iterator[Connect]:
    """A session, in TLS unless that isn't wanted."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with contextlib.ExitStack() as sessions:

        def connect(*, tls: bool = True) -> smtplib.SMTP:
            client = smtplib.SMTP("127.0.0.1", submission.port, "device.test", timeout=20)
            sessions.callback(client.close)
            client._host = HOST  # what starttls verifies
            client.ehlo()
            if tls:
                client.starttls(context=context)
                client.ehlo()
            return client

        yield connect


def test_before_tls_nothing_but_tls_is_offered(connect: Connect, mailbox: Mailbox) -> None:
    client = connect(tls=False)
    assert (client.has_extn("starttls"), client.has_extn("auth")) == (True, False)
    assert said(client.docmd("AUTH", "LOGIN")) == replies.NO_MECHANISM
    assert said(client.mail(SCANNER)) == replies.STARTTLS_FIRST


def test_login_and_xoauth2_are_offered_but_not_plain(connect: Connect, mailbox: Mailbox) -> None:
    client = connect()
    assert client.esmtp_features["auth"].split() == ["LOGIN", "XOAUTH2"]
    assert not client.has_extn("starttls")
    assert (
        said(client.docmd("AUTH", f"PLAIN {encoded(f'{chr(0)}{SCANNER}{chr(0)}{PASSWORD}')}")) == replies.NO_MECHANISM
    )


def test_mail_without_signing_in(connect: Connect) -> None:
    assert said(connect().mail(SCANNER)) == replies.NOT_SIGNED_IN


def test_a_mail_by_login(connect: Connect, mailbox: Mailbox, submission: Submission) -> None:
    client = connect()
    assert client.login(SCANNER, PASSWORD) == (235, b"2.7.0 Authentication successful")
    assert client.sendmail(SCANNER, ["bob@example.test"], MAIL) == {}
    (mail,) = submission.submitted
    assert (mail.mailbox, mail.sender, mail.recipients, mail.content) == (
        SCANNER,
        SCANNER,
        ["bob@example.test"],
        MAIL,
    )
    assert submission.mails_to("bob@example.test") == [MAIL]


def test_a_mail_in_one_chunk(connect: Connect, mailbox: Mailbox, submission: Submission) -> None:
    client = connect()
    client.login(SCANNER, PASSWORD)
    client.mail(SCANNER)
    client.rcpt("bob@example.test")
    client.send(b"BDAT %d LAST\r\n%b" % (len(MAIL), MAIL))
    assert client.getreply()[0] == 250
    assert submission.mails_to("bob@example.test") == [MAIL]


@pytest.mark.parametrize(
    "refusal",
    [replies.OFF_FOR_TENANT, replies.OFF_FOR_MAILBOX, replies.SECURITY_DEFAULTS, replies.CONDITIONAL_ACCESS],
)
def test_signing_in_that_the_tenant_forbids(connect: Connect, mailbox: Mailbox, refusal: str) -> None:
    mailbox.refusal = refusal
    assert refused_login(connect(), PASSWORD) == refusal


def test_a_wrong_password(connect: Connect, mailbox: Mailbox) -> None:
    client = connect()
    assert refused_login(client, "guess") == replies.WRONG_PASSWORD
    assert said(client.mail(SCANNER)) == replies.NOT_SIGNED_IN


def test_a_password_when_basic_authentication_is_over(
    connect: Connect, mailbox: Mailbox, submission: Submission
) -> None:
    submission.basic_is_over = True
    assert refused_login(connect(), PASSWORD) == replies.BASIC_IS_OVER


def test_an_application_s_token_is_good_for_the_mailboxes_it_has_a_right_to(
    connect: Connect, mailbox: Mailbox, entra: Entra
) -> None:
    token = entra.issue("its client id", RESOURCE)
    assert xoauth2(connect(), token) == replies.UNSUCCESSFUL
    mailbox.applications.add("its client id")
    assert xoauth2(connect(), token) == "235 2.7.0 Authentication successful"


def test_a_user_s_token_is_good_for_his_own_mailbox(connect: Connect, mailbox: Mailbox, entra: Entra) -> None:
    assert xoauth2(connect(), entra.issue("any", RESOURCE, SCANNER)) == "235 2.7.0 Authentication successful"
    assert xoauth2(connect(), entra.issue("any", RESOURCE, "bob@contoso.test")) == replies.UNSUCCESSFUL


def test_tokens_that_are_no_good(connect: Connect, mailbox: Mailbox, entra: Entra) -> None:
    mailbox.applications.add("app")
    for_graph = entra.issue("app", "https://graph.microsoft.com")
    entra.lifetime = -1
    expired = entra.issue("app", RESOURCE)
    for token in (for_graph, expired, "never issued"):
        assert xoauth2(connect(), token) == replies.UNSUCCESSFUL


def test_a_refusal_that_comes_as_a_challenge(connect: Connect, mailbox: Mailbox, submission: Submission) -> None:
    submission.challenges = True
    client = connect()
    code, challenge = client.docmd("AUTH", f"XOAUTH2 {encoded(f'user={SCANNER}{chr(1)}auth=Bearer x{chr(1)}{chr(1)}')}")
    assert (code, json.loads(base64.b64decode(challenge))["status"]) == (334, "401")
    assert said(client.docmd("")) == replies.UNSUCCESSFUL


def test_sending_as_somebody_else(connect: Connect, mailbox: Mailbox) -> None:
    client = connect()
    client.login(SCANNER, PASSWORD)
    boss = MAIL.replace(b"scanner@", b"boss@")
    assert send(client, SCANNER, boss) == replies.send_as_denied(SCANNER, "boss@contoso.test")
    assert send(client, "boss@contoso.test", MAIL) == replies.MAY_NOT_SEND_AS
    mailbox.send_as.add("boss@contoso.test")
    assert send(client, "boss@contoso.test", boss).startswith("250 2.0.0 OK")


def test_the_fourth_connection_of_a_mailbox_may_not_send(connect: Connect, mailbox: Mailbox) -> None:
    clients = [connect() for _ in range(4)]
    for client in clients:
        client.login(SCANNER, PASSWORD)
    assert send(clients[0], SCANNER, MAIL) == replies.TOO_MANY_CONNECTIONS
    clients[3].quit()
    wait_for(lambda: mailbox.connections == 3)
    assert send(clients[0], SCANNER, MAIL).startswith("250 2.0.0 OK")
    assert mailbox.most_connections == 4


def test_limits_of_a_message_a_minute_and_a_day(connect: Connect, mailbox: Mailbox, submission: Submission) -> None:
    client = connect()
    client.login(SCANNER, PASSWORD)
    client.mail(SCANNER)
    answers = [said(client.rcpt(f"r{number}@example.test")) for number in range(4)]
    assert answers[2:] == ["250 2.1.5 Recipient OK", replies.TOO_MANY_RECIPIENTS]
    assert client.data(MAIL)[0] == 250
    submission.limits.messages_per_minute = 1
    assert send(client, SCANNER, MAIL).startswith("250"), "what is too fast is delayed, and that shows nowhere"
    submission.limits.refuses_fast = True
    assert send(client, SCANNER, MAIL) == replies.TOO_FAST
    submission.limits.messages_per_minute = 30
    assert send(client, SCANNER, MAIL).startswith("250")
    assert send(client, SCANNER, MAIL) == replies.QUOTA_EXCEEDED
    assert submission.refusals["554 5.2.0"] == 1


def test_tls_is_1_2_at_least(submission: Submission) -> None:
    assert submission.tls.minimum_version == ssl.TLSVersion.TLSv1_2


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def said(reply: tuple[int, bytes]) -> str:
    return f"{reply[0]} {reply[1].decode()}"


def refused_login(client: smtplib.SMTP, password: str) -> str:
    with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        client.login(SCANNER, password)
    return f"{refused.value.smtp_code} {bytes(refused.value.smtp_error).decode()}"


def xoauth2(client: smtplib.SMTP, token: str) -> str:
    """As the page has it: `base64("user=" + userName + "^Aauth=Bearer " + accessToken + "^A^A")`, after a 334."""
    assert client.docmd("AUTH", "XOAUTH2")[0] == 334
    return said(client.docmd(encoded(f"user={SCANNER}\1auth=Bearer {token}\1\1")))


def send(client: smtplib.SMTP, sender: str, content: bytes) -> str:
    client.mail(sender)
    client.rcpt("bob@example.test")
    return said(client.data(content))
