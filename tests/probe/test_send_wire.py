"""What the test sender says on the wire, to servers of all kinds, and what it hides."""

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest

from posthouse.mail import Notify, Ret
from posthouse.probe.send import SendOptions, SendResult, send
from support.peers import CLOSE, EXTENSIONS, Peer

ALICE, BOB, EVE = "alice@contoso.com", "bob@example.net", "eve@example.net"
SECRET = "s3cret-t0ken"


def sent(peer: Peer, **options: Any) -> SendResult:
    defaults = {"server": "127.0.0.1", "port": peer.port, "sender": "app@contoso.com", "recipients": [BOB]}
    return send(SendOptions(**defaults | options))


def remarks(result: SendResult) -> str:
    return "\n".join(line.text for line in result.dialogue if line.speaker == "*")


@pytest.mark.parametrize(
    ("options", "mail", "rcpt"),
    [
        ({"notify": Notify.NEVER}, "", " NOTIFY=NEVER"),
        ({"notify": Notify.SUCCESS | Notify.FAILURE}, "", " NOTIFY=SUCCESS,FAILURE"),
        ({"notify": Notify.parse("success,failure,delay")}, "", " NOTIFY=SUCCESS,FAILURE,DELAY"),
        ({"ret": Ret.FULL, "envid": "job+42 a=b"}, " RET=FULL ENVID=job+2B42+20a+3Db", ""),
        ({"ret": Ret.HDRS}, " RET=HDRS", ""),
        ({}, "", ""),
    ],
)
def test_dsn_parameters_on_the_wire(options: dict[str, Any], mail: str, rcpt: str) -> None:
    with Peer(extensions=["DSN"]) as peer:
        result = sent(peer, recipients=[BOB, EVE], **options)
    assert result.accepted
    assert "does not offer DSN" not in remarks(result)
    assert peer.sessions[0].commands[1:] == [
        f"MAIL FROM:<app@contoso.com>{mail}",
        f"RCPT TO:<{BOB}>{rcpt}",
        f"RCPT TO:<{EVE}>{rcpt}",
        "DATA",
        "QUIT",
    ]


@pytest.mark.parametrize("options", [{"notify": Notify.SUCCESS}, {"ret": Ret.HDRS}, {"envid": "job"}])
def test_a_server_without_dsn_is_remarked_on(options: dict[str, Any]) -> None:
    with Peer(extensions=["SIZE"]) as peer:
        result = sent(peer, **options)
    assert result.accepted
    assert "the server does not offer DSN: NOTIFY, RET and ENVID are not sent" in remarks(result)
    assert f"RCPT TO:<{BOB}>" in peer.sessions[0].commands


def test_addresses_go_without_their_names_and_domains_in_ascii() -> None:
    with Peer() as peer:
        result = sent(peer, sender="Scanner <app@contoso.com>", recipients=["Bob <bob@bücher.example>"])
    assert [one.recipient for one in result.replies] == ["bob@xn--bcher-kva.example"]
    (message,) = peer.messages
    assert message.mail.split()[:2] == ["MAIL", "FROM:<app@contoso.com>"]
    assert message.recipients == ["RCPT TO:<bob@xn--bcher-kva.example>"]
    assert b"From: Scanner <app@contoso.com>\r\nTo: Bob <bob@xn--bcher-kva.example>\r\n" in message.content
    assert "SMTPUTF8" not in message.mail


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"recipients": ["jörg@example.net"]}, "550 5.6.7"),
        ({"raw": "Grüße\r\n".encode()}, "550 5.6.3"),
        ({"raw": b"x" * 2000}, "552 5.3.4 Message of 2000 bytes is larger than the 1000"),
    ],
)
def test_what_the_server_lacks_is_said_before_mail(options: dict[str, Any], error: str) -> None:
    with Peer(extensions=["SIZE 1000"]) as peer:
        result = sent(peer, **options)
    assert result.error
    assert error in result.error
    assert peer.sessions[0].commands[-1] == "QUIT"
    assert not any(command.startswith("MAIL") for command in peer.sessions[0].commands)


@pytest.mark.parametrize("extensions", [EXTENSIONS, ()], ids=["pipelining", "nothing offered"])
@pytest.mark.parametrize(
    "raw",
    [
        b".\r\n..\r\n.dot\r\n\r\n.\r\n",
        b"Subject: long\r\n\r\n" + b"x" * 5000 + b"\r\n",
        b"Subject: \xff\xfe\r\n\r\n\x00\x80\r\n",
        b"no line end",
    ],
    ids=["dots", "long line", "8-bit", "no line end"],
)
def test_a_whole_message_arrives_byte_for_byte(raw: bytes, extensions: tuple[str, ...]) -> None:
    with Peer(extensions=extensions or ["8BITMIME"]) as peer:
        assert sent(peer, raw=raw).accepted
    (message,) = peer.messages
    assert message.content == raw if raw.endswith(b"\r\n") else message.content == raw + b"\r\n"


def test_each_recipient_has_its_reply_and_each_refusal_its_explanation() -> None:
    denied = "550 5.7.64 TenantAttribution; Relay Access Denied"
    with Peer(RCPT=["250 2.1.5 ok", denied, denied, "550 5.1.1 unknown"]) as peer:
        result = sent(peer, recipients=[ALICE, BOB, EVE, "x@contoso.com"])
    assert [one.reply.code for one in result.replies] == [250, 550, 550, 550]
    assert result.error == f"{BOB}: {denied}"
    assert [explanation.reply for explanation in result.explanations] == [denied, "550 5.1.1 unknown"]
    assert all(explanation.title and explanation.remedies for explanation in result.explanations)
    assert peer.messages[0].recipients == [f"RCPT TO:<{ALICE}>"]


