"""Our client engine talks to our server engine, wired in memory: what goes in at one end comes out at the other."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.mail import Body, Envelope, Notify, Recipient, Reply, Ret
from posthouse.smtp.client import ClientEngine, ReadyForContent, TransactionDone
from posthouse.smtp.events import NEED_DATA, DataBegin, Extensions, MailFrom, MessageEnd, RcptTo, ServerLimits

ENVELOPE = Envelope("a@contoso.com", (Recipient("b@example.net"), Recipient("c@example.net")))
ACCEPTED = Reply(250, "2.6.0", "Queued")
WAYS = ["pipelined", "one by one", "chunking"]


class Pair:
    """A client and a server that have said hello, and every event of the client's since."""

    def __init__(self, talk: Any, way: str = "pipelined", piece: int = 1 << 20) -> None:
        self.client = ClientEngine("relay.contoso.com")
        self.server = talk
        self.events: list[Any] = []
        self._piece = piece
        talk.engine.greet(Reply(220, "", "relay.example ESMTP"))
        self.hear(talk.engine.data_to_send())
        self.client.hello()
        self.exchange()
        if way != "chunking":
            self.client.extensions = replace(self.client.extensions, chunking=False, pipelining=way == "pipelined")
        self.events.clear()

    def exchange(self) -> None:
        """Carry bytes to and fro until neither side has any more, in pieces of a given size."""
        while data := self.client.data_to_send():
            self.hear(self.server.say(*(data[i : i + self._piece] for i in range(0, len(data), self._piece))).encode())

    def hear(self, data: bytes) -> None:
        for i in range(0, len(data), self._piece):
            self.client.receive(data[i : i + self._piece])
            while (event := self.client.next_event()) is not NEED_DATA:
                self.events.append(event)

    def send(self, envelope: Envelope, *content: bytes) -> tuple[Reply, ...]:
        self.client.begin(envelope, sum(map(len, content)), content)
        self.exchange()
        (done,) = self.events
        assert isinstance(done, TransactionDone)
        self.events.clear()
        return done.replies


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_a_message_goes_through(new_talk: Callable[..., Any], way: str, piece: int):
    pair = Pair(new_talk(), way, piece)
    content = b"Subject: x\r\n\r\n.dot\r\n..\r\n"
    assert pair.send(ENVELOPE, content) == (ACCEPTED, ACCEPTED)
    kinds = [type(event) for event in pair.server.events[1:]]
    assert [kind for kind in kinds if kind in (MailFrom, RcptTo, DataBegin, MessageEnd)] == [
        MailFrom,
        RcptTo,
        RcptTo,
        DataBegin,
        MessageEnd,
    ]
    assert pair.server.content == content
    assert pair.client.waiting_for is None


@pytest.mark.parametrize("way", WAYS)
def test_a_session_goes_on_after_refusals_at_each_stage(new_talk: Callable[..., Any], way: str):
    pair = Pair(new_talk(), way)
    no = Reply(550, "5.7.1", "No")
    for stage in ["MailFrom", "RcptTo", "DataBegin", "MessageEnd"]:
        pair.server.refusals[stage].extend([no] * (2 if stage == "RcptTo" else 1))
        assert pair.send(ENVELOPE, b"x\r\n") == (no, no)
    assert pair.send(ENVELOPE, b"x\r\n") == (ACCEPTED, ACCEPTED)


@pytest.mark.parametrize("way", WAYS)
def test_one_refused_recipient_leaves_the_other(new_talk: Callable[..., Any], way: str):
    pair = Pair(new_talk(), way)
    pair.server.refusals["RcptTo"].append(unknown := Reply(550, "5.1.1", "Unknown"))
    assert pair.send(ENVELOPE, b"x\r\n") == (unknown, ACCEPTED)


@pytest.mark.parametrize("way", WAYS)
def test_recipients_above_the_limit_are_told_so(new_talk: Callable[..., Any], way: str):
    pair = Pair(new_talk(limits=ServerLimits(size=1000, recipients=1)), way)
    first, second = pair.send(ENVELOPE, b"x\r\n")
    assert first == ACCEPTED
    assert (second.code, second.enhanced) == (452, "4.5.3")


def test_the_envelope_arrives_whole(new_talk: Callable[..., Any]):
    recipient = Recipient("jürgen@example.net", Notify.SUCCESS | Notify.DELAY, "utf-8;j@example.net")
    envelope = Envelope("ä@contoso.com", (recipient,), Ret.HDRS, "id+2B1", smtputf8=True, body=Body.EIGHT_BIT)
    pair = Pair(new_talk(Extensions(dsn=True)))
    assert pair.send(envelope, b"x\r\n") == (ACCEPTED,)
    mail, rcpt = (event for event in pair.server.events if isinstance(event, MailFrom | RcptTo))
    assert mail == MailFrom("ä@contoso.com", 3, Body.EIGHT_BIT, True, Ret.HDRS, "id+2B1")
    assert rcpt == RcptTo(recipient)


def test_content_on_demand(new_talk: Callable[..., Any]):
    pair = Pair(new_talk())
    pair.client.begin(ENVELOPE, 6)
    pair.exchange()
    assert pair.events == [ReadyForContent()]
    for chunk in (b".a\r\n", b".", b"b"):
        pair.client.content(chunk)
        pair.exchange()
    pair.client.content_end()
    pair.exchange()
    assert pair.events[1:] == [TransactionDone((ACCEPTED, ACCEPTED))]
    assert pair.server.content == b".a\r\n.b\r\n"


LINES = st.lists(st.sampled_from([b"", b".", b"..", b". ", b"x", b".x", b"\xff\x01", b"From "]), max_size=8)


@given(lines=LINES, cuts=st.lists(st.integers(0, 40), max_size=4), way=st.sampled_from(WAYS), piece=st.integers(1, 60))
def test_any_content_in_any_pieces_arrives_as_it_was(
    new_talk: Callable[..., Any], lines: list[bytes], cuts: list[int], way: str, piece: int
):
    content = b"".join(line + b"\r\n" for line in lines)
    edges = [0, *sorted(cuts), len(content)]
    pair = Pair(new_talk(), way, piece)
    parts = [content[start:end] for start, end in pairwise(edges)]
    assert pair.send(ENVELOPE, *parts) == (ACCEPTED, ACCEPTED)
    assert pair.server.content == content
