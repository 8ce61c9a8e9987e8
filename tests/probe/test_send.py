import email
import email.message
import email.policy
import socket
from collections.abc import Callable
from typing import Any

import pytest

from posthouse.mail import Body, Notify, Reply, Ret
from posthouse.net.certificates import Authority
from posthouse.organization.certificate import ValidationStatus
from posthouse.probe.send import Attachment, DialogueLine, SendOptions, SendResult, send
from posthouse.smtp.events import Credentials, Extensions, Hello, MailFrom, MessageEnd, RcptTo

BOB, EVE = "bob@example.net", "eve@example.net"
DENIED = Reply(550, "5.7.64", "TenantAttribution; Relay Access Denied")

MakeServer = Callable[..., Any]
Scripted = Callable[..., tuple[SendResult, list[bytes]]]


def parsed(content: bytes) -> email.message.EmailMessage:
    return email.message_from_bytes(content.replace(b"\r\n", b"\n"), policy=email.policy.default)


def said(result: SendResult) -> list[str]:
    """The dialogue without our own remarks."""
    return [str(line) for line in result.dialogue if line.speaker != "*"]


def test_a_mail_in_plain_text(make_server: MakeServer) -> None:
    server = make_server()
    result = server.sent(recipients=(BOB, EVE), subject="Grüße", body="Schöne Grüße\n.\n")
    assert result.accepted
    assert [(one.recipient, one.reply.code) for one in result.replies] == [(BOB, 250), (EVE, 250)]
    mail = parsed(server.content)
    assert (mail["From"], mail["To"], mail["Subject"]) == ("app@contoso.com", f"{BOB}, {EVE}", "Grüße")
    assert mail["Message-ID"] == f"<{result.message_id}@contoso.com>"
    assert mail.get_content() == "Schöne Grüße\n.\n"
    assert server.content.isascii()
    assert (result.tls, result.server_certificate, result.client_certificate_requested) == ("", None, False)


def test_the_dialogue_is_kept_and_told_as_it_happens(make_server: MakeServer) -> None:
    heard: list[DialogueLine] = []
    result = make_server(extensions=Extensions(chunking=False, smtputf8=False)).sent(observe=heard.append)
    assert tuple(heard) == result.dialogue
    assert [line.seconds for line in heard] == sorted(line.seconds for line in heard)
    content = next(line.text for line in heard if line.text.endswith("bytes of content"))
    assert said(result) == [
        "S: 220 mx.example.net ESMTP",
        "C: EHLO [127.0.0.1]",
        "S: 250-mx.example.net",
        *[f"S: 250-{word}" for word in ("PIPELINING", "SIZE", "8BITMIME")],
        "S: 250 ENHANCEDSTATUSCODES",
        f"C: MAIL FROM:<app@contoso.com> SIZE={content.split()[0]}",
        "C: RCPT TO:<bob@example.net>",
        "C: DATA",
        "S: 250 2.1.0 Sender OK",
        "S: 250 2.1.5 Recipient OK",
        "S: 354 Start mail input; end with <CRLF>.<CRLF>",
        "S: 250 2.6.0 Queued mail for delivery",
        "C: QUIT",
        "S: 221 2.0.0 mx.example.net closing the connection",
    ]


def test_the_subject_says_what_it_is_unless_it_is_given(make_server: MakeServer) -> None:
    server = make_server()
    server.sent()
    mail = parsed(server.content)
    assert mail["Subject"] == f"SMTP Relay - {mail['Date']}"
    assert mail.get_content() == "This is a test email using SMTP Relay\n"


def test_attachments(make_server: MakeServer) -> None:
    server = make_server()
    pdf, odd = Attachment("scan.pdf", b"%PDF\x00\xff" * 999), Attachment("Übersicht", b"\n.\n", "application/x-odd")
    assert server.sent(attachments=(pdf, odd)).accepted
    attached = list(parsed(server.content).iter_attachments())
    assert [(part.get_filename(), part.get_content_type()) for part in attached] == [
        ("scan.pdf", "application/pdf"),
        ("Übersicht", "application/x-odd"),
    ]
    assert [part.get_content() for part in attached] == [pdf.content, odd.content]


def test_a_whole_message_from_a_file_goes_out_as_it_is_but_for_its_line_ends(make_server: MakeServer) -> None:
    server = make_server()
    assert server.sent(raw="Subject: a\n\n.dot\r\nGrüße\rend\n".encode()).accepted
    assert server.content == "Subject: a\r\n\r\n.dot\r\nGrüße\r\nend\r\n".encode()
    assert next(event.body for event in server.events if isinstance(event, MailFrom)) is Body.EIGHT_BIT


def test_dsn_parameters(make_server: MakeServer) -> None:
    server = make_server()
    assert server.sent(notify=Notify.SUCCESS | Notify.FAILURE, ret=Ret.HDRS, envid="job+42").accepted
    mail = next(event for event in server.events if isinstance(event, MailFrom))
    assert (mail.ret, mail.envid) == (Ret.HDRS, "job+2B42")
    assert [event.recipient.notify for event in server.events if isinstance(event, RcptTo)] == [
        Notify.SUCCESS | Notify.FAILURE
    ]


def test_addresses_in_utf8(make_server: MakeServer) -> None:
    server = make_server()
    assert server.sent(sender="jörg@contoso.com", recipients=("bücher@example.net",)).accepted
    assert "From: jörg@contoso.com\r\n".encode() in server.content
    assert next(event.smtputf8 for event in server.events if isinstance(event, MailFrom))


def test_a_bounce_has_no_sender(make_server: MakeServer) -> None:
    server = make_server()
    assert server.sent(sender="").accepted
    assert b"From: MAILER-DAEMON@localhost\r\n" in server.content