def test_a_refusal_of_the_whole_session_is_explained_too() -> None:
    with Peer(CONNECT="554 5.7.1 no") as peer:
        result = sent(peer)
    assert (result.error, result.replies) == ("554 5.7.1 no", ())
    assert [explanation.reply for explanation in result.explanations] == ["554 5.7.1 no"]


def test_a_connection_that_breaks_leaves_each_recipient_with_what_is_known() -> None:
    with Peer(extensions=[], RCPT=["250 2.1.5 ok", "550 5.1.1 unknown"], CONTENT=CLOSE) as peer:
        result = sent(peer, recipients=[ALICE, BOB])
    assert result.error
    assert "closed the connection" in result.error
    assert [str(one.reply) for one in result.replies] == [f"451 4.4.2 {result.error}", "550 5.1.1 unknown"]
    assert [explanation.reply for explanation in result.explanations] == ["550 5.1.1 unknown"]


def test_data_of_the_result_is_json() -> None:
    with Peer(RCPT="550 5.7.64 TenantAttribution; Relay Access Denied") as peer:
        told = json.loads(json.dumps(sent(peer).to_json()))
    assert told["accepted"] is False
    assert told["server"] == f"127.0.0.1 port {peer.port}"
    assert told["replies"][0]["reply"] == {
        "code": 550,
        "enhanced": "5.7.64",
        "text": "TenantAttribution; Relay Access Denied",
    }
    assert told["explanations"][0]["sources"]
    assert {"speaker", "text", "seconds"} == told["dialogue"][0].keys()


Scripted = Callable[..., tuple[SendResult, list[bytes]]]
LOGIN = {"user": "scanner@contoso.com", "password": SECRET}
GREETING = (b"220 mx\r\n", b"250-mx\r\n250 AUTH LOGIN PLAIN XOAUTH2\r\n")


def test_a_token_is_refused_with_json_in_between(scripted: Scripted) -> None:
    challenge = b64encode(b'{"status":"401"}')
    result, heard = scripted(
        *GREETING,
        b"334 " + challenge + b"\r\n",
        b"535 5.7.3 Authentication unsuccessful\r\n",
        mechanism="XOAUTH2",
        **LOGIN,
    )
    token = b64encode(f"user=scanner@contoso.com\1auth=Bearer {SECRET}\1\1".encode())
    assert heard[1:3] == [b"AUTH XOAUTH2 " + token + b"\r\n", b"\r\n"]
    assert result.error == "535 5.7.3 Authentication unsuccessful"
    assert result.explanations
    assert token.decode() not in str(result)


@pytest.mark.parametrize("mechanism", ["LOGIN", "PLAIN", "XOAUTH2"])
def test_a_server_that_is_never_content_with_an_answer(scripted: Scripted, mechanism: str) -> None:
    result, heard = scripted(*GREETING, *[b"334 \r\n"] * 20, mechanism=mechanism, **LOGIN)
    assert result.error == "another 334 after AUTH was cancelled"
    assert heard.count(b"*\r\n") == 1


@pytest.mark.parametrize("mechanism", ["LOGIN", "PLAIN", "XOAUTH2"])
@pytest.mark.parametrize(
    "echo",
    [
        lambda line: b"500 5.5.2 unrecognized: " + line.strip() + b"\r\n",
        lambda line: b"535 5.7.8 " + SECRET.encode() + b" is wrong\r\n",
    ],
    ids=["the line", "the secret"],
)
def test_a_secret_that_the_server_repeats_is_hidden_everywhere(
    scripted: Scripted, mechanism: str, echo: Callable[[bytes], bytes]
) -> None:
    challenges = (b"334 \r\n", b"334 \r\n") if mechanism == "LOGIN" else ()
    result, heard = scripted(*GREETING, *challenges, echo, mechanism=mechanism, **LOGIN)
    line = heard[len(challenges) + 1].split()[-1].decode()
    assert result.error
    assert "[hidden]" in result.error
    everything = json.dumps(result.to_json()) + str(result)
    assert SECRET not in everything
    assert line not in everything


@pytest.mark.parametrize(
    "answers",
    [
        (b"250 ok\r\n", b"550 5.7.1 not for " + SECRET.encode() + b"\r\n"),
        (b"250 ok\r\n", b"421 4.7.0 too much of " + SECRET.encode() + b"\r\n"),
    ],
    ids=["to a recipient", "to end the session"],
)
def test_a_secret_that_the_server_repeats_later_is_hidden_too(scripted: Scripted, answers: tuple[bytes, ...]) -> None:
    result, _ = scripted(*GREETING, b"235 2.7.0 ok\r\n", *answers, mechanism="PLAIN", **LOGIN)
    assert result.error
    assert "[hidden]" in result.error
    assert SECRET not in json.dumps(result.to_json()) + str(result)


def test_a_password_over_plain_text_is_remarked_on(scripted: Scripted) -> None:
    result, _ = scripted(*GREETING, b"535 5.7.8 no\r\n", mechanism="PLAIN", **LOGIN)
    assert "the password goes over an unencrypted connection" in remarks(result)
