"""Whole bounces, as Exchange Online, Gmail, Postfix, Exim, qmail and we ourselves write them."""

import base64
import quopri

import pytest

from posthouse.analysis import Explanation, explain
from posthouse.mail import Client, Envelope, MemoryContent, Message, Outcome, Recipient, Reply, Status
from posthouse.mail.dsn import DsnKind, compose

EXCHANGE_TEXT = """\
Your message to b@fabrikam.com couldn't be delivered.

Diagnostic information for administrators:

Generating server: AM0PR04MB1234.eurprd04.prod.outlook.com

b@fabrikam.com
Remote server returned '550 5.7.64 TenantAttribution; Relay Access Denied [ValidationStatus of 'CN=relay.contoso.com' \
is Expired] [AM3PEPF0000A793.eurprd04.prod.outlook.com 2026-11-24T10:00:00.000Z 08DE]'

Original message headers:

Received: from AM0PR04MB1234.eurprd04.prod.outlook.com ([192.0.2.1]) by x with mapi id 15.20.7135.17
Subject: 550 5.1.1 is only the subject
"""

EXCHANGE = """\
From: <postmaster@contoso.onmicrosoft.com>
To: scanner@contoso.com
Subject: Undeliverable: Scan
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="9B095B5ADSN=_01DB"
MIME-Version: 1.0

This is a MIME-formatted message.

--9B095B5ADSN=_01DB
Content-Type: multipart/alternative; boundary="alt"

--alt
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: base64

{text}

--alt
Content-Type: text/html; charset="utf-8"

<html><body><p>Remote server returned '550 5.7.64 TenantAttribution;<br>Relay Access Denied'</p></body></html>

--alt--

--9B095B5ADSN=_01DB
Content-Type: message/delivery-status

Reporting-MTA: dns;AM0PR04MB1234.eurprd04.prod.outlook.com

Final-Recipient: rfc822;b@fabrikam.com
Action: failed
Status: 5.7.64
Diagnostic-Code: smtp;550 5.7.64 TenantAttribution; Relay Access Denied
 [ValidationStatus of 'CN=relay.contoso.com' is Expired]
 [AM3PEPF0000A793.eurprd04.prod.outlook.com]

Final-Recipient: rfc822;c@contoso.com
Action: delivered
Status: 2.0.0

--9B095B5ADSN=_01DB
Content-Type: message/rfc822

Received: from a by b
Subject: Scan

421 4.7.66 is quoted in the mail itself
--9B095B5ADSN=_01DB--
"""

GMAIL = """\
From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
Subject: Delivery Status Notification (Failure)
Content-Type: multipart/report; boundary="0"; report-type=delivery-status

--0
Content-Type: multipart/related; boundary="1"

--1
Content-Type: multipart/alternative; boundary="2"

--2
Content-Type: text/plain; charset="UTF-8"

** Address not found **

Your message wasn't delivered to nobody@gmail.com because the address couldn't be found.

The response was:

550-5.1.1 The email account that you tried to reach does not exist. Please try
550-5.1.1 double-checking the recipient's email address for typos or
550 5.1.1 unnecessary spaces. - gsmtp

--2--
--1
Content-Type: image/png; name="icon.png"
Content-Transfer-Encoding: base64

iVBORw0KGgo=
--1--
--0
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.com

Final-Recipient: rfc822; nobody@gmail.com
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please try
 550-5.1.1 double-checking the recipient's email address for typos or
 550 5.1.1 unnecessary spaces. - gsmtp

--0
Content-Type: message/rfc822

Subject: hello

--0--
"""

POSTFIX = """\
From: MAILER-DAEMON@mx.contoso.com (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4F2.1/mx"

--4F2.1/mx
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.contoso.com.

<b@example.net>: host mx.example.net[192.0.2.25] said: 554 5.7.1
    <b@example.net>: Relay access denied (in reply to RCPT TO command)

--4F2.1/mx
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.contoso.com
Arrival-Date: Tue, 24 Nov 2026 10:00:00 +0000 (UTC)

Final-Recipient: rfc822; b@example.net
Action: failed
Status: 5.7.1
Remote-MTA: dns; mx.example.net
Diagnostic-Code: smtp; 554 5.7.1 <b@example.net>: Relay access denied

--4F2.1/mx
Content-Type: text/rfc822-headers

Subject: 550 5.1.1 in a header

--4F2.1/mx--
"""

EXIM = """\
From: Mail Delivery System <Mailer-Daemon@mx.contoso.com>
Subject: Mail delivery failed: returning message to sender
Message-Id: <E1@mx.contoso.com>

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  b@example.net
    host mx.example.net [192.0.2.25]
    SMTP error from remote mail server after RCPT TO:<b@example.net>:
    550 relay not
    permitted
  c@example.nett
    Unrouteable address

------ This is a copy of the message, including all the headers. ------

Subject: 421 4.7.66 in the copy
"""

QMAIL = """\
Return-Path: <>
From: MAILER-DAEMON@mx.contoso.com
Subject: failure notice

Hi. This is the qmail-send program at mx.contoso.com.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<b@example.net>:
192.0.2.25 does not like recipient.
Remote host said: 550-Verification failed for <scanner@contoso.com>
550-No Such User Here
550 Sender verify failed
Giving up on 192.0.2.25.

--- Below this line is a copy of the message.

Subject: 421 4.7.66 in the copy
"""


