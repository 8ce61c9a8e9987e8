"""Mail that fits into one request: sent as it is, and nobody gets it who isn't in the envelope."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from posthouse.mail import DsnDuty, Status
from posthouse.transports.graph.transport import MIME_LIMIT
from standins.graph import VANISHING, Graph
from standins.graph_mailbox import Mailbox

Mail = Callable[..., bytes]


def test_a_message_leaves_byte_by_byte_as_it_came(sender, mail: Mail) -> None:
    content = mail(to="user@contoso.com, Other <other@example.net>")
    item = sender.send(content, "user@contoso.com", "other@example.net")
    assert item.mime == content
    assert item.recipients == ["user@contoso.com", "other@example.net"]
    assert sender.wallet.scopes == {f"{sender.endpoint}/.default"}


def test_an_outcome_says_who_sends_and_that_dsns_are_ours(sender, mail: Mail) -> None:
    (outcome,) = sender.deliver(sender.message(content=mail()))
    assert (outcome.status, outcome.duty, outcome.remote) == (Status.DELIVERED, DsnDuty.RELAYED, "127.0.0.1")
    assert str(outcome.reply) == "250 2.0.0 Microsoft Graph sends it as scanner@contoso.com"


def test_who_is_in_no_field_gets_it_and_is_shown_to_nobody(sender, mail: Mail) -> None:
    item = sender.send(mail(), "user@contoso.com", "boss@contoso.com")
    assert item.addresses("To") == ["user@contoso.com"]
    assert item.addresses("Bcc") == ["boss@contoso.com"]


def test_who_is_not_in_this_delivery_does_not_get_it_again(sender, mail: Mail) -> None:
    item = sender.send(mail(to="user@contoso.com, other@example.net", cc="third@example.net"), "user@contoso.com")
    assert item.recipients == ["user@contoso.com"]
    assert item.parsed["X-Posthouse-To"] == "user@contoso.com, other@example.net"
    assert item.parsed["X-Posthouse-Cc"] == "third@example.net"


def test_a_message_without_a_message_id_gets_one(sender, mail: Mail) -> None:
    item = sender.send(mail(message_id=""))
    assert item.message_id == "<0000000000000000000000000@relay.contoso.com>"


def test_what_is_above_the_limit_is_never_sent_in_one_request(sender, graph: Graph, mail: Mail) -> None:
    fits = mail("x" * (MIME_LIMIT - len(mail(""))))
    assert len(fits) == MIME_LIMIT < VANISHING
    sender.send(fits)
    (outcome,) = sender.deliver(sender.message(content=fits + b"x"))
    assert outcome.reply.code == 552
    assert graph.operations == ["sendMail"]


def test_more_recipients_than_a_message_may_have_go_in_several(sender, mailbox: Mailbox, mail: Mail) -> None:
    everyone = [f"user{number}@contoso.com" for number in range(501)]
    outcomes = sender.deliver(sender.message(*everyone, content=mail()))
    assert [outcome.recipient for outcome in outcomes if outcome.status is Status.DELIVERED] == list(range(501))
    assert [item.recipients for item in mailbox.sent] == [everyone[:500], everyone[500:]]


def test_one_connection_serves_many_messages(sender, graph: Graph, mailbox: Mailbox, mail: Mail) -> None:
    sender.deliver(*(sender.message(content=mail(), number=number) for number in range(5)))
    assert (len(mailbox.sent), graph.connections) == (5, 1)


def test_no_more_than_four_requests_at_once(sender, graph: Graph, mailbox: Mailbox, mail: Mail) -> None:
    sender.deliver(*(sender.message(content=mail(), number=number) for number in range(20)), at_once=True)
    assert len(mailbox.sent) == 20
    assert graph.most_at_once <= 4


def test_several_mailboxes_share_the_mail(sender, graph: Graph, mail: Mail) -> None:
    other = graph.mailbox("scanner2@contoso.com", send_as={sender.mailbox.address})
    sender.users.append(other.address)
    sender.deliver(*(sender.message(content=mail(), number=number) for number in range(8)), at_once=True)
    assert len(other.sent) == len(sender.mailbox.sent) == 4


@pytest.mark.parametrize("field", ["bcc", "Bcc"])
def test_a_bcc_that_came_in_is_not_trusted(sender, mail: Mail, field: str) -> None:
    item = sender.send(mail(**{field: "stranger@example.net"}))
    assert item.recipients == ["user@contoso.com"]


@pytest.mark.parametrize("sender_field", ["boss@contoso.com", "Tray 2\r\n <tray-2@printers.local>"])
def test_who_is_sender_beside_from_is_for_exchange_to_say(
    sender, mailbox: Mailbox, mail: Mail, sender_field: str
) -> None:
    """It refuses any but the mailbox, and writes Sender itself for who may only send on behalf."""
    mailbox.send_as.add("boss@contoso.com")
    item = sender.send(mail(**{"from": "boss@contoso.com", "sender": sender_field}))
    assert (item.addresses("From"), item.parsed["Sender"], item.parsed["Subject"]) == (
        ["boss@contoso.com"],
        None,
        "Scan",
    )


@pytest.mark.parametrize("sends_from_alias", [False, True])
def test_an_alias_is_shown_where_the_tenant_allows_it(
    sender, mailbox: Mailbox, mail: Mail, *, sends_from_alias: bool
) -> None:
    mailbox.aliases, mailbox.sends_from_alias = {"fax@contoso.com"}, sends_from_alias
    item = sender.send(mail(**{"from": "fax@contoso.com"}))
    assert item.addresses("From") == ["fax@contoso.com" if sends_from_alias else mailbox.address]