def test_the_source_address_and_the_name_are_ours_to_choose(make_server: MakeServer) -> None:
    server = make_server()
    assert server.sent(source="127.0.0.9", helo="app.contoso.com").accepted
    assert server.peer == "127.0.0.9"
    assert server.events[0] == Hello("app.contoso.com", extended=True)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_tls_with_a_client_certificate(make_server: MakeServer, authority: Authority, tls: str) -> None:
    identity = authority.issue(["app.contoso.com"])
    server = make_server(
        identity=authority.issue(["mx.example.net"]), implicit=tls == "implicit", extensions=Extensions(starttls=True)
    )
    result = server.sent(tls=tls, identity=identity, trusted_roots=(authority.certificate_pem.decode(),))
    assert result.accepted
    assert result.tls.startswith("TLSv1.3 with cipher ")
    assert result.client_certificate_requested
    assert result.client_certificate_sent
    assert server.client_certificates == [identity.subject]
    assert result.server_certificate
    assert result.server_certificate.status is ValidationStatus.VALID
    assert result.server_certificate.subject == "CN=mx.example.net"
    assert parsed(server.content)["To"] == BOB


def test_tls_without_a_client_certificate_says_that_one_was_asked_for(
    make_server: MakeServer, authority: Authority
) -> None:
    server = make_server(identity=authority.issue(["mx.example.net"]), implicit=True)
    result = server.sent(tls="implicit")
    assert result.accepted
    assert (result.client_certificate_requested, result.client_certificate_sent) == (True, False)
    assert result.server_certificate
    assert result.server_certificate.status is ValidationStatus.UNKNOWN_ISSUER


@pytest.mark.parametrize(
    ("offered", "asked", "used"),
    [(("PLAIN", "LOGIN"), "", "LOGIN"), (("PLAIN",), "", "PLAIN"), (("LOGIN", "PLAIN"), "PLAIN", "PLAIN")],
)
def test_a_login_is_used_and_its_secret_never_shown(
    make_server: MakeServer, offered: tuple[str, ...], asked: str, used: str
) -> None:
    server = make_server(extensions=Extensions(auth=offered))
    result = server.sent(user="scanner", password="s3cret pässword", mechanism=asked)
    assert result.accepted
    assert Credentials(used, "scanner", "s3cret pässword") in server.events
    signing_in = [line.text for line in result.dialogue if "[hidden]" in line.text or line.text.startswith("AUTH")]
    assert signing_in == {
        "LOGIN": ["AUTH LOGIN", "[hidden]", "[hidden]"],
        "PLAIN": ["AUTH PLAIN [hidden]"],
    }[used]  # fmt: skip


def test_a_recipient_that_is_refused_is_the_error_beside_the_others_replies(make_server: MakeServer) -> None:
    server = make_server(
        answer=lambda event: DENIED if isinstance(event, RcptTo) and event.recipient.forward_path == EVE else None
    )
    result = server.sent(recipients=(BOB, EVE))
    assert not result.accepted
    assert result.error == f"{EVE}: 550 5.7.64 TenantAttribution; Relay Access Denied"
    assert [one.reply.code for one in result.replies] == [250, 550]
    assert server.content


NO = Reply(554, "5.7.1", "No")


def refusing(kind: object) -> Callable[[object], Reply | None]:
    return lambda event: NO if event == kind or (isinstance(kind, type) and isinstance(event, kind)) else None


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("greeting", {}),
        (Hello, {}),
        (MailFrom, {}),
        (MessageEnd, {}),
        (Credentials, {"user": "scanner"}),
    ],
)
def test_a_refusal_at_any_stage_is_the_error(make_server: MakeServer, kind: object, options: dict[str, Any]) -> None:
    server = make_server(extensions=Extensions(auth=("PLAIN",)), answer=refusing(kind))
    result = server.sent(**options)
    assert not result.accepted
    assert result.error
    assert "554 5.7.1 No" in result.error


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"tls": "starttls"}, "does not offer STARTTLS"),
        ({"user": "scanner"}, "offers no AUTH LOGIN or PLAIN (no mechanism)"),
        ({"source": "192.0.2.1"}, "source address"),
    ],
)
def test_what_can_not_be_done_is_said(make_server: MakeServer, options: dict[str, Any], error: str) -> None:
    result = make_server().sent(**options)
    assert not result.accepted
    assert result.error
    assert error in result.error
    assert "\n" not in result.error


def test_plain_text_on_a_tls_port_waits_in_vain(make_server: MakeServer, authority: Authority) -> None:
    result = make_server(identity=authority.issue(["mx.example.net"]), implicit=True).sent(timeout=0.05)
    assert result.error
    assert "said nothing for 0.05 s" in result.error


def test_tls_on_a_plain_port_says_so(scripted: Scripted) -> None:
    wrong, _ = scripted(b"220 plain text\r\n", tls="implicit")
    assert wrong.error
    assert "is not TLS" in wrong.error


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (b"220 hello\r\n", "closed the connection"),
        (b"\x16\x03\x01 what\r\n", "no SMTP reply"),
        (b"421 4.3.2 Closing down\r\n", "421 4.3.2 Closing down"),
    ],
)
def test_a_strange_server_is_described(scripted: Scripted, words: bytes, error: str) -> None:
    result, _ = scripted(words)
    assert result.error
    assert error in result.error


def test_nobody_listening() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        result = send(SendOptions(server="127.0.0.1", port=port, sender="a@contoso.com", recipients=(BOB,)))
    assert result.error
    assert result.error.startswith(f"127.0.0.1 port {port}: ")
    assert result.replies == ()
