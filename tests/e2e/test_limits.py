"""What one client or message may use, at the running relay, and that the session goes on behind each refusal."""

from __future__ import annotations

import pytest

from support.house import House, MakeHouse
from support.wire import Wire

SIZE = 1 << 20

ORGANIZATION = """
[[accepted_domain]]
name = "contoso.com"

[[outbound_connector]]
name = "Mailboxes"
transport = "mailbox"
all_accepted_domains = true
mailboxes = ["*"]
"""

HEADER = b"Subject: x\r\n\r\n"
TAKEN = "250 2.6.0"
LINE = b"x" * 62 + b"\r\n"


@pytest.fixture(scope="module")
def relay(shared_house: MakeHouse) -> House:
    house = shared_house(ORGANIZATION, '\n[limits]\nmessage_size = "1 MiB"\nrecipients = 3\n')
    house.apply()
    return house.start()


@pytest.fixture
def wire(relay: House) -> Wire:
    return relay.wire().greeted()


def next_mail(wire: Wire) -> str:
    """The code of the reply to the next mail, which is taken where the session is in step."""
    return wire.send_mail("a@fabrikam.test", "next@contoso.com")[:9]


def content_of(size: int) -> bytes:
    return (HEADER + LINE * (size // len(LINE) + 1))[: size - 2] + b"\r\n"


# Size


def test_the_limit_is_told_in_ehlo(relay: House) -> None:
    with relay.wire() as wire:
        wire.reply()
        assert f"250-SIZE {SIZE}" in wire.say(b"EHLO device.test\r\n").split("\n")


def test_a_mail_of_just_the_limit_is_taken(relay: House, wire: Wire) -> None:
    with wire:
        assert wire.send_mail("a@fabrikam.test", "large@contoso.com", content_of(SIZE)).startswith("250 2.6.0 ")
    (mail,) = relay.await_mail("large@contoso.com")
    assert mail.endswith(content_of(SIZE))


def test_a_mail_of_one_byte_more_is_refused(wire: Wire) -> None:
    with wire:
        reply = wire.send_mail("a@fabrikam.test", "b@contoso.com", content_of(SIZE + 1))
        assert reply.startswith("552 5.3.4 Message size exceeds fixed limit")
        assert next_mail(wire) == TAKEN


def test_a_mail_of_many_times_the_limit_is_read_to_its_end_and_refused(wire: Wire) -> None:
    with wire:
        reply = wire.send_mail("a@fabrikam.test", "b@contoso.com", content_of(16 * SIZE))
        assert reply.startswith("552 5.3.4 Message size exceeds fixed limit")
        assert next_mail(wire) == TAKEN


def test_too_much_in_chunks_is_refused(wire: Wire) -> None:
    with wire:
        wire.begin("a@fabrikam.test", "b@contoso.com")
        assert wire.say(b"BDAT %d\r\n" % SIZE, content_of(SIZE)).startswith("250 2.0.0 ")
        assert wire.say(b"BDAT 1 LAST\r\nx").startswith("552 5.3.4 Message size exceeds fixed limit")
        assert next_mail(wire) == TAKEN


def test_a_declared_size_over_the_limit_is_refused_at_mail(wire: Wire) -> None:
    with wire:
        assert wire.say(b"MAIL FROM:<a@fabrikam.test> SIZE=%d\r\n" % (SIZE + 1)).startswith("552 5.3.4 ")
        assert wire.say(b"MAIL FROM:<a@fabrikam.test> SIZE=%d\r\n" % SIZE).startswith("250 2.1.0 ")


def test_stuffed_dots_do_not_count(wire: Wire) -> None:
    with wire:
        wire.begin("a@fabrikam.test", "dots@contoso.com")
        assert wire.say(b"DATA\r\n").startswith("354 ")
        lines = SIZE // len(b".\r\n") - len(HEADER)
        assert wire.say(HEADER + b"..\r\n" * lines + b".\r\n").startswith("250 2.6.0 ")


def test_a_header_too_big_is_refused(wire: Wire) -> None:
    with wire:
        header = b"".join(b"X-Field-%d: " % number + LINE for number in range(5000))
        reply = wire.send_mail("a@fabrikam.test", "b@contoso.com", header + b"\r\nx\r\n")
        assert reply.startswith("552 5.3.4 Message header size exceeds fixed limit")
        assert next_mail(wire) == TAKEN


def test_a_header_without_end_is_refused(wire: Wire) -> None:
    with wire:
        reply = wire.send_mail("a@fabrikam.test", "b@contoso.com", b"X-Field: " + b"x" * 500_000 + b"\r\n")
        assert reply.startswith("552 5.3.4 Message header size exceeds fixed limit")
        assert next_mail(wire) == TAKEN


# Recipients


def test_recipients_over_the_limit_are_for_another_transaction(relay: House, wire: Wire) -> None:
    """RFC 5321 4.5.3.1.10: those within it stand."""
    with wire:
        wire.begin("a@fabrikam.test", "one@contoso.com", "two@contoso.com", "three@contoso.com")
        for _ in range(30):
            assert wire.say(b"RCPT TO:<four@contoso.com>\r\n") == "452 4.5.3 Too many recipients"
        assert wire.say(b"DATA\r\n").startswith("354 ")
        assert wire.say(HEADER + b"x\r\n.\r\n").startswith("250 2.6.0 ")
        assert wire.send_mail("a@fabrikam.test", "four@contoso.com").startswith("250 2.6.0 ")
    for name in ("one", "two", "three", "four"):
        assert len(relay.await_mail(f"{name}@contoso.com")) == 1


# Lines


@pytest.mark.parametrize("length", [2049, 100_000])
def test_a_command_line_too_long_is_refused_as_one(wire: Wire, length: int) -> None:
    with wire:
        assert wire.say(b"NOOP " + b"x" * (length - 7) + b"\r\n").startswith("500 5.5.2 ")
        assert next_mail(wire) == TAKEN


def test_a_command_line_of_just_the_limit_is_taken(wire: Wire) -> None:
    with wire:
        assert wire.say(b"NOOP " + b"x" * (2048 - 7) + b"\r\n") == "250 2.0.0 OK"


def test_a_line_of_content_may_be_long(relay: House, wire: Wire) -> None:
    """RFC 5321 4.5.3.1.6 says 1000, but what devices send is not ours to cut."""
    with wire:
        line = b"x" * 50_000 + b"\r\n"
        assert wire.send_mail("a@fabrikam.test", "line@contoso.com", HEADER + line).startswith("250 2.6.0 ")
    (mail,) = relay.await_mail("line@contoso.com")
    assert mail.endswith(line)


# Errors


def test_twenty_errors_end_the_session(wire: Wire) -> None:
    with wire:
        wire.send(b"WHAT\r\n" * 30)
        for _ in range(20):
            assert wire.reply().startswith("500 5.5.1 ")
        assert wire.reply() == "421 4.7.0 Too many errors"
        assert wire.hears_the_end()


def test_a_mail_makes_up_for_errors(wire: Wire) -> None:
    with wire:
        for _ in range(3):
            for _ in range(19):
                assert wire.say(b"WHAT\r\n").startswith("500 5.5.1 ")
            assert next_mail(wire) == TAKEN


def test_a_thousand_commands_without_a_mail_end_the_session(wire: Wire) -> None:
    with wire:
        wire.send(b"NOOP\r\n" * 999)
        for _ in range(999):
            assert wire.reply() == "250 2.0.0 OK"
        assert wire.say(b"NOOP\r\n") == "421 4.7.0 Too many commands without a message"
        assert wire.hears_the_end()
