"""What a transaction makes of the content that came in."""

from __future__ import annotations

from typing import cast

import pytest

from posthouse.mail import Body, Client, Envelope, Recipient
from posthouse.organization import Organization, Peer, attribute, candidates
from posthouse.relay.budget import Budget
from posthouse.relay.transaction import Transaction
from posthouse.smtp import MailFrom
from posthouse.spool import NewMessage, Spool

NO_SPOOL = cast("Spool", None)  # nothing here is large enough to need one
ASCII = b"Subject: plain\r\n\r\nplain\r\n"
EIGHT_BIT = "Subject: plain\r\n\r\nGrüße\r\n".encode()


def taken(content: bytes, mail: MailFrom, *recipients: str) -> NewMessage:
    organization = Organization()
    attribution = attribute(candidates(organization, Peer("192.0.2.1")), mail.reverse_path)
    transaction = Transaction("0" * 25, mail, organization, attribution, hostname="relay.test", spool=NO_SPOOL)
    transaction.recipients.extend(map(Recipient, recipients))
    for start in range(0, len(content), 7):
        transaction.add_content(content[start : start + 7])
    return transaction.finish(Client("192.0.2.1", "device"), "", 0.0, Budget())


def envelope(content: bytes, mail: MailFrom, *recipients: str) -> Envelope:
    return taken(content, mail, *recipients).message.envelope


def test_the_trace_line_goes_before_the_content_which_stays_as_it_is() -> None:
    message = taken(EIGHT_BIT, MailFrom("a@contoso.com"), "b@example.net").message
    content = b"".join(message.content.chunks())
    assert content.startswith(b"Received: from device (unknown [192.0.2.1])\r\n\tby relay.test with ESMTP id 000")
    assert content.endswith(b"+0000\r\n" + EIGHT_BIT)


@pytest.mark.parametrize(("content", "body"), [(ASCII, Body.SEVEN_BIT), (EIGHT_BIT, Body.EIGHT_BIT)])
def test_8bitmime_is_claimed_only_for_content_that_needs_it(content: bytes, body: Body) -> None:
    assert envelope(content, MailFrom("a@contoso.com", body=Body.EIGHT_BIT), "b@example.net").body is body


@pytest.mark.parametrize(
    ("content", "sender", "recipient", "claimed"),
    [
        (ASCII, "a@contoso.com", "b@example.net", False),
        (EIGHT_BIT, "a@contoso.com", "b@example.net", True),
        (ASCII, "ä@contoso.com", "b@example.net", True),
        (ASCII, "a@contoso.com", "ö@example.net", True),
    ],
)
def test_smtputf8_is_claimed_only_where_something_needs_it(
    content: bytes, sender: str, recipient: str, claimed: bool
) -> None:
    assert envelope(content, MailFrom(sender, smtputf8=True), recipient).smtputf8 is claimed


def test_the_trace_is_told_why_it_was_taken_and_why_it_goes_this_way() -> None:
    assert taken(ASCII, MailFrom("a@contoso.com"), "b@example.net", "c@example.net").reasons.split("\n") == [
        "there is no inbound connector",
        "no enabled outbound connector has example.net in its RecipientDomains, and none is for all domains",
    ]
