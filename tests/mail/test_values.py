import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.mail import (
    Client,
    Envelope,
    MemoryContent,
    Message,
    Notify,
    Recipient,
    Refused,
    Reply,
    domain_of,
    message_id,
    received_time,
)
from posthouse.mail.address import MailboxAddress, normalize_domain, parse_address

milliseconds = st.integers(min_value=0, max_value=(1 << 48) - 1)
randomness = st.integers(min_value=0, max_value=(1 << 128) - 1)


@pytest.mark.parametrize(
    ("address", "local_part", "domain"),
    [
        ("Bob.Smith@Example.NET", "Bob.Smith", "example.net"),
        ('"a@b"@example.net', '"a@b"', "example.net"),
        ("bob@bücher.example", "bob", "xn--bcher-kva.example"),
        ("bob@BÜCHER.example.", "bob", "xn--bcher-kva.example"),
        ("bob@example.net.", "bob", "example.net"),
        ("bob@[192.0.2.1]", "bob", "[192.0.2.1]"),
        ("Postmaster", "Postmaster", ""),
        ("bob@", "bob", ""),
        ("", "", ""),
    ],
)
def test_an_address_is_split_at_its_last_at(address: str, local_part: str, domain: str) -> None:
    assert parse_address(address) == MailboxAddress(local_part, domain)
    assert domain_of(address) == domain


def test_an_address_is_written_as_it_compares() -> None:
    assert str(parse_address("Bob@Example.NET")) == "Bob@example.net"
    assert str(parse_address("Postmaster")) == "Postmaster"


@given(st.text(max_size=30))
def test_normalizing_a_domain_never_raises_and_is_stable_for_ascii(domain: str) -> None:
    normal = normalize_domain(domain)
    if normal.isascii():
        assert normalize_domain(normal) == normal


@given(st.sets(st.sampled_from(["SUCCESS", "FAILURE", "DELAY"]), min_size=1).map(sorted))
def test_notify_reads_what_it_writes(words: list[str]) -> None:
    notify = Notify.parse(",".join(words).lower())
    assert sorted(notify.parameter.split(",")) == words
    assert Notify.parse(notify.parameter) == notify


def test_an_absent_notify_is_none_of_the_words() -> None:
    assert Notify.parse("") is Notify.ABSENT
    assert Notify.ABSENT.parameter == ""
    assert Notify.parse("never") == Notify.NEVER


@pytest.mark.parametrize("text", ["SOMETIMES", "NEVER,SUCCESS", "SUCCESS,", ",", "ABSENT", "SUCCESS FAILURE"])
def test_a_bad_notify_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^NOTIFY="):
        Notify.parse(text)


@pytest.mark.parametrize(
    ("reply", "wire"),
    [
        (Reply(250, "2.0.0", "OK"), b"250 2.0.0 OK\r\n"),
        (Reply(354, "", "Start mail input"), b"354 Start mail input\r\n"),
        (Reply(550, "5.7.64", "first\nsecond"), b"550-5.7.64 first\r\n550 5.7.64 second\r\n"),
        (Reply(250, "", "relay\nPIPELINING\nSIZE"), b"250-relay\r\n250-PIPELINING\r\n250 SIZE\r\n"),
        (Reply(250, "2.1.0", "bücher"), "250 2.1.0 bücher\r\n".encode()),
    ],
)
def test_a_reply_on_the_wire(reply: Reply, wire: bytes) -> None:
    assert reply.encode() == wire


@pytest.mark.parametrize(
    ("code", "positive", "transient", "permanent"),
    [(250, True, False, False), (354, True, False, False), (451, False, True, False), (550, False, False, True)],
)
def test_the_first_digit_says_what_a_reply_means(code: int, positive: bool, transient: bool, permanent: bool) -> None:
    reply = Reply(code, "", "text")
    assert (reply.is_positive, reply.is_transient, reply.is_permanent) == (positive, transient, permanent)


def test_a_refusal_carries_its_reply() -> None:
    refusal = Refused(Reply(550, "5.1.1", "User unknown"))
    assert str(refusal) == "550 5.1.1 User unknown"
    assert refusal.reply.is_permanent


@given(milliseconds, milliseconds, randomness, randomness)
def test_message_ids_sort_by_time(first: int, second: int, one: int, other: int) -> None:
    if first < second:
        assert message_id(first, one) < message_id(second, other)


@given(milliseconds, randomness)
def test_a_message_id_is_25_characters_and_tells_its_time(at: int, random: int) -> None:
    made = message_id(at, random)
    assert len(made) == 25
    assert made.isalnum()
    assert round(received_time(made) * 1000) == at


@given(milliseconds, randomness, st.integers(min_value=0, max_value=76))
def test_each_bit_of_randomness_counts(at: int, random: int, bit: int) -> None:
    assert message_id(at, random) != message_id(at, random ^ (1 << bit))


@pytest.mark.parametrize("text", ["", "01arz", "01ARZ3NDEKTSV4RRFFQ69G5FA", "01arz3ndektsv4rrffq69g5fl", "0" * 26])
def test_what_is_no_message_id_tells_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="no message id"):
        received_time(text)


def test_the_size_of_a_message_is_its_content() -> None:
    content = MemoryContent((b"Subject: a\r\n", b"\r\n", b"body\r\n"))
    message = Message(message_id(0, 0), 0.0, Envelope("", (Recipient("a@b"),)), content, None, Client("192.0.2.1"))
    assert message.size == 20
    assert b"".join(content.chunks()) == b"".join(content.chunks()) == b"Subject: a\r\n\r\nbody\r\n"
