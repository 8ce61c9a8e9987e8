"""What Graph refuses, and what is not known to have been done: never lost, never sent twice without looking."""

from __future__ import annotations

import email.policy
import time
from collections.abc import Callable
from email.message import EmailMessage

import pytest

from posthouse.mail import MemoryContent, Status
from standins.graph import Fault, Graph
from standins.graph_mailbox import Item, Mailbox

Mail = Callable[..., bytes]


def large(size: int = 5_000_000) -> MemoryContent:
    message = EmailMessage()
    message["From"], message["To"], message["Message-ID"] = "scanner@contoso.com", "user@contoso.com", "<1@scanner>"
    message.add_attachment(b"x" * size, "application", "pdf", filename="scan.pdf")
    return MemoryContent((message.as_bytes(policy=email.policy.SMTP),))


@pytest.mark.parametrize(
    ("fault", "reply"),
    [
        (Fault(400, "ErrorMimeContentInvalid", "It is invalid."), "554 5.6.0 Microsoft Graph answered 400 Err"),
        (Fault(400, "ErrorInvalidRecipients", "At least one is not valid."), "553 5.1.3 Microsoft Graph answered 400"),
        (Fault(413, "BadRequest", "The maximum request length is 4MB."), "552 5.3.4 Microsoft Graph answered 413 "),
        (Fault(403, "ErrorAccessDenied", "Access is denied."), "451 4.7.1 Microsoft Graph answered 403 ErrorAccess"),
        (Fault(403, "ErrorExceededMessageLimit", "The day's."), "450 4.2.2 Microsoft Graph answered 403 ErrorExceede"),
        (Fault(418, "IAmATeapot", "New\r\nthings."), "451 4.3.0 Microsoft Graph answered 418 IAmATeapot: New things."),
        (Fault(503, "ErrorServerBusy", "Busy.", "60"), "450 4.3.2 Microsoft Graph answered 503 ErrorServerBusy: Busy."),
        (Fault(429, "TooManyRequests", "", "60"), "450 4.4.5 Microsoft Graph answered 429 TooManyRequests; throttled"),
        (Fault(500, "ErrorInternalServerError", "Oh."), "451 4.3.0 Microsoft Graph answered 500 ErrorInternalServer"),
        (Fault(504, "UnknownError"), "451 4.3.0 Microsoft Graph answered 504 UnknownError"),
        (Fault(0), "451 4.4.2 Microsoft Graph did not answer: "),
    ],
)
def test_what_a_refusal_means_for_the_mail(sender, graph: Graph, mail: Mail, fault: Fault, reply: str) -> None:
    graph.faults["sendMail"].append(fault)
    (outcome,) = sender.deliver(sender.message(content=mail()))
    assert str(outcome.reply).startswith(reply)
    assert outcome.status is (Status.FAILED if reply.startswith("5") else Status.DEFERRED)


def test_a_sender_that_the_mailbox_may_not_be(sender, mail: Mail) -> None:
    (outcome,) = sender.deliver(sender.message(content=mail(**{"from": "boss@contoso.com"})))
    assert str(outcome.reply).startswith("550 5.7.60 Microsoft Graph answered 403 ErrorSendAsDenied: The user account ")


def test_one_that_exchange_finds_invalid_costs_the_others_nothing(
    sender, graph: Graph, mailbox: Mailbox, mail: Mail
) -> None:
    mailbox.invalid = {"typo@contoso"}
    everyone = ["a@contoso.com", "b@contoso.com", "typo@contoso", "c@contoso.com", "d@contoso.com"]
    outcomes = sender.deliver(sender.message(*everyone, content=mail()))
    assert [outcome.recipient for outcome in outcomes if outcome.status is Status.FAILED] == [2]
    assert [item.recipients for item in mailbox.sent] == [everyone[:2], everyone[3:]]


def test_a_mailbox_may_have_a_lower_limit_of_recipients(sender, mailbox: Mailbox, mail: Mail) -> None:
    mailbox.recipient_limit = 3
    everyone = [f"user{number}@contoso.com" for number in range(7)]
    outcomes = sender.deliver(sender.message(*everyone, content=mail()))
    assert {outcome.status for outcome in outcomes} == {Status.DELIVERED}
    assert [address for item in mailbox.sent for address in item.recipients] == everyone


@pytest.mark.parametrize(
    ("user", "code"), [("nobody@contoso.com", "ErrorInvalidUser"), ("old@contoso.com", "MailboxNotEnabledForRESTAPI")]
)
def test_a_mailbox_that_is_none_costs_no_mail(sender, graph: Graph, mail: Mail, user: str, code: str) -> None:
    graph.mailbox("old@contoso.com", is_enabled=False)
    sender.users = [user]
    (outcome,) = sender.deliver(sender.message(content=mail()))
    assert str(outcome.reply).startswith(f"451 4.3.5 Microsoft Graph answered 404 {code}: ")


