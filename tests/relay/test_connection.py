"""A connection and its session over a transport in memory: what is written when, and when the line is cut."""

from __future__ import annotations

import tracemalloc
from base64 import b64encode
from collections.abc import Iterator

import pytest

from posthouse.net.certificates import self_signed
from posthouse.net.tls import ClientContext, ServerContext, TlsSession
from posthouse.net.verification import Verifier
from posthouse.relay.connection import COMMAND_TIMEOUT, READ_AHEAD
from posthouse.relay.transaction import IN_MEMORY
from posthouse.settings import Limits, Listener
from posthouse.spool import StoreUnavailable, StoreUncertain
from support.desk import BANNER, Client, Desk, Wire

TRANSACTION = b"MAIL FROM:<a@fabrikam.test>\r\nRCPT TO:<b@contoso.com>\r\nDATA\r\n"
CONTENT = b"Subject: x\r\n\r\nx\r\n.\r\n"
PLAIN = b64encode(b"\0scanner\0secret")


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk(Limits(sessions=3, sessions_per_client=2), Listener(address="127.0.0.1:0", auth_without_tls=True))
    yield desk
    desk.loop.close()


@pytest.fixture
def client(desk: Desk) -> Client:
    return desk.client().greeted()


@pytest.fixture(scope="module")
def tls_context() -> ServerContext:
    return ServerContext(self_signed("relay.test"), "intermediate", Verifier())


# Flights


def test_the_replies_to_a_flight_leave_in_one_write(client: Client) -> None:
    (write,) = client.say(TRANSACTION)
    assert [reply[:3] for reply in write.splitlines()] == ["250", "250", "354"]


def test_what_follows_the_content_waits_for_the_commit_and_is_answered_with_it(desk: Desk, client: Client) -> None:
    client.say(TRANSACTION)
    assert client.say(CONTENT + b"NOOP\r\nQUIT\r\n") == []
    ((new, done),) = desk.accepted
    done(None)
    (write,) = client.heard()
    assert write.splitlines() == [
        "250 2.6.0 <id1> Queued mail for delivery",
        "250 2.0.0 OK",
        "221 2.0.0 relay.test closing the connection",
    ]
    assert desk.taken == [new.message]
    assert client.wire.is_closing()


def test_reading_stops_while_too_much_waits_and_goes_on_afterwards(desk: Desk, client: Client) -> None:
    client.say(TRANSACTION + CONTENT)
    client.say(b"x" * READ_AHEAD)
    assert client.wire.is_reading
    client.say(b"x")
    assert not client.wire.is_reading
    desk.accepted[0][1](None)
    assert client.wire.is_reading


def test_who_reads_no_replies_is_not_read_from(client: Client) -> None:
    client.connection.pause_writing()
    assert not client.wire.is_reading
    client.connection.resume_writing()
    assert client.wire.is_reading


# The store


@pytest.mark.parametrize("pipelined", [b"", b"NOOP\r\n"])
def test_a_store_that_is_unavailable_is_452_and_the_session_goes_on(
    desk: Desk, client: Client, pipelined: bytes
) -> None:
    client.say(TRANSACTION)
    client.say(CONTENT + pipelined)
    desk.accepted[0][1](StoreUnavailable("the disk is full"))
    assert client.heard()[0].startswith("452 4.3.1 Insufficient system resources\r\n")
    assert client.say(TRANSACTION)[0].startswith("250 ")
    assert desk.taken == []


def test_a_commit_that_is_in_doubt_closes_without_a_reply(desk: Desk, client: Client) -> None:
    client.say(TRANSACTION)
    client.say(CONTENT + b"NOOP\r\n")
    desk.accepted[0][1](StoreUncertain("the connection was lost"))
    assert client.heard() == []
    assert client.wire.is_aborted
    assert desk.taken == []


def test_a_mail_goes_on_its_way_though_its_client_has_gone(desk: Desk, client: Client) -> None:
    client.say(TRANSACTION)
    client.say(CONTENT)
    client.wire.abort()
    ((new, done),) = desk.accepted
    done(None)
    assert client.heard() == []
    assert desk.taken == [new.message]


def test_content_in_tiny_pieces_takes_no_more_memory_than_in_large_ones(desk: Desk, client: Client) -> None:
    """Each piece is an object of its own, many times the size of what it holds."""
    client.say(TRANSACTION + b"Subject: x\r\n\r\n")
    sent = 0
    tracemalloc.start()
    try:
        while sent < IN_MEMORY // 2:
            sent += 2
            client.connection.data_received(bytes((120, sent % 26 + 97)))
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < 2 * IN_MEMORY
    client.say(b"\r\n.\r\n")
    [(new, _)] = desk.accepted
    assert new.message.size > sent


