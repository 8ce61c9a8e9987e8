"""Mail that is too large for one request: taken apart, and what arrives is all of it."""

from __future__ import annotations

import email.policy
import random
from collections.abc import Callable
from email.message import EmailMessage, MIMEPart

import pytest

from posthouse.mail import MemoryContent, Status
from posthouse.transports.graph.transport import MIME_LIMIT
from standins.graph import Graph
from standins.graph_mailbox import Mailbox

SMALL, LARGE = 1_400_000, 9_000_000
FIELDS = {"From": "scanner@contoso.com", "To": "user@contoso.com", "Message-ID": "<1@scanner>", "Subject": "Scan"}


def octets(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def letter(text: str = "The scan is attached.\n") -> EmailMessage:
    message = EmailMessage()
    for name, value in FIELDS.items():
        message[name] = value
    message.set_content(text)
    return message


def spooled(message: EmailMessage | bytes, step: int = 200_000) -> MemoryContent:
    """In pieces, as a file is read."""
    whole = message if isinstance(message, bytes) else message.as_bytes(policy=email.policy.SMTP)
    return MemoryContent(tuple(whole[start : start + step] for start in range(0, len(whole), step)))


def test_a_large_attachment_is_uploaded(sender, graph: Graph) -> None:
    message, scan = letter(), octets(LARGE)
    message.add_attachment(scan, "application", "pdf", filename="Scan №7.pdf")
    item = sender.send(spooled(message))
    (attachment,) = item.attachments
    assert attachment.content == scan
    assert (attachment.name, attachment.content_type, attachment.is_inline) == ("Scan №7.pdf", "application/pdf", False)
    assert item.parsed.get_body().get_content() == "The scan is attached.\r\n"
    assert [*item.parsed.iter_attachments()] == []
    assert graph.operations == ["createMessage", "createUploadSession", *["upload"] * 3, "send"]


def test_smaller_ones_go_in_a_request_each_and_what_fits_stays(sender, graph: Graph) -> None:
    message = letter()
    for name, size in (("a", 200_000), ("b", SMALL), ("c", SMALL - 1)):
        message.add_attachment(octets(size), "image", "tiff", filename=f"{name}.tif")
    item = sender.send(spooled(message))
    assert [(one.name, one.content) for one in item.attachments] == [
        ("b.tif", octets(SMALL)),
        ("c.tif", octets(SMALL - 1)),
    ]
    (kept,) = item.parsed.iter_attachments()
    assert (kept.get_filename(), kept.get_content()) == ("a.tif", octets(200_000))
    assert graph.operations == ["createMessage", "addAttachment", "addAttachment", "send"]


def test_an_image_in_the_text_stays_there(sender) -> None:
    message = letter()
    message.add_alternative('<img src="cid:logo@contoso.com">', "html")
    page = message.get_payload()[1]
    page.add_related(octets(LARGE), "image", "png", cid="<logo@contoso.com>", filename="logo.png")
    message.add_attachment(octets(SMALL), "application", "zip", filename="a.zip")
    item = sender.send(spooled(message))
    image = item.attachments[0]
    assert (image.content, image.is_inline, image.content_id) == (octets(LARGE), True, "logo@contoso.com")
    assert item.parsed.get_body(("html",)).get_content().strip() == '<img src="cid:logo@contoso.com">'


def test_a_mail_in_a_mail_becomes_a_file(sender) -> None:
    inner, message = letter("The inner one.\n"), letter()
    inner.add_attachment(octets(LARGE), "application", "pdf", filename="scan.pdf")
    message.add_attachment(inner)
    whole = message.as_bytes(policy=email.policy.SMTP)
    item = sender.send(spooled(whole))
    (attachment,) = item.attachments
    assert (attachment.name, attachment.content_type) == ("message-1.eml", "message/rfc822")
    assert bytes(attachment.content) in whole
    assert bytes(attachment.content).startswith(b"From: scanner@contoso.com\r\n")


def test_quoted_printable_is_undone(sender) -> None:
    message = letter()
    text = "Größe;Menge\r\n" * 400_000
    message.add_attachment(text, subtype="csv", filename="list.csv", cte="quoted-printable")
    assert bytes(sender.send(spooled(message, 65_521)).attachments[0].content) == text.encode()


def test_a_message_that_is_nothing_but_a_file(sender) -> None:
    message = EmailMessage()
    for name, value in FIELDS.items():
        message[name] = value
    message.set_content(octets(LARGE), "application", "pdf", filename="scan.pdf")
    item = sender.send(spooled(message))
    assert item.attachments[0].content == octets(LARGE)
    assert item.parsed["Subject"] == "Scan"
    assert (item.parsed.get_content_type(), item.parsed.get_content()) == ("text/plain", "")


def test_a_multipart_without_its_only_part_gets_an_empty_text(sender) -> None:
    message = EmailMessage()
    for name, value in FIELDS.items():
        message[name] = value
    message.make_mixed()
    message.add_attachment(octets(LARGE), "application", "pdf", filename="scan.pdf")
    item = sender.send(spooled(message))
    assert item.attachments[0].content == octets(LARGE)
    (left,) = item.parsed.iter_parts()
    assert (left.get_content_type(), left.get_content()) == ("text/plain", "")


def test_recipients_are_those_of_the_envelope_here_too(sender) -> None:
    message = letter()
    message.replace_header("To", "user@contoso.com, other@example.net")
    message.add_attachment(octets(LARGE), "application", "pdf", filename="scan.pdf")
    item = sender.send(spooled(message), "user@contoso.com", "boss@contoso.com")
    assert (item.addresses("To"), item.addresses("Bcc")) == (["user@contoso.com"], ["boss@contoso.com"])


def signed() -> EmailMessage:
    part = MIMEPart()
    part.set_content(octets(LARGE), "application", "pdf", filename="scan.pdf")
    signature = MIMEPart()
    signature.set_content(b"signature", "application", "pkcs7-signature", filename="smime.p7s")
    message = letter()
    message.make_mixed()
    message.set_type("multipart/signed")
    message.set_payload([part, signature])
    return message


def encrypted() -> EmailMessage:
    message = EmailMessage()
    message.set_content(octets(LARGE), "application", "pkcs7-mime", filename="smime.p7m")
    return message


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (signed(), "it is signed or encrypted as a whole, and must not be changed"),
        (encrypted(), "it is signed or encrypted as a whole, and must not be changed"),
        (
            letter("x" * 70 + "\n" + ("y" * 70 + "\n") * 30_000),
            "what is left of it without its attachments is ",
        ),
    ],
)
def test_what_can_not_be_taken_apart_fails_and_says_why(sender, graph: Graph, message: EmailMessage, why: str) -> None:
    (outcome,) = sender.deliver(sender.message(content=spooled(message)))
    assert outcome.status is Status.FAILED
    assert str(outcome.reply).startswith("552 5.3.4 Microsoft Graph takes a message of this size only without its ")
    assert why in outcome.reply.text
    assert outcome.reply.text.endswith("; send it by an outbound connector with transport smtp")
    assert graph.operations == []