def test_nobody_there(sender, mail: Mail) -> None:
    sender.endpoint = "https://127.0.0.1:1"
    (outcome,) = sender.deliver(sender.message(content=mail()))
    assert (outcome.status, outcome.remote) == (Status.DEFERRED, "")
    assert str(outcome.reply).startswith("451 4.4.1 Microsoft Graph is not reached: ")


def test_a_certificate_that_is_not_trusted(sender, mail: Mail) -> None:
    sender.endpoint = sender.endpoint.replace("127.0.0.1", "localhost")
    (outcome,) = sender.deliver(sender.message(content=mail()))
    assert str(outcome.reply).startswith("451 4.4.1 Microsoft Graph is not reached: ")
    assert "certificate" in outcome.reply.text.lower()


def test_a_token_that_has_expired_is_replaced(sender, graph: Graph, mail: Mail) -> None:
    sender.wallet.held = graph.token(expires_at=1.0)
    (outcome,) = sender.deliver(sender.message(content=mail()))
    assert outcome.status is Status.DELIVERED
    assert len(sender.wallet.forgotten) == 1


def test_a_token_that_is_none_is_not_told(sender, mail: Mail) -> None:
    sender.wallet.held = "se\ncret"
    (outcome,) = sender.deliver(sender.message(content=mail()))
    assert str(outcome.reply) == "451 4.4.2 Microsoft Graph did not answer: LocalProtocolError"


def test_a_token_that_is_never_good_enough_is_asked_for_twice(sender, mail: Mail) -> None:
    sender.wallet.claims["audience"] = "https://outlook.office365.com"
    (outcome,) = sender.deliver(sender.message(content=mail()))
    assert str(outcome.reply).startswith("454 4.7.0 Microsoft Graph answered 401 InvalidAuthenticationToken: ")
    assert len(sender.wallet.forgotten) == 2


def test_a_short_pause_is_waited_out(sender, graph: Graph, mailbox: Mailbox, mail: Mail) -> None:
    graph.faults["sendMail"].extend([Fault(429, "ApplicationThrottled", "", "0.2"), Fault(503, "Busy", "", "0.1")])
    began = time.monotonic()
    sender.send(mail())
    assert time.monotonic() - began >= 0.3
    assert graph.operations == ["sendMail"] * 3


