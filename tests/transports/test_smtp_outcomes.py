"""What a delivery comes to when the next hop behaves, refuses, or does neither."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator

import pytest

from posthouse.mail import Body, Delivery, DsnDuty, Envelope, MemoryContent, Notify, Outcome, Recipient, Ret, Status
from support.peers import (
    CLOSE,
    ENDLESS_LINE,
    ENDLESS_REPLY,
    EXTENSIONS,
    GARBAGE,
    HALF_LINE,
    SILENCE,
    STUCK,
    Answer,
    Misdeed,
    Peer,
)

Mail = Callable[..., Delivery]
To = Callable[..., Envelope]

CHUNKING = (*EXTENSIONS, "CHUNKING")
WAYS = {"pipelined": EXTENSIONS, "one by one": ("SIZE 0", "8BITMIME"), "chunking": CHUNKING}
CONTENT = b"Subject: x\r\n\r\n.dot\r\n..\r\nlast line\r\n"


def fates(outcomes: list[Outcome]) -> list[str]:
    return [f"{outcome.status} {outcome.reply.enhanced}" for outcome in outcomes]


class TestDelivered:
    @pytest.mark.parametrize("extensions", WAYS.values(), ids=WAYS)
    def test_content_arrives_as_it_was(self, sender, mail: Mail, to: To, extensions):
        with Peer(extensions=extensions) as peer:
            outcomes = sender.deliver(peer, mail(to("b@example.net", "c@example.net")), clock=lambda: 7.0)
        assert fates(outcomes) == ["delivered 2.0.0"] * 2
        assert [outcome.recipient for outcome in outcomes] == [0, 1]
        assert {(outcome.remote, outcome.at) for outcome in outcomes} == {("example.net [127.0.0.1]", 7.0)}
        (message,) = peer.messages
        assert message.mail.startswith("MAIL FROM:<a@contoso.com>")
        assert message.recipients == ["RCPT TO:<b@example.net>", "RCPT TO:<c@example.net>"]
        assert message.content == CONTENT
        assert peer.sessions[0].commands[-1] == "QUIT"

    def test_a_server_that_knows_only_helo(self, sender):
        with Peer(EHLO="500 what?") as peer:
            assert fates(sender.deliver(peer)) == ["delivered 2.0.0"]
        assert peer.sessions[0].commands[:3] == [
            "EHLO relay.contoso.com",
            "HELO relay.contoso.com",
            "MAIL FROM:<a@contoso.com>",
        ]

    def test_multi_line_replies(self, sender):
        with Peer(CONNECT="220-welcome\r\n220-\r\n220 here", CONTENT="250-2.0.0 queued\r\n250 2.0.0 as 1") as peer:
            (outcome,) = sender.deliver(peer)
        assert outcome.reply.text == "queued\nas 1"

    def test_each_recipient_has_a_fate_of_its_own(self, sender, mail: Mail, to: To):
        with Peer(RCPT=["250 ok", "550 5.1.1 unknown", "450 4.2.1 busy"]) as peer:
            outcomes = sender.deliver(peer, mail(to("b@example.net", "c@example.net", "d@example.net")))
        assert fates(outcomes) == ["delivered 2.0.0", "failed 5.1.1", "deferred 4.2.1"]

    @pytest.mark.parametrize("recipients", [(2, 0), (1,), (2, 1, 0)])
    def test_only_some_recipients_in_any_order(self, sender, mail: Mail, to: To, recipients: tuple[int, ...]):
        message = mail(to("0@example.net", "1@example.net", "2@example.net")).message
        with Peer() as peer:
            outcomes = sender.deliver(peer, Delivery(message, recipients, "Internet", "example.net"))
        assert tuple(outcome.recipient for outcome in outcomes) == recipients
        assert peer.messages[0].recipients == [f"RCPT TO:<{index}@example.net>" for index in recipients]

    def test_recipients_above_the_server_s_limit_go_in_the_next_transaction(self, sender, mail: Mail, to: To):
        many = to(*(f"{n}@example.net" for n in range(5)))
        limit = ["250 ok", "250 ok", "452 4.5.3 too many", "452 4.5.3 too many", "452 4.5.3 too many"]
        with Peer(RCPT=[*limit, "250 ok", "250 ok", "552 too many", "250 ok"]) as peer:
            outcomes = sender.deliver(peer, mail(many))
        assert sorted(outcome.recipient for outcome in outcomes) == [0, 1, 2, 3, 4]
        assert {outcome.status for outcome in outcomes} == {Status.DELIVERED}
        assert [len(message.recipients) for message in peer.messages] == [2, 2, 1]

    def test_too_many_recipients_from_the_first_on_is_deferred(self, sender):
        with Peer(RCPT="452 4.5.3 too many") as peer:
            assert fates(sender.deliver(peer)) == ["deferred 4.5.3"]

    @pytest.mark.parametrize(("extensions", "duty"), [(("DSN",), DsnDuty.PASSED), (("SIZE",), DsnDuty.RELAYED)])
    def test_who_answers_for_the_dsn(self, sender, mail: Mail, extensions, duty: DsnDuty):
        asked = Recipient("b@example.net", Notify.SUCCESS, "rfc822;b@example.net")
        with Peer(extensions=extensions) as peer:
            (outcome,) = sender.deliver(peer, mail(Envelope("a@contoso.com", (asked,), Ret.HDRS, "id1")))
        assert outcome.duty is duty
        passed = peer.messages[0].mail + peer.messages[0].recipients[0]
        assert ("RET=HDRS ENVID=id1" in passed) == (duty is DsnDuty.PASSED)
        assert ("NOTIFY=SUCCESS ORCPT=rfc822;b@example.net" in passed) == (duty is DsnDuty.PASSED)


class FileContent:
    """Content that must be read outside the loop, and says so if it isn't."""

    in_memory = False

    def __init__(self, *parts: bytes) -> None:
        self._parts = parts
        self.read = 0

    @property
    def size(self) -> int:
        return sum(map(len, self._parts))

    def chunks(self) -> Iterator[bytes]:
        for part in self._parts:
            with pytest.raises(RuntimeError):
                asyncio.get_running_loop()
            self.read += 1
            yield part


