"""What the server engine does where a dialogue file can't say it: states, bounds, faults, TLS."""

from collections.abc import Callable
from typing import Any

import pytest

from posthouse.mail import Reply
from posthouse.smtp.events import (
    NEED_DATA,
    PAUSED,
    ContentChunk,
    Extensions,
    Hello,
    MailFrom,
    MessageEnd,
    ServerLimits,
    StartTls,
)
from posthouse.smtp.screen import ILLEGAL_OCTETS

NewTalk = Callable[..., Any]

TRANSACTION = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n"
LINE = b"x" * 70 + b"\r\n"


def message_end(talk: Any) -> MessageEnd:
    return next(event for event in talk.events if isinstance(event, MessageEnd))


# The greeting


def test_nothing_is_read_before_the_banner(new_talk: NewTalk):
    talk = new_talk()
    assert talk.say(b"HELO early\r\n") == ""
    assert talk.engine.next_event() is PAUSED
    talk.engine.greet(Reply(220, "", "relay.example"))
    assert talk.say(b"NOOP\r\n") == "220 relay.example\r\n250 relay.example\r\n250 2.0.0 OK\r\n"


def test_a_banner_of_554_leaves_quit(new_talk: NewTalk):
    talk = new_talk()
    talk.engine.greet(Reply(554, "", "No service"))
    assert talk.say(b"HELO a\r\nQUIT\r\n").split("\r\n")[1:3] == [
        "503 5.5.1 No service here: only QUIT is accepted",
        "221 2.0.0 relay.example closing the connection",
    ]
    assert talk.engine.should_close


def test_a_banner_of_421_closes(new_talk: NewTalk):
    talk = new_talk()
    talk.engine.greet(Reply(421, "4.3.2", "Too many connections"))
    assert talk.engine.should_close
    assert talk.engine.next_event() is NEED_DATA


# The session's replies


def test_each_event_waits_for_its_reply(new_talk: NewTalk):
    engine = new_talk().greeted().engine
    engine.receive(b"HELO a\r\nMAIL FROM:<a@b>\r\n")
    assert engine.next_event() == Hello("a", extended=False)
    assert engine.next_event() is PAUSED
    assert engine.buffered == len(b"MAIL FROM:<a@b>\r\n")
    engine.reply_hello(Extensions())
    assert engine.next_event() == MailFrom("a@b")
    assert engine.next_event() is PAUSED
    engine.reply(Reply(451, "4.3.0", "Not now"))
    assert engine.next_event() is NEED_DATA
    assert engine.buffered == 0


def test_a_session_that_replies_to_nothing_is_told(talk: Any):
    with pytest.raises(RuntimeError, match="waits for one"):
        talk.engine.reply(Reply(250, "2.0.0", "OK"))
    with pytest.raises(RuntimeError, match="Hello that waits"):
        talk.engine.reply_hello(Extensions())


def test_hello_is_not_accepted_by_a_mere_reply(new_talk: NewTalk):
    engine = new_talk().greeted().engine
    engine.receive(b"HELO a\r\n")
    engine.next_event()
    with pytest.raises(RuntimeError, match="reply_hello"):
        engine.reply(Reply(250, "", "relay.example"))


def test_a_refused_hello_changes_nothing(new_talk: NewTalk):
    talk = new_talk().greeted()
    talk.refusals["Hello"].append(Reply(550, "5.7.1", "Not you"))
    assert talk.say(b"EHLO a\r\nMAIL FROM:<a@b>\r\n") == "550 5.7.1 Not you\r\n503 5.5.1 Send EHLO or HELO first\r\n"


def test_a_421_of_the_session_closes(talk: Any):
    talk.refusals["MailFrom"].append(Reply(421, "4.3.2", "Going down"))
    assert talk.say(b"MAIL FROM:<a@b>\r\nNOOP\r\n") == "421 4.3.2 Going down\r\n"
    assert talk.engine.should_close
    assert talk.say(b"NOOP\r\n") == ""
    assert talk.engine.buffered == 0


def test_a_421_that_is_one_error_too_many_is_said_once(new_talk: NewTalk):
    talk = new_talk(limits=ServerLimits(size=0, recipients=0, errors=1)).greeted()
    talk.refusals["Hello"].append(Reply(421, "4.3.2", "Going down"))
    assert talk.say(b"EHLO a\r\n") == "421 4.3.2 Going down\r\n"


def test_a_refused_message_ends_the_transaction_too(talk: Any):
    talk.refusals["MessageEnd"].append(Reply(452, "4.3.1", "Insufficient system resources"))
    said = talk.say(TRANSACTION, b"x\r\n.\r\nDATA\r\n").split("\r\n")
    assert said[-3:-1] == ["452 4.3.1 Insufficient system resources", "503 5.5.1 Send MAIL first"]


