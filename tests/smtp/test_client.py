"""The client's half of the dialogue. In the scripts `>` is what it must send, `<` what the server answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.mail import Body, Envelope, Notify, Recipient, Refused, Reply, Ret
from posthouse.smtp.client import (
    AuthDone,
    ClientEngine,
    Closing,
    Greeting,
    HelloDone,
    ReadyForContent,
    StartTlsDone,
    TransactionDone,
)
from posthouse.smtp.events import NEED_DATA
from posthouse.smtp.replies import ProtocolError
from posthouse.smtp.transfer import Step

ENVELOPE = Envelope("a@contoso.com", (Recipient("b@example.net"), Recipient("c@example.net")))
CONTENT = b"Subject: x\r\n\r\n.dot\r\n"


def connected(*keywords: str) -> ClientEngine:
    """An engine that has said EHLO to a server which offers `keywords`."""
    engine = ClientEngine("relay.contoso.com")
    answer(engine, "220 mx ESMTP")
    engine.hello()
    engine.data_to_send()
    answer(engine, "\r\n".join(f"250-{word}" for word in ("mx", *keywords)) + "\r\n250 HELP")
    return engine


def answer(engine: ClientEngine, *lines: str) -> list[object]:
    engine.receive("".join(f"{line}\r\n" for line in lines).encode())
    events = []
    while (event := engine.next_event()) is not NEED_DATA:
        events.append(event)
    return events


def sent(engine: ClientEngine) -> list[str]:
    return engine.data_to_send().decode().split("\r\n")[:-1]


class TestHello:
    def test_ehlo_tells_what_the_server_offers(self):
        engine = ClientEngine("relay.contoso.com")
        assert answer(engine, "220 mx.example.net ESMTP") == [Greeting(Reply(220, "", "mx.example.net ESMTP"))]
        engine.hello()
        assert sent(engine) == ["EHLO relay.contoso.com"]
        (event,) = answer(engine, "250-mx", "250-pipelining", "250-SIZE 1000", "250-AUTH PLAIN login", "250 8BITMIME")
        assert isinstance(event, HelloDone)
        assert event.extensions is engine.extensions
        assert engine.extensions.pipelining
        assert engine.extensions.eight_bit_mime
        assert engine.extensions.size == 1000
        assert engine.extensions.auth == {"PLAIN", "LOGIN"}
        assert not engine.extensions.starttls

    @pytest.mark.parametrize(("line", "size"), [("SIZE", 0), ("SIZE many", 0), ("SIZE 0", 0), ("HELP", None)])
    def test_a_size_that_says_no_limit(self, line: str, size: int | None):
        assert connected(line).extensions.size == size

    def test_a_server_that_knows_only_helo(self):
        engine = ClientEngine("relay.contoso.com")
        answer(engine, "220 old")
        engine.hello()
        assert sent(engine) == ["EHLO relay.contoso.com"]
        assert answer(engine, "502 what?") == []
        assert sent(engine) == ["HELO relay.contoso.com"]
        (event,) = answer(engine, "250 old")
        assert isinstance(event, HelloDone)
        assert event.reply.is_positive
        assert not event.extensions.pipelining

    def test_a_server_that_is_going_down_is_not_asked_again(self):
        engine = ClientEngine("relay.contoso.com")
        answer(engine, "220 mx")
        engine.hello()
        engine.data_to_send()
        (event,) = answer(engine, "421 4.3.2 shutting down")
        assert isinstance(event, HelloDone)
        assert event.reply.is_transient
        assert sent(engine) == []
        assert engine.closing


class TestStartTls:
    def test_what_was_offered_in_plain_text_is_forgotten(self):
        engine = connected("STARTTLS", "PIPELINING")
        engine.starttls()
        assert sent(engine) == ["STARTTLS"]
        assert answer(engine, "220 2.0.0 go") == [StartTlsDone(Reply(220, "2.0.0", "go"))]
        engine.tls_started()
        assert not engine.extensions.pipelining
        engine.hello()
        assert sent(engine) == ["EHLO relay.contoso.com"]

    def test_a_reply_injected_behind_the_220_ends_the_session(self):
        engine = connected("STARTTLS")
        engine.starttls()
        engine.receive(b"220 go\r\n250 injected")
        assert isinstance(engine.next_event(), StartTlsDone)
        with pytest.raises(ProtocolError, match="behind the reply to STARTTLS"):
            engine.tls_started()
        assert engine.closing


class TestAuth:
    @pytest.mark.parametrize(
        ("mechanism", "dialogue"),
        [
            ("PLAIN", ["AUTH PLAIN AHVzZXIAc2VjcmV0"]),
            ("LOGIN", ["AUTH LOGIN", "334 VXNlcm5hbWU6", "dXNlcg==", "334 UGFzc3dvcmQ6", "c2VjcmV0"]),
            ("XOAUTH2", ["AUTH XOAUTH2 dXNlcj11c2VyAWF1dGg9QmVhcmVyIHNlY3JldAEB"]),
        ],
    )
    def test_signing_in(self, mechanism: str, dialogue: list[str]):
        engine = connected("AUTH PLAIN LOGIN XOAUTH2")
        engine.auth(mechanism, "user", "secret")
        for line in dialogue:
            if line.startswith("334"):
                assert answer(engine, line) == []
            else:
                assert sent(engine) == [line]
        assert answer(engine, "235 2.7.0 welcome") == [AuthDone(Reply(235, "2.7.0", "welcome"))]

    def test_an_xoauth2_refusal_comes_behind_an_empty_line(self):
        engine = connected("AUTH XOAUTH2")
        engine.auth("XOAUTH2", "user", "expired")
        engine.data_to_send()
        assert answer(engine, "334 eyJzdGF0dXMiOiI0MDEifQ==") == []
        assert sent(engine) == [""]
        assert answer(engine, "535 5.7.3 no") == [AuthDone(Reply(535, "5.7.3", "no"))]

    def test_a_server_that_asks_for_too_much_is_cancelled(self):
        engine = connected("AUTH PLAIN")
        engine.auth("PLAIN", "user", "secret")
        engine.data_to_send()
        assert answer(engine, "334 more") == []
        assert sent(engine) == ["*"]
        assert answer(engine, "501 5.0.0 cancelled") == [AuthDone(Reply(501, "5.0.0", "cancelled"))]

    def test_an_unknown_mechanism_is_named(self):
        with pytest.raises(ValueError, match="AUTH CRAM-MD5 is unknown"):
            connected().auth("CRAM-MD5", "user", "secret")


class TestTransaction:
    def test_pipelined(self):
        engine = connected("PIPELINING")
        engine.begin(ENVELOPE, len(CONTENT), [CONTENT])
        assert sent(engine) == [
            "MAIL FROM:<a@contoso.com>",
            "RCPT TO:<b@example.net>",
            "RCPT TO:<c@example.net>",
            "DATA",
        ]
        assert answer(engine, "250 ok", "250 ok", "550 5.1.1 unknown", "354 go") == []
        assert engine.waiting_for is Step.CONTENT
        assert sent(engine) == ["Subject: x", "", "..dot", "."]
        assert answer(engine, "250 2.0.0 queued") == [
            TransactionDone((Reply(250, "2.0.0", "queued"), Reply(550, "5.1.1", "unknown")))
        ]
        assert engine.waiting_for is None

    def test_command_by_command(self):
        engine = connected("CHUNKING")
        engine.begin(ENVELOPE, len(CONTENT), [CONTENT])
        for expected, reply in [
            ("MAIL FROM:<a@contoso.com>", "250 ok"),
            ("RCPT TO:<b@example.net>", "550 5.1.1 unknown"),
            ("RCPT TO:<c@example.net>", "250 ok"),
            ("DATA", "354 go"),
        ]:
            assert sent(engine) == [expected]
            assert answer(engine, reply) == []
        assert sent(engine) == ["Subject: x", "", "..dot", "."]
        (done,) = answer(engine, "250 2.0.0 queued")
        assert done == TransactionDone((Reply(550, "5.1.1", "unknown"), Reply(250, "2.0.0", "queued")))

    def test_chunking_needs_no_wait_and_no_stuffing(self):
        engine = connected("PIPELINING", "CHUNKING")
        engine.begin(ENVELOPE, len(CONTENT), [CONTENT[:5], CONTENT[5:]])
        assert sent(engine)[-4:] == [f"BDAT {len(CONTENT)} LAST", "Subject: x", "", ".dot"]
        assert answer(engine, "250 ok", "250 ok", "250 ok", "250 queued") == [
            TransactionDone((Reply(250, "", "queued"),) * 2)
        ]

    def test_content_on_demand(self):
        engine = connected("PIPELINING", "CHUNKING")
        engine.begin(ENVELOPE, len(CONTENT))
        assert sent(engine)[-1] == "DATA"
        assert answer(engine, "250 ok", "250 ok", "250 ok", "354 go") == [ReadyForContent()]
        engine.content(CONTENT)
        engine.content_end()
        assert sent(engine) == ["Subject: x", "", "..dot", "."]
        assert answer(engine, "250 queued") == [TransactionDone((Reply(250, "", "queued"),) * 2)]

    def test_the_message_s_needs_go_along_where_they_are_offered(self):
        engine = connected("PIPELINING", "SIZE 1000", "8BITMIME", "SMTPUTF8", "DSN")
        recipient = Recipient("jürgen@example.net", Notify.SUCCESS | Notify.FAILURE, "rfc822;j+40example.net")
        engine.begin(Envelope("", (recipient,), Ret.HDRS, "id1", smtputf8=True, body=Body.EIGHT_BIT), 500, [b""])
        assert sent(engine)[:2] == [
            "MAIL FROM:<> SIZE=500 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=id1",
            "RCPT TO:<jürgen@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;j+40example.net",
        ]

    def test_dsn_parameters_stay_here_where_the_server_has_no_dsn(self):
        engine = connected("PIPELINING")
        recipient = Recipient("b@example.net", Notify.NEVER, "rfc822;b@example.net")
        engine.begin(Envelope("", (recipient,), Ret.FULL, "id1"), 500, [b""])
        assert sent(engine)[:2] == ["MAIL FROM:<>", "RCPT TO:<b@example.net>"]

    @pytest.mark.parametrize(
        ("keywords", "envelope", "enhanced"),
        [
            (["SMTPUTF8"], Envelope("", (), body=Body.EIGHT_BIT), "5.6.3"),
            (["8BITMIME"], Envelope("", (), smtputf8=True), "5.6.7"),
            (["SIZE 499"], Envelope("", ()), "5.3.4"),
            *(
                ([], Envelope("", (Recipient(f"b@example.net>{end}RCPT TO:<c@example.net"),)), "5.1.3")
                for end in ("\r\n", "\n", "\r")
            ),
        ],
    )
    def test_what_the_server_can_t_take_is_refused_before_anything_is_sent(
        self, keywords: list[str], envelope: Envelope, enhanced: str
    ):
        engine = connected("PIPELINING", *keywords)
        with pytest.raises(Refused) as refusal:
            engine.begin(envelope, 500, [b""])
        assert refusal.value.reply.enhanced == enhanced
        assert refusal.value.reply.is_permanent
        assert engine.data_to_send() == b""
        assert engine.waiting_for is None


class TestRefusal:
    MAIL_REFUSED = Reply(550, "5.7.1", "not you")

    def test_of_mail_is_everybody_s_whatever_follows(self):
        engine = connected("PIPELINING")
        engine.begin(ENVELOPE, len(CONTENT), [CONTENT])
        assert answer(engine, "550 5.7.1 not you", "503 mail first", "503 mail first", "503 rcpt first") == [
            TransactionDone((self.MAIL_REFUSED,) * 2)
        ]

    def test_of_mail_ends_an_unpipelined_transaction(self):
        engine = connected()
        engine.begin(ENVELOPE, len(CONTENT), [CONTENT])
        engine.data_to_send()
        assert answer(engine, "550 5.7.1 not you") == [TransactionDone((self.MAIL_REFUSED,) * 2)]
        assert sent(engine) == []

    def test_of_every_recipient_sends_an_empty_message_where_data_was_in_flight(self):
        engine = connected("PIPELINING")
        engine.begin(ENVELOPE, len(CONTENT), [CONTENT])
        engine.data_to_send()
        assert answer(engine, "250 ok", "550 5.1.1 b", "450 4.2.1 c", "354 go") == []
        assert sent(engine) == ["."]
        assert answer(engine, "554 5.5.1 nobody") == [
            TransactionDone((Reply(550, "5.1.1", "b"), Reply(450, "4.2.1", "c")))
        ]

    def test_of_every_recipient_sends_no_data_at_all_where_it_was_not(self):
        engine = connected()
        engine.begin(ENVELOPE, len(CONTENT), [CONTENT])
        assert answer(engine, "250 ok") == []
        assert answer(engine, "550 5.1.1 b") == []
        engine.data_to_send()
        assert answer(engine, "550 5.1.1 c") == [TransactionDone((Reply(550, "5.1.1", "b"), Reply(550, "5.1.1", "c")))]
        assert sent(engine) == []

    def test_of_data_is_for_those_who_were_accepted(self):
        engine = connected("PIPELINING")
        engine.begin(ENVELOPE, len(CONTENT), [CONTENT])
        assert answer(engine, "250 ok", "250 ok", "550 5.1.1 c", "451 4.3.0 later") == [
            TransactionDone((Reply(451, "4.3.0", "later"), Reply(550, "5.1.1", "c")))
        ]

    def test_too_many_recipients_in_old_words_is_transient(self):
        engine = connected("PIPELINING", "CHUNKING")
        engine.begin(ENVELOPE, len(CONTENT), [CONTENT])
        (done,) = answer(engine, "250 ok", "250 ok", "552 too many recipients", "250 queued")
        assert done == TransactionDone((Reply(250, "", "queued"), Reply(452, "4.5.3", "too many recipients")))

    def test_a_transaction_that_was_left_open_is_reset_with_the_next(self):
        engine = connected("PIPELINING")
        engine.begin(ENVELOPE, len(CONTENT), [CONTENT])
        answer(engine, "250 ok", "550 b", "550 c", "554 nobody")
        engine.data_to_send()
        engine.begin(ENVELOPE, len(CONTENT), [CONTENT])
        assert sent(engine)[:2] == ["RSET", "MAIL FROM:<a@contoso.com>"]
        answer(engine, "250 reset", "250 ok", "250 ok", "250 ok", "354 go")
        answer(engine, "250 queued")
        engine.data_to_send()
        engine.begin(ENVELOPE, len(CONTENT), [CONTENT])
        assert sent(engine)[0] == "MAIL FROM:<a@contoso.com>"

    def test_421_in_a_transaction_is_the_last_word_for_all_who_have_none(self):
        engine = connected("PIPELINING")
        engine.begin(ENVELOPE, len(CONTENT), [CONTENT])
        assert answer(engine, "250 ok", "550 5.1.1 b", "421 4.3.2 going down") == [
            TransactionDone((Reply(550, "5.1.1", "b"), Reply(421, "4.3.2", "going down")))
        ]
        assert engine.closing

    def test_a_lost_connection_leaves_what_is_known(self):
        engine = connected("PIPELINING")
        engine.begin(ENVELOPE, len(CONTENT), [CONTENT])
        answer(engine, "250 ok", "550 5.1.1 b", "250 ok", "354 go")
        lost = Reply(451, "4.4.2", "connection lost")
        assert engine.abandon(lost) == (Reply(550, "5.1.1", "b"), lost)
        assert engine.abandon(lost) == ()


class TestDisorder:
    @pytest.mark.parametrize(
        "replies",
        [
            ["354 go"],
            ["250 ok", "354 go"],
            ["250 ok", "250 ok", "250 ok", "250 send it"],
            ["250 ok", "250 ok", "250 ok", "334 what?"],
            ["hello?"],
        ],
    )
    def test_a_reply_that_makes_no_sense_ends_the_session(self, replies: list[str]):
        engine = connected("PIPELINING")
        engine.begin(ENVELOPE, len(CONTENT), [CONTENT])
        with pytest.raises(ProtocolError):
            answer(engine, *replies)
        assert engine.closing

    def test_a_refusal_in_the_middle_of_the_content_ends_the_session_too(self):
        engine = connected("PIPELINING")
        engine.begin(ENVELOPE, len(CONTENT))
        answer(engine, "250 ok", "250 ok", "250 ok", "354 go")
        engine.content(CONTENT)
        assert answer(engine, "452 4.3.1 disk full") == [TransactionDone((Reply(452, "4.3.1", "disk full"),) * 2)]
        assert engine.closing

    def test_nothing_is_accepted_before_it_was_sent(self):
        engine = connected("PIPELINING")
        engine.begin(ENVELOPE, len(CONTENT))
        answer(engine, "250 ok", "250 ok", "250 ok", "354 go")
        engine.content(CONTENT)
        with pytest.raises(ProtocolError, match="before its end"):
            answer(engine, "250 queued")

    def test_a_reply_that_nothing_asked_for(self):
        with pytest.raises(ProtocolError, match="nothing asked for"):
            answer(connected(), "250 by the way")

    def test_421_while_idle(self):
        engine = connected()
        assert answer(engine, "421 4.4.2 idle too long") == [Closing(Reply(421, "4.4.2", "idle too long"))]
        assert engine.closing

    def test_quit(self):
        engine = connected()
        engine.quit()
        assert sent(engine) == ["QUIT"]
        assert engine.closing
        assert answer(engine, "221 2.0.0 bye") == [Closing(Reply(221, "2.0.0", "bye"))]


def unstuffed(wire: bytes) -> bytes:
    """What a server reads out of DATA (RFC 5321 4.5.2), said line by line."""
    lines = wire.split(b"\r\n")
    end = lines.index(b".")
    assert lines[end + 1 :] == [b""]
    return b"".join(line.removeprefix(b".") + b"\r\n" for line in lines[:end])


PIECES = st.lists(st.sampled_from([b".", b"..", b"\r\n", b"x", b"\r\n.", b".\r\n", b"\r\n.\r\n", b""]), max_size=12)


@given(PIECES)
def test_stuffed_content_reads_back_and_ends_once_however_it_is_cut(pieces: list[bytes]):
    engine = connected("PIPELINING")
    engine.begin(ENVELOPE, 0, pieces)
    engine.data_to_send()
    answer(engine, "250 ok", "250 ok", "250 ok", "354 go")
    content = b"".join(pieces)
    whole = content if not content or content.endswith(b"\r\n") else content + b"\r\n"
    assert unstuffed(engine.data_to_send()) == whole


@given(st.lists(st.sampled_from([b".", b"\r\n", b"\n", b"\r", b"x"]), max_size=12))
def test_no_content_however_broken_can_end_the_data_early(pieces: list[bytes]):
    engine = connected("PIPELINING")
    engine.begin(ENVELOPE, 0, pieces)
    engine.data_to_send()
    answer(engine, "250 ok", "250 ok", "250 ok", "354 go")
    body = engine.data_to_send().removesuffix(b".\r\n")
    assert body == b"" or body.endswith(b"\r\n")
    assert not body.startswith(b".\r\n")
    assert b"\n.\n" not in body
    assert b"\n.\r" not in body


@given(
    st.lists(
        st.sampled_from(["250 ok", "354 go", "450 4.2.1 no", "550 5.1.1 no", "421 bye", "junk", "334 x"]), max_size=9
    )
)
def test_whatever_the_server_says_each_recipient_ends_with_one_reply(lines: list[str]):
    for keywords in [(), ("PIPELINING",), ("PIPELINING", "CHUNKING")]:
        engine = connected(*keywords)
        engine.begin(ENVELOPE, len(CONTENT), [CONTENT])
        lost = Reply(451, "4.4.2", "lost")
        done = []
        try:
            for line in lines:
                done += [event for event in answer(engine, line) if isinstance(event, TransactionDone)]
        except ProtocolError:
            pass
        ends = [event.replies for event in done] or [engine.abandon(lost)]
        assert [len(replies) for replies in ends] == [2]