def only(bounce: str | bytes) -> Explanation:
    (explanation,) = explain(bounce)
    return explanation


def meaning(reply: str) -> str:
    return explain(reply)[0].title


EXPIRED = meaning("550 5.7.64 TenantAttribution; Relay Access Denied [ValidationStatus of 'CN=relay' is Expired]")
WHOLE = EXCHANGE.format(text=base64.encodebytes(EXCHANGE_TEXT.encode()).decode())


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_exchange_online(line_end: str) -> None:
    first, second = explain(WHOLE.replace("\n", line_end).encode())
    assert first.title == EXPIRED
    assert first.reply.endswith("[AM3PEPF0000A793.eurprd04.prod.outlook.com]")
    assert second.title == meaning("550 5.7.64 TenantAttribution; Relay Access Denied")


def test_exchange_online_as_outlook_shows_it() -> None:
    assert only(EXCHANGE_TEXT).title == EXPIRED


def test_gmail() -> None:
    explanation = only(GMAIL)
    assert explanation.title == meaning("550 5.1.1 The email account that you tried to reach does not exist.")
    assert explanation.reply.endswith("for typos or unnecessary spaces. - gsmtp")


def test_postfix() -> None:
    assert only(POSTFIX).reply == "554 5.7.1 <b@example.net>: Relay access denied"


def test_postfix_without_the_report() -> None:
    assert (
        only(POSTFIX.partition("us-ascii\n\n")[2].partition("--4F2")[0]).reply
        == "554 5.7.1 <b@example.net>: Relay access denied"
    )


def test_exim() -> None:
    assert only(EXIM).reply == "550 relay not permitted"


def test_exim_without_a_code() -> None:
    bounce = EXIM.replace("    550 relay not\n    permitted\n", "    Connection refused\n")
    assert only(bounce).title == meaning("550 Unrouteable address")


def test_qmail() -> None:
    assert (
        only(QMAIL).reply == "550 Verification failed for <scanner@contoso.com> No Such User Here Sender verify failed"
    )


def test_a_status_without_a_diagnosis() -> None:
    bounce = POSTFIX.replace("Diagnostic-Code: smtp; 554 5.7.1 <b@example.net>: Relay access denied\n", "")
    bounce = bounce.replace("Status: 5.7.1", "Status: 5.7.708").replace("said: 554 5.7.1", "said nothing")
    assert only(bounce).title == meaning("550 5.7.708 Access denied")


def test_a_diagnosis_takes_its_enhanced_code_from_the_status() -> None:
    bounce = POSTFIX.replace("smtp; 554 5.7.1 <b@example.net>: Relay access denied", "smtp; 550 no")
    first = explain(bounce.replace("Status: 5.7.1", "Status: 5.7.708"))[0]
    assert first.reply == "550 5.7.708 no"


def test_quoted_printable() -> None:
    text = quopri.encodestring("Remote Server returned '550 5.7.708 Access denied, träffic'".encode()).decode()
    bounce = f"MIME-Version: 1.0\nContent-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n{text}"
    assert only(bounce).reply == "550 5.7.708 Access denied, träffic"


def test_base64_that_is_none_is_read_as_it_is() -> None:
    assert (
        only("Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n550 5.7.708 x\n").reply == "550 5.7.708 x"
    )


def test_html_alone() -> None:
    bounce = "Content-Type: text/html\n\n<html><p>said:</p><p>550 5.7.708 <b>Access</b> denied &amp; over</p></html>"
    assert only(bounce).reply == "550 5.7.708 Access denied & over"


@pytest.mark.parametrize(
    ("kind", "status", "reply"),
    [
        (DsnKind.FAILED, Status.FAILED, Reply(550, "5.7.64", "TenantAttribution; Relay Access Denied SMTP")),
        (DsnKind.FAILED, Status.FAILED, Reply(550, "", "no such user")),
        (DsnKind.DELAYED, Status.DEFERRED, Reply(451, "4.4.1", "mx.test [192.0.2.25]:25: Connection refused")),
    ],
)
def test_our_own(kind: DsnKind, status: Status, reply: Reply) -> None:
    """With its help: that must not be taken for replies."""
    content = b"Subject: Scan\r\n\r\n421 4.7.66 in the mail\r\n"
    envelope = Envelope("scanner@contoso.com", (Recipient("b@example.net"),))
    message = Message("01message", 1.8e9, envelope, MemoryContent((content,)), "Scanners", Client("192.0.2.7"))
    known = only(str(reply))
    outcome = Outcome(0, status, reply, "mx.test [192.0.2.25]", 1.8e9)
    _, dsn = compose(
        message,
        [outcome],
        kind=kind,
        dsn_id="02dsn",
        hostname="relay.test",
        at=1.8e9,
        retry_until=None,
        returned=content,
        advice=[known.advice, known.advice],
    )
    assert dsn.count(b"What this means:") == 1
    assert only(dsn).title == known.title