BIG = [b"Subject: big\r\n\r\n", *[(b".%d " % n) * 4000 + b"\r\n" for n in range(200)]]


class TestStreamed:
    @pytest.mark.parametrize("extensions", WAYS.values(), ids=WAYS)
    @pytest.mark.parametrize("kind", [lambda *parts: MemoryContent(parts), FileContent], ids=["memory", "file"])
    def test_a_large_message_arrives_as_it_was(self, sender, mail: Mail, extensions, kind):
        with Peer(extensions=extensions) as peer:
            assert fates(sender.deliver(peer, mail(content=kind(*BIG)))) == ["delivered 2.0.0"]
        assert peer.messages[0].content == b"".join(BIG)

    def test_a_server_that_stops_reading_is_not_buried(self, sender, mail: Mail):
        content = FileContent(*[b"x" * 65536] * 500)
        with Peer(extensions=["PIPELINING"], DATA=STUCK) as peer:
            assert fates(sender.deliver(peer, mail(content=content), timeouts=sender.TIMEOUTS)) == ["deferred 4.4.2"]
        assert content.read < 400

    def test_a_server_that_refuses_in_the_middle_of_it(self, sender, mail: Mail):
        content = FileContent(*[b"x" * 65536] * 500)
        with Peer(extensions=["PIPELINING"], DATA="354 go\r\n552 5.3.4 enough") as peer:
            outcomes = sender.deliver(peer, mail(content=content))
        assert fates(outcomes) == ["failed 5.3.4"]
        assert content.read < 500


STAGES = ["MAIL", "RCPT", "DATA", "CONTENT"]


