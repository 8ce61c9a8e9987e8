"""Replies off the wire: whole, byte by byte, with trailing data; and what is no reply."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.mail import Reply
from posthouse.smtp.replies import MAX_LINE, MAX_REPLY, ProtocolError, ReplyParser

REPLIES = [
    (b"220 mx.example.net ESMTP\r\n", Reply(220, "", "mx.example.net ESMTP")),
    (b"250 2.1.0 Sender ok\r\n", Reply(250, "2.1.0", "Sender ok")),
    (
        b"550 5.7.64 TenantAttribution; Relay Access Denied\r\n",
        Reply(550, "5.7.64", "TenantAttribution; Relay Access Denied"),
    ),
    (b"250 2.0.0\r\n", Reply(250, "2.0.0", "")),
    (b"354\r\n", Reply(354, "", "")),
    (b"250 \r\n", Reply(250, "", "")),
    (b"250 ok\n", Reply(250, "", "ok")),
    (b"250 1.2.3.4 says hello\r\n", Reply(250, "", "1.2.3.4 says hello")),
    (b"550 4.7.1 class and code differ\r\n", Reply(550, "", "4.7.1 class and code differ")),
    (
        b"250-mx.example.net\r\n250-PIPELINING\r\n250 SIZE 1000\r\n",
        Reply(250, "", "mx.example.net\nPIPELINING\nSIZE 1000"),
    ),
    (b"550-5.7.1 Not\r\n550-\r\n550 5.7.1 you\r\n", Reply(550, "5.7.1", "Not\n\nyou")),
    (b"250-fine\r\n451 4.3.0 no, not fine\r\n", Reply(451, "4.3.0", "fine\nno, not fine")),
    (b"550 5.1.1 caf\xc3\xa9 \xff \x1b[31m\x00\r\n", Reply(550, "5.1.1", "caf\u00e9 \ufffd ?[31m?")),
]


def parse_all(*pieces: bytes) -> list[Reply]:
    parser = ReplyParser()
    replies = []
    for piece in pieces:
        parser.feed(piece)
        while (reply := parser.next_reply()) is not None:
            replies.append(reply)
    return replies


@pytest.mark.parametrize(("wire", "reply"), REPLIES)
def test_a_reply_is_read_whole_byte_by_byte_and_with_more_behind_it(wire: bytes, reply: Reply):
    assert parse_all(wire) == [reply]
    assert parse_all(*(wire[i : i + 1] for i in range(len(wire)))) == [reply]
    assert parse_all(wire + b"250 2.0.0 next\r\n25") == [reply, Reply(250, "2.0.0", "next")]
    assert parse_all(wire[:-1]) == []


@pytest.mark.parametrize(
    "garbage",
    [
        b"\r\n",
        b"hello\r\n",
        b"25\r\n",
        b"250x\r\n",
        b"199 no\r\n",
        b"600 no\r\n",
        b"\x16\x03\x01\x02\n",
        b"HTTP/1.1 400\r\n",
        b"250-ok\r\nwhat\r\n",
    ],
)
def test_garbage_is_a_protocol_error(garbage: bytes):
    with pytest.raises(ProtocolError):
        parse_all(garbage)


def test_a_line_without_end_is_cut_off():
    with pytest.raises(ProtocolError, match=f"longer than {MAX_LINE}"):
        parse_all(b"250 " + b"x" * MAX_LINE)


def test_a_reply_without_end_is_cut_off():
    line = b"250-" + b"x" * 1020
    assert parse_all(*[line + b"\r\n"] * 15) == []
    with pytest.raises(ProtocolError, match=f"longer than {MAX_REPLY}"):
        parse_all(*[line + b"\r\n"] * 17)


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_any_bytes_in_any_pieces_end_in_replies_or_a_protocol_error(pieces: list[bytes]):
    try:
        whole = parse_all(b"".join(pieces))
    except ProtocolError:
        with pytest.raises(ProtocolError):
            parse_all(*pieces)
    else:
        assert parse_all(*pieces) == whole


@given(
    st.integers(200, 599),
    st.lists(st.text(st.characters(categories=["L", "N"]), max_size=20), min_size=1, max_size=5),
)
def test_what_a_reply_encodes_to_is_read_back(code: int, lines: list[str]):
    reply = Reply(code, "2.1.5" if code < 300 else "", "\n".join(lines))
    assert parse_all(reply.encode()) == [reply]