def test_a_message_that_is_refused_gives_its_room_back(desk: Desk, client: Client) -> None:
    room = desk.hearing.budget.room
    client.say(TRANSACTION)
    client.say(CONTENT)
    assert desk.hearing.budget.room == room - 1
    desk.accepted[0][1](StoreUnavailable("the disk is full"))
    assert desk.hearing.budget.room == room


# Passwords


def test_what_is_pipelined_behind_a_login_waits_for_the_check(desk: Desk, client: Client) -> None:
    assert client.say(b"AUTH PLAIN " + PLAIN + b"\r\nNOOP\r\n") == []
    assert client.say(b"NOOP\r\n") == []
    desk.checked(True)
    (write,) = client.heard()
    assert write == "235 2.7.0 Authentication successful\r\n250 2.0.0 OK\r\n250 2.0.0 OK\r\n"


def test_a_wrong_password_is_refused_and_may_be_tried_again(desk: Desk, client: Client) -> None:
    client.say(b"AUTH PLAIN " + PLAIN + b"\r\n")
    desk.checked(False)
    assert client.heard() == ["535 5.7.3 Authentication unsuccessful\r\n"]
    client.say(b"AUTH PLAIN " + PLAIN + b"\r\n")
    desk.checked(True)
    assert client.heard() == ["235 2.7.0 Authentication successful\r\n"]


def test_a_check_that_ends_after_its_client_has_gone_says_nothing(desk: Desk, client: Client) -> None:
    client.say(b"AUTH PLAIN " + PLAIN + b"\r\n")
    client.wire.abort()
    desk.checked(True)
    assert client.heard() == []


# Limits and idle clients


def test_a_session_too_many_is_told_so_and_leaves_room_when_it_ends(desk: Desk) -> None:
    first, _ = desk.client(), desk.client()
    third = desk.client()
    assert third.heard() == ["421 4.3.2 Too many connections, try again later\r\n"]
    assert third.wire.is_closing()
    first.wire.abort()
    assert desk.client().heard() == [BANNER]
    assert desk.hearing.census.sessions == 2


def test_a_client_that_has_gone_before_we_look_is_let_go(desk: Desk) -> None:
    """As the probes of a load balancer do, which reset the connection at once; uvloop knows no address then."""
    client = Client(desk, Wire(peername=None))
    assert client.heard() == []
    assert client.wire.is_aborted
    assert desk.hearing.census.sessions == 0


def test_an_idle_client_is_hung_up_on(desk: Desk, client: Client) -> None:
    desk.now += COMMAND_TIMEOUT
    desk.listener.hang_up_idle()
    assert client.say(b"NOOP\r\n") == ["250 2.0.0 OK\r\n"]
    desk.now += COMMAND_TIMEOUT + 1
    desk.listener.hang_up_idle()
    assert client.heard() == ["421 4.4.2 Connection timed out\r\n"]
    assert client.wire.is_closing()
    assert desk.hearing.census.sessions == 0


def test_an_idle_client_that_reads_nothing_is_cut_off(desk: Desk, client: Client) -> None:
    """What is written to it would never leave our buffer, and the session never end."""
    client.wire.is_stuck = True
    desk.now += COMMAND_TIMEOUT + 1
    desk.listener.hang_up_idle()
    assert not client.wire.is_aborted
    desk.listener.hang_up_idle()
    assert client.wire.is_aborted
    assert desk.hearing.census.sessions == 0


def test_who_waits_for_our_commit_is_not_idle(desk: Desk, client: Client) -> None:
    """421 would be the refusal of a mail that may yet be delivered."""
    client.say(TRANSACTION)
    client.say(CONTENT)
    desk.now += COMMAND_TIMEOUT + 1
    desk.listener.hang_up_idle()
    assert client.heard() == []
    desk.accepted[0][1](None)
    assert client.heard() == ["250 2.6.0 <id1> Queued mail for delivery\r\n"]