def test_data_that_was_refused_may_be_tried_again(talk: Any):
    talk.refusals["DataBegin"].append(Reply(451, "4.3.0", "Not now"))
    assert talk.say(TRANSACTION, b"DATA\r\n").split("\r\n")[2:4] == ["451 4.3.0 Not now", "354 Go ahead"]


# Lines


@pytest.mark.parametrize("step", [1, 1000, 1 << 20])
@pytest.mark.parametrize(
    ("command", "limit"), [(b"NOOP ", 2048), (b"RCPT ", 2048), (b"AUTH ", 12288), (b"auth ", 12288)]
)
def test_a_line_may_have_its_limit_and_no_more(new_talk: NewTalk, command: bytes, limit: int, step: int):
    fits = command.ljust(limit - 2, b"x") + b"\r\n"
    too_long = command.ljust(limit - 1, b"x") + b"\r\n"
    for line, refused in ((fits, False), (too_long, True)):
        said = new_talk().greeted().say(*(line[at : at + step] for at in range(0, len(line), step)), b"HELO a\r\n")
        assert ("500 5.5.2 Line too long" in said) == refused
        assert said.endswith("250 relay.example\r\n")
        assert said.count("\r\n") == 2


def test_an_endless_line_is_not_held(talk: Any):
    said = talk.say(*[b"x" * 1000] * 100)
    assert said == "500 5.5.2 Line too long\r\n"
    assert talk.engine.buffered <= 1
    assert talk.say(b"\r", b"\nNOOP\r\n") == "250 2.0.0 OK\r\n"


def test_a_long_response_within_auth(new_talk: NewTalk):
    talk = new_talk(Extensions(auth=("PLAIN",))).greeted()
    talk.say(b"EHLO a\r\nAUTH PLAIN\r\n")
    assert talk.say(b"A" * 12000 + b"\r\n").startswith("501 5.5.2")
    assert talk.say(b"AUTH PLAIN\r\n" + b"A" * 13000 + b"\r\nNOOP\r\n").split("\r\n") == [
        "334 ",
        "500 5.5.2 Line too long",
        "250 2.0.0 OK",
        "",
    ]


# Content


@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
def test_a_message_that_is_too_big_is_read_to_its_end(talk: Any, size: int):
    flight = TRANSACTION + LINE * 20 + b".\r\nNOOP\r\n"
    said = talk.say(*(flight[at : at + size] for at in range(0, len(flight), size)))
    assert said.endswith("354 Go ahead\r\n552 5.3.4 Message size exceeds fixed limit\r\n250 2.0.0 OK\r\n")
    assert message_end(talk).size == 20 * len(LINE)
    assert len(talk.content) <= 1000


def test_chunks_that_are_too_big_together(talk: Any):
    chunk = b"BDAT 720\r\n" + LINE * 10
    said = talk.say(TRANSACTION[:-6] + chunk * 2 + b"BDAT 0 LAST\r\nNOOP\r\n")
    assert said.endswith("octets received\r\n552 5.3.4 Message size exceeds fixed limit\r\n250 2.0.0 OK\r\n")


def test_a_limit_of_0_is_none(new_talk: NewTalk):
    talk = new_talk(limits=ServerLimits(size=0, recipients=0, errors=0, commands_without_mail=0)).greeted()
    said = talk.say(b"HELO a\r\n" + b"NONSENSE\r\n" * 50 + b"NOOP\r\n" * 2000 + b"MAIL FROM:<a@b> SIZE=99999999\r\n")
    assert said.endswith("250 2.1.0 Sender OK\r\n")
    assert talk.say(b"RCPT TO:<a@b>\r\n" * 50) == "250 2.1.5 Recipient OK\r\n" * 50
    assert talk.say(b"DATA\r\n", LINE * 1000, b".\r\n").endswith("250 2.6.0 Queued\r\n")


def test_content_goes_on_while_it_comes(talk: Any):
    talk.say(TRANSACTION)
    talk.say(LINE)
    assert talk.events[-1] == ContentChunk(LINE[:-2])
    assert talk.engine.buffered == 0


def test_a_message_with_both_faults_has_the_one_that_is_its_senders(talk: Any):
    talk.say(TRANSACTION, LINE * 20, b"x\ny\r\n.\r\n")
    assert message_end(talk).fault is ILLEGAL_OCTETS


def test_nul_in_content_is_a_fault(talk: Any):
    talk.say(TRANSACTION, b"a\0b\r\n.\r\n")
    assert message_end(talk).fault is ILLEGAL_OCTETS


# Limits


def test_refused_recipients_are_errors_and_surplus_ones_are_not(talk: Any):
    talk.say(b"MAIL FROM:<a@b>\r\n", *[b"RCPT TO:<a@b>\r\n"] * 3)
    assert talk.say(b"RCPT TO:<a@b>\r\n" * 50) == "452 4.5.3 Too many recipients\r\n" * 50
    talk.say(b"RSET\r\nMAIL FROM:<a@b>\r\n")
    talk.refusals["RcptTo"].extend([Reply(550, "5.1.1", "No")] * 30)
    said = talk.say(b"RCPT TO:<a@b>\r\n" * 30)
    assert said == "550 5.1.1 No\r\n" * 20 + "421 4.7.0 Too many errors\r\n"
    assert talk.engine.should_close