class TestRefused:
    @pytest.mark.parametrize("stage", ["CONNECT", "HELO", *STAGES])
    @pytest.mark.parametrize(
        ("reply", "fate"), [("451 4.3.0 later", "deferred 4.3.0"), ("550 5.7.1 never", "failed 5.7.1")]
    )
    @pytest.mark.parametrize("extensions", [("SIZE",), EXTENSIONS], ids=["one by one", "pipelined"])
    def test_at_any_stage(self, sender, stage: str, reply: str, fate: str, extensions):
        answers: dict[str, Answer | list[Answer]] = {stage: reply}
        if stage == "HELO":
            answers["EHLO"] = "502 what?"
        with Peer(extensions=extensions, **answers) as peer:
            (outcome,) = sender.deliver(peer)
        assert fates([outcome]) == [fate]
        assert outcome.reply.text in ("later", "never")
        assert outcome.remote == "example.net [127.0.0.1]"
        assert peer.messages == []

    @pytest.mark.parametrize("stage", ["MAIL", "RCPT", "BDAT"])
    def test_with_chunking(self, sender, stage: str):
        with Peer(extensions=CHUNKING, **{stage: "550 5.7.1 never"}) as peer:
            assert fates(sender.deliver(peer)) == ["failed 5.7.1"]

    @pytest.mark.parametrize("stage", ["CONNECT", "EHLO", *STAGES])
    def test_by_a_server_that_is_going_down(self, sender, stage: str):
        with Peer(**{stage: "421 4.3.2 going down"}) as peer:
            assert fates(sender.deliver(peer)) == ["deferred 4.3.2"]

    @pytest.mark.parametrize("reply", ["250 2.0.0 fine, thanks", "334 what?", "399 what?"])
    def test_data_that_is_not_answered_354_gets_no_content(self, sender, reply: str):
        with Peer(DATA=reply) as peer:
            assert fates(sender.deliver(peer)) == ["deferred 4.5.0"]
        assert peer.messages == []

    def test_everybody_yet_the_server_wants_content(self, sender):
        with Peer(RCPT="550 5.1.1 unknown", DATA="354 go ahead") as peer:
            assert fates(sender.deliver(peer)) == ["failed 5.1.1"]
        assert peer.messages == []

    @pytest.mark.parametrize(
        ("extensions", "envelope", "fate"),
        [
            (("SMTPUTF8",), {"body": Body.EIGHT_BIT}, "failed 5.6.3"),
            (("8BITMIME",), {"smtputf8": True}, "failed 5.6.7"),
            (("SIZE 10",), {}, "failed 5.3.4"),
        ],
    )
    def test_by_us_where_the_server_lacks_what_the_message_needs(
        self, sender, mail: Mail, extensions, envelope, fate: str
    ):
        with Peer(extensions=extensions) as peer:
            outcomes = sender.deliver(peer, mail(Envelope("a@contoso.com", (Recipient("b@example.net"),), **envelope)))
        assert fates(outcomes) == [fate]
        assert peer.sessions[0].commands == ["EHLO relay.contoso.com", "QUIT"]


class TestMisbehaved:
    @pytest.mark.parametrize("stage", ["CONNECT", "EHLO", *STAGES])
    @pytest.mark.parametrize(
        ("misdeed", "fate"),
        [
            (CLOSE, "deferred 4.4.2"),
            (SILENCE, "deferred 4.4.2"),
            (HALF_LINE, "deferred 4.4.2"),
            (GARBAGE, "deferred 4.5.0"),
            (ENDLESS_LINE, "deferred 4.5.0"),
            (ENDLESS_REPLY, "deferred 4.5.0"),
        ],
    )
    def test_at_any_stage(self, sender, stage: str, misdeed: Misdeed, fate: str):
        timeouts = sender.TIMEOUTS if misdeed is SILENCE else sender.PATIENT
        with Peer(**{stage: misdeed}) as peer:
            (outcome,) = sender.deliver(peer, timeouts=timeouts)
        assert fates([outcome]) == [fate]
        assert "example.net [127.0.0.1]" in outcome.reply.text
        assert peer.messages == []

    def test_a_lost_reply_to_the_content_may_double_a_message_but_loses_none(self, sender, mail: Mail):
        with Peer(CONTENT=[CLOSE, "250 2.0.0 queued"]) as peer:
            assert fates(sender.deliver(peer, mail(), mail())) == ["deferred 4.4.2", "delivered 2.0.0"]

    def test_what_is_known_of_a_recipient_survives_the_connection(self, sender, mail: Mail, to: To):
        with Peer(RCPT=["550 5.1.1 unknown", "250 ok"], CONTENT=CLOSE) as peer:
            outcomes = sender.deliver(peer, mail(to("b@example.net", "c@example.net")))
        assert fates(outcomes) == ["failed 5.1.1", "deferred 4.4.2"]

    def test_the_reply_says_what_was_waited_for(self, sender):
        with Peer(RCPT=SILENCE) as peer:
            (outcome,) = sender.deliver(peer, timeouts=sender.TIMEOUTS)
        assert outcome.reply.text == "example.net [127.0.0.1]: timed out while waiting for the reply to RCPT"

    def test_nobody_there(self, sender):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        (outcome,) = sender.deliver(port)
        assert fates([outcome]) == ["deferred 4.4.1"]
        assert f"example.net [127.0.0.1]:{port}" in outcome.reply.text
        assert outcome.remote == ""

    def test_a_delivery_can_be_cancelled(self, sender, mail: Mail):
        async def cancelled(peer: Peer) -> bool:
            task = asyncio.create_task(sender.transport(peer).deliver(mail()))
            await asyncio.to_thread(peer.contacted.wait)
            task.cancel()
            await asyncio.wait([task])
            return task.cancelled()

        with Peer(CONNECT=SILENCE) as peer:
            assert asyncio.run(cancelled(peer))