def test_an_ending_worker_sends_clients_away_but_for_those_in_a_transaction(desk: Desk, client: Client) -> None:
    idle = desk.client().greeted()
    client.say(TRANSACTION)
    desk.listener.stop_accepting()
    assert idle.heard() == ["421 4.3.2 Service not available, closing transmission channel\r\n"]
    client.say(CONTENT)
    desk.accepted[0][1](None)
    assert client.heard() == ["250 2.6.0 <id1> Queued mail for delivery\r\n"]
    desk.listener.stop_accepting()
    assert client.heard() == ["421 4.3.2 Service not available, closing transmission channel\r\n"]
    assert desk.client().heard() == ["421 4.3.2 Service not available, closing transmission channel\r\n"]


# TLS


class TlsClient:
    """Has said STARTTLS and speaks TLS from then on."""

    def __init__(self, desk: Desk, context: ServerContext) -> None:
        desk.hearing.tls_context = context
        self.client = desk.client().greeted()
        assert self.client.say(b"STARTTLS\r\n") == ["220 2.0.0 SMTP server ready\r\n"]
        self.tls = TlsSession(ClientContext(None, "intermediate", context.verifier))
        self.tls.start()
        while flight := self.tls.data_to_send():
            self.client.connection.data_received(flight)
            self._read()
        self.say(b"EHLO device\r\n")

    def record(self, plaintext: bytes) -> bytes:
        self.tls.send(plaintext)
        return self.tls.data_to_send()

    def say(self, plaintext: bytes) -> str:
        self.client.connection.data_received(self.record(plaintext))
        return self._read()

    def _read(self) -> str:
        writes, self.client.wire.writes = self.client.wire.writes, []
        return b"".join(map(self.tls.receive, writes)).decode()


@pytest.fixture
def tls_client(desk: Desk, tls_context: ServerContext) -> TlsClient:
    return TlsClient(desk, tls_context)


def test_a_handshake_that_fails_ends_the_session(desk: Desk, tls_context: ServerContext) -> None:
    desk.hearing.tls_context = tls_context
    client = desk.client().greeted()
    client.say(b"STARTTLS\r\n")
    client.say(b"MAIL FROM:<a@contoso.com>\r\n")
    assert client.wire.is_closing()
    assert desk.hearing.census.sessions == 0


def test_garbage_behind_a_command_ends_the_session_calmly(tls_client: TlsClient) -> None:
    tls_client.client.connection.data_received(tls_client.record(b"NOOP\r\n") + b"garbage, and no record")
    assert tls_client.client.wire.is_closing()


def test_garbage_behind_a_mail_does_not_keep_it_from_its_way(desk: Desk, tls_client: TlsClient) -> None:
    """It is durable by the time that we find we can't say so."""
    tls_client.say(TRANSACTION)
    tls_client.client.connection.data_received(tls_client.record(CONTENT) + b"garbage, and no record")
    for new, done in desk.accepted:
        done(None)
        assert desk.taken == [new.message]
    assert tls_client.client.wire.is_closing()


def test_a_login_in_plain_is_forgotten_with_the_handshake(desk: Desk, tls_context: ServerContext) -> None:
    """RFC 3207 4.2: the server discards what it knew of the client."""
    desk.hearing.tls_context = tls_context
    client = desk.client().greeted()
    client.say(b"AUTH PLAIN " + PLAIN + b"\r\n")
    desk.checked(True)
    client.heard()
    client.say(b"STARTTLS\r\n")
    tls = TlsSession(ClientContext(None, "intermediate", tls_context.verifier))
    tls.start()
    while flight := tls.data_to_send():
        client.connection.data_received(flight)
        writes, client.wire.writes = client.wire.writes, []
        tls.receive(b"".join(writes))
    assert client.connection.session._proven().login is None


def test_the_end_of_a_session_under_tls_is_said(tls_client: TlsClient) -> None:
    """RFC 8446 6.1: close_notify, so that the client knows that nobody cut the line."""
    assert tls_client.say(b"QUIT\r\n") == "221 2.0.0 relay.test closing the connection\r\n"
    assert tls_client.tls.closed


def test_a_client_that_ends_tls_ends_the_session(desk: Desk, tls_client: TlsClient) -> None:
    tls_client.tls.close()
    tls_client.client.connection.data_received(tls_client.tls.data_to_send())
    assert tls_client.client.wire.is_closing()
    assert desk.hearing.census.sessions == 0


def test_a_clock_that_is_set_makes_nobody_idle(desk: Desk, client: Client) -> None:
    desk.wall_clock += 86_400.0
    desk.listener.hang_up_idle()
    assert not client.wire.is_closing()