def test_a_completed_message_starts_the_counts_anew(talk: Any):
    for _ in range(5):
        said = talk.say(b"NONSENSE\r\n" * 9, TRANSACTION, b".\r\n")
        assert said.endswith("250 2.6.0 Queued\r\n")


def test_a_big_message_in_small_chunks_is_no_flood_but_empty_chunks_are(new_talk: NewTalk):
    talk = new_talk(limits=ServerLimits(size=0, recipients=0, commands_without_mail=10)).greeted()
    talk.say(b"EHLO a\r\n", TRANSACTION[:-6])
    assert "421" not in talk.say(b"BDAT 1\r\nx" * 100)
    assert talk.say(b"BDAT 0\r\n" * 100).endswith("421 4.7.0 Too many commands without a message\r\n")


# TLS


def test_what_is_pipelined_behind_starttls_is_refused_and_closes(new_talk: NewTalk):
    talk = new_talk(Extensions(starttls=True)).greeted()
    talk.say(b"EHLO a\r\n")
    assert talk.say(b"STARTTLS\r\nMAIL FROM:<evil@b>\r\n").startswith("554 5.5.1 ")
    assert talk.engine.should_close
    assert talk.events[-1] == StartTls()


def test_what_comes_before_the_reply_to_starttls_is_behind_it_too(new_talk: NewTalk):
    engine = new_talk(Extensions(starttls=True)).greeted().engine
    engine.receive(b"EHLO a\r\nSTARTTLS\r\n")
    engine.next_event()
    engine.reply_hello(Extensions(starttls=True))
    assert engine.next_event() == StartTls()
    engine.receive(b"R")
    engine.reply(Reply(220, "2.0.0", "Go ahead"))
    assert engine.should_close


def test_a_refused_starttls_goes_on_in_plain(new_talk: NewTalk):
    talk = new_talk(Extensions(starttls=True)).greeted()
    talk.refusals["StartTls"].append(Reply(454, "4.7.0", "TLS not available"))
    talk.say(b"EHLO a\r\n")
    assert talk.say(b"STARTTLS\r\nNOOP\r\n") == "454 4.7.0 TLS not available\r\n250 2.0.0 OK\r\n"


def test_plaintext_of_before_the_handshake_is_never_read_after_it(new_talk: NewTalk):
    talk = new_talk(Extensions(starttls=True)).greeted()
    talk.say(b"EHLO a\r\n", b"STARTTLS\r\n")
    assert talk.say(b"EHLO evil\r\n") == ""
    assert talk.engine.next_event() is PAUSED
    talk.engine.tls_started()
    assert talk.engine.next_event() is NEED_DATA
    assert talk.say(b"NOOP\r\n") == "250 2.0.0 OK\r\n"


# The protocol's name (RFC 3848, RFC 6531)


@pytest.mark.parametrize(
    ("secure", "said", "name"),
    [
        (False, b"", "SMTP"),
        (False, b"HELO a\r\n", "SMTP"),
        (True, b"HELO a\r\n", "SMTP"),
        (False, b"EHLO a\r\n", "ESMTP"),
        (True, b"EHLO a\r\n", "ESMTPS"),
        (False, b"EHLO a\r\nAUTH PLAIN AHUAcA==\r\n", "ESMTPA"),
        (True, b"EHLO a\r\nAUTH PLAIN AHUAcA==\r\n", "ESMTPSA"),
        (False, b"EHLO a\r\nMAIL FROM:<a@b> SMTPUTF8\r\n", "UTF8SMTP"),
        (True, b"EHLO a\r\nAUTH PLAIN AHUAcA==\r\nMAIL FROM:<a@b> SMTPUTF8\r\n", "UTF8SMTPSA"),
        (True, b"EHLO a\r\nMAIL FROM:<a@b> SMTPUTF8\r\nRSET\r\n", "ESMTPS"),
    ],
)
def test_protocol(new_talk: NewTalk, secure: bool, said: bytes, name: str):
    talk = new_talk(Extensions(auth=("PLAIN",)), secure=secure).greeted()
    talk.say(said)
    assert talk.engine.protocol == name


def test_the_handshake_forgets_the_login(new_talk: NewTalk):
    talk = new_talk(Extensions(auth=("PLAIN",), starttls=True)).greeted()
    talk.say(b"EHLO a\r\nAUTH PLAIN AHUAcA==\r\nSTARTTLS\r\n")
    talk.engine.tls_started()
    assert talk.engine.protocol == "SMTP"
    talk.say(b"EHLO a\r\n")
    assert talk.engine.protocol == "ESMTPS"