@pytest.mark.parametrize("wanted", ["99999999999", "1e999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_pause_is_longer_than_an_hour(sender, graph: Graph, mail: Mail, wanted: str) -> None:
    graph.faults["sendMail"].append(Fault(429, "ApplicationThrottled", "Over.", wanted))
    (outcome,) = sender.deliver(sender.message(content=mail()))
    assert outcome.reply.text.endswith("; throttled, it takes more in 3600 s")


@pytest.mark.parametrize("wanted", ["nan", "-5", "soon", "Mon, 01 Jan 0001 00:00:00 -0000", ""])
def test_a_pause_that_is_none_is_a_short_one(sender, graph: Graph, mail: Mail, wanted: str) -> None:
    graph.faults["sendMail"].extend([Fault(429, "ApplicationThrottled", "", wanted), Fault(429, "", "", "60")])
    (outcome,) = sender.deliver(sender.message(content=mail()))
    assert outcome.reply.text.endswith("; throttled, it takes more in 60 s")


def test_in_a_long_one_nothing_is_asked_and_all_wait(sender, graph: Graph, mail: Mail) -> None:
    graph.faults["sendMail"].append(Fault(429, "ApplicationThrottled", "Over.", "300"))
    first, second = sender.deliver(*(sender.message(content=mail(), number=number) for number in range(2)))
    assert first.reply.text.endswith("ApplicationThrottled: Over.; throttled, it takes more in 300 s")
    assert str(second.reply).startswith("450 4.4.5 Microsoft Graph wants a pause for the mailbox scanner@contoso.com;")
    assert (second.status, second.remote) == (Status.DEFERRED, "")
    assert graph.operations == ["sendMail"]


def test_another_mailbox_goes_on_where_one_can_not_sign_in(sender, graph: Graph, mail: Mail) -> None:
    other = graph.mailbox("scanner2@contoso.com", send_as={sender.mailbox.address})
    sender.users.append(other.address)
    sender.wallet.locked.add(sender.mailbox.address)
    sender.is_first = False
    (outcome,) = sender.deliver(sender.message(content=mail()))
    assert (outcome.status, len(other.sent)) == (Status.DELIVERED, 1)


def test_another_mailbox_goes_on(sender, graph: Graph, mail: Mail) -> None:
    other = graph.mailbox("scanner2@contoso.com", send_as={sender.mailbox.address})
    sender.users.append(other.address)
    graph.faults["sendMail"].append(Fault(429, "ApplicationThrottled", "", "300"))
    outcomes = sender.deliver(*(sender.message(content=mail(), number=number) for number in range(3)))
    assert [outcome.status for outcome in outcomes] == [Status.DEFERRED, Status.DELIVERED, Status.DELIVERED]


@pytest.mark.parametrize("fault", [Fault(504, done=True), Fault(0, done=True), Fault(500, done=True)])
@pytest.mark.parametrize("size", [0, 5_000_000])
def test_what_went_although_the_answer_was_lost(
    sender, graph: Graph, mailbox: Mailbox, mail: Mail, fault: Fault, size: int
) -> None:
    graph.faults["send" if size else "sendMail"].append(Fault(fault.status, done=True))
    content = large(size) if size else mail()
    (outcome,) = sender.deliver(sender.message("user@contoso.com", "boss@contoso.com", content=content))[:1]
    assert outcome.status is Status.DELIVERED
    assert len(mailbox.sent) == 1
    assert mailbox.drafts == []


def test_it_is_looked_for_again_before_the_next_attempt(sender, graph: Graph, mailbox: Mailbox, mail: Mail) -> None:
    """It appears in Sent Items only some time after the 504."""
    message = sender.message(content=mail())
    graph.faults["sendMail"].append(Fault(504))
    (outcome,) = sender.deliver(message)
    assert outcome.status is Status.DEFERRED
    mailbox.items["late"] = Item("late", mail(), "sentitems")
    sender.is_first = False
    (outcome,) = sender.deliver(sender.message(content=mail()))
    assert outcome.status is Status.DELIVERED
    assert mailbox.sent == []
    assert graph.operations == ["sendMail", "findMessages", "findMessages"]


def test_a_device_that_has_one_message_id_for_all_mail(sender, mailbox: Mailbox, mail: Mail) -> None:
    mailbox.items["earlier"] = Item("earlier", mail(), "sentitems", sent_at=time.time() - 600)
    sender.is_first = False
    sender.send(mail())
    assert len(mailbox.sent) == 1


def test_a_message_id_that_can_not_be_looked_for(sender, graph: Graph, mailbox: Mailbox, mail: Mail) -> None:
    """As one that is too long for an address."""
    graph.faults["findMessages"].append(Fault(414, "UriTooLong", "The request URI is too long."))
    sender.is_first = False
    sender.send(mail())
    assert len(mailbox.sent) == 1


def test_the_same_message_id_to_others_is_another_mail(sender, mailbox: Mailbox, mail: Mail) -> None:
    """As of applications that hand in one message for each recipient."""
    sender.is_first = False
    sender.send(mail(), "user@contoso.com")
    sender.send(mail(), "boss@contoso.com")
    assert [item.recipients for item in mailbox.sent] == [["user@contoso.com"], ["boss@contoso.com"]]


def test_a_draft_of_a_worker_that_died_is_removed(sender, mailbox: Mailbox, mail: Mail) -> None:
    mailbox.items["left"] = Item("left", mail(), "drafts")
    mailbox.items["other"] = Item("other", mail(to="boss@contoso.com"), "drafts")
    sender.is_first = False
    sender.send(large())
    assert [item.id for item in mailbox.drafts] == ["other"]


def test_an_application_that_may_only_send_can_not_look(sender, mailbox: Mailbox, mail: Mail) -> None:
    sender.wallet.claims["roles"] = frozenset({"Mail.Send"})
    sender.is_first = False
    sender.send(mail())
    assert len(mailbox.sent) == 1


@pytest.mark.parametrize("operation", ["createUploadSession", "upload", "send"])
def test_a_draft_that_can_not_be_finished_is_removed(sender, graph: Graph, mailbox: Mailbox, operation: str) -> None:
    graph.faults[operation].append(Fault(400, "ErrorItemNotFound", "Gone."))
    (outcome,) = sender.deliver(sender.message(content=large()))
    assert outcome.status is Status.DEFERRED
    assert mailbox.items == {}
    assert sender.send(large()).attachments[0].content == b"x" * 5_000_000


def test_an_upload_goes_on_after_a_pause(sender, graph: Graph) -> None:
    graph.faults["upload"].append(Fault(503, "Busy", "", "0.1"))
    assert sender.send(large()).attachments[0].content == b"x" * 5_000_000


def test_mime_that_vanished_is_not_taken_for_sent(sender, graph: Graph, mailbox: Mailbox, mail: Mail) -> None:
    graph.faults["sendMail"].append(Fault(200))
    (outcome,) = sender.deliver(sender.message(content=mail()))
    assert outcome.status is Status.DEFERRED
    assert graph.operations == ["sendMail", "findMessages"]