def test_a_signed_mail_within_another_leaves_as_it_is(sender) -> None:
    message = letter()
    message.add_attachment(signed())
    whole = message.as_bytes(policy=email.policy.SMTP)
    (attachment,) = sender.send(spooled(whole)).attachments
    assert bytes(attachment.content) in whole
    assert b"multipart/signed" in attachment.content


def test_a_mail_larger_than_the_mailbox_may_send(sender, mailbox: Mailbox) -> None:
    mailbox.size_limit = 5_000_000
    message = letter()
    message.add_attachment(octets(LARGE), "application", "pdf", filename="scan.pdf")
    (outcome,) = sender.deliver(sender.message(content=spooled(message)))
    assert str(outcome.reply).startswith("552 5.3.4 Microsoft Graph answered 400 ErrorMessageSizeExceeded: ")
    assert mailbox.items == {}


@pytest.mark.parametrize("size", [MIME_LIMIT - 100_000, 3_000_000, 4_000_000])
@pytest.mark.parametrize("step", [4096, 99_991])
def test_pieces_of_any_size(sender, size: int, step: int) -> None:
    message = letter()
    message.add_attachment(octets(size), "application", "pdf", filename="scan.pdf")
    assert sender.send(spooled(message, step)).attachments[0].content == octets(size)


Mail = Callable[..., bytes]


def test_it_waits_for_the_permission_to_write_drafts(sender, graph: Graph, mail: Mail) -> None:
    sender.wallet.claims["roles"] = frozenset({"Mail.Send"})
    sender.send(mail())
    message = letter()
    message.add_attachment(octets(LARGE), "application", "pdf", filename="scan.pdf")
    (outcome,) = sender.deliver(sender.message(content=spooled(message)))
    assert str(outcome.reply).startswith("451 4.7.1 Microsoft Graph answered 403 ErrorAccessDenied: ")
