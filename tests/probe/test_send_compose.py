"""The mail that the test sender makes."""

import email
import email.message
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.probe.compose import Attachment, Mailbox, compose, content_type_of, with_crlf

BOB = Mailbox("bob@example.net")


def composed(**changes: object) -> bytes:
    parts = {
        "sender": Mailbox("app@contoso.com"),
        "recipients": [BOB],
        "subject": "Test",
        "body": "Hello",
        "message_id": "id@contoso.com",
        "at": 1_790_000_000.0,
    }
    return compose(**parts | changes)  # pyright: ignore[reportArgumentType]


def parsed(content: bytes) -> email.message.EmailMessage:
    return email.message_from_bytes(content.replace(b"\r\n", b"\n"), policy=email.policy.default)


@pytest.mark.parametrize(
    ("text", "address", "name"),
    [
        ("bob@example.net", "bob@example.net", ""),
        ("<bob@example.net>", "bob@example.net", ""),
        ("Bob <bob@example.net>", "bob@example.net", "Bob"),
        ('"Builder, Bob" <bob@example.net>', "bob@example.net", "Builder, Bob"),
        ("Jörg Müller <jm@example.net>", "jm@example.net", "Jörg Müller"),
        ('"odd local"@example.net', '"odd local"@example.net', ""),
        ("bob@bücher.example", "bob@xn--bcher-kva.example", ""),
        ("jörg@bücher.example", "jörg@bücher.example", ""),
        ('"a<b"@example.net', '"a<b"@example.net', ""),
        (r'"Bob \"B\"" <bob@example.net>', "bob@example.net", 'Bob "B"'),
        ("postmaster", "postmaster", ""),
        ("", "", ""),
    ],
)
def test_an_address_with_or_without_a_name(text: str, address: str, name: str) -> None:
    assert Mailbox.parse(text) == Mailbox(address, name)


@pytest.mark.parametrize("text", ["bob\r\nRSET", "bob@example.net\n", "Bob\0 <bob@example.net>"])
def test_an_address_is_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"an address is one line$"):
        Mailbox.parse(text)


def test_names_are_seen_and_encoded() -> None:
    content = composed(
        sender=Mailbox.parse("Jörg <app@contoso.com>"), recipients=[Mailbox.parse('"Builder, Bob" <bob@example.net>')]
    )
    assert content.isascii()
    assert b'To: "Builder, Bob" <bob@example.net>\r\n' in content
    assert str(parsed(content)["From"]) == "Jörg <app@contoso.com>"


def test_a_quoted_local_part_keeps_its_quotes_once() -> None:
    assert b'To: "odd local"@example.net\r\n' in composed(recipients=[Mailbox('"odd local"@example.net')])


def test_a_recipient_without_a_domain() -> None:
    assert b"To: postmaster\r\n" in composed(recipients=[Mailbox("postmaster")])


def test_html_stands_beside_the_text_and_before_attachments() -> None:
    mail = parsed(composed(html="<p>Grüße</p>", attachments=[Attachment("scan.pdf", b"%PDF")]))
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "application/pdf",
    ]
    html = mail.get_body(("html",))
    assert html
    assert html.get_content() == "<p>Grüße</p>\n"


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("scan.pdf", "application/pdf"),
        ("scan.TIFF", "image/tiff"),
        ("photo.jpg", "image/jpeg"),
        ("list.csv", "text/csv"),
        ("report.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("report.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("scan.pdf.gz", "application/gzip"),
        ("scan.pdf.Z", "application/octet-stream"),
        ("forwarded.eml", "application/octet-stream"),
        ("no extension", "application/octet-stream"),
    ],
)
def test_the_type_of_an_attachment(name: str, content_type: str) -> None:
    assert content_type_of(name) == content_type


@given(st.binary(max_size=300), st.sampled_from(["a.pdf", "a.txt", "a.eml", "a.html", "ä b.bin"]))
def test_an_attachment_arrives_byte_for_byte(content: bytes, name: str) -> None:
    (attached,) = parsed(composed(attachments=[Attachment(name, content)])).iter_attachments()
    assert attached.get_filename() == name
    assert attached.get_payload(decode=True) == content


def test_a_content_type_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^pdf is no content type; it should be like application/pdf$"):
        Attachment("scan", b"", "pdf")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=200))
def test_any_text_is_sent_as_7_bit_lines_that_any_server_takes(text: str) -> None:
    content = composed(subject=text, body=text, html=text, sender=Mailbox("app@contoso.com", text))
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert b"\n" not in content.replace(b"\r\n", b"")
    body = parsed(content).get_body(("plain",))
    assert body
    assert body.get_content() == f"{text}\n"


@given(st.binary(max_size=100))
def test_a_message_from_a_file_changes_in_nothing_but_its_line_ends(raw: bytes) -> None:
    sent = with_crlf(raw)
    assert sent.split(b"\r\n") == raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    assert with_crlf(sent) == sent
