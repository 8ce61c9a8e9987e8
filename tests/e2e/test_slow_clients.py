"""Clients that take their time, in every state that a session has, while others want to be served."""

from __future__ import annotations

import resource
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psutil
import pytest

from support.house import House, MakeHouse, wait_for
from support.wire import Wire

STARTTLS, IMPLICIT = 2525, 2526

LISTENERS = f"""
[[listener]]
address = "ADDRESS:{STARTTLS}"
auth_without_tls = true

[[listener]]
address = "ADDRESS:{IMPLICIT}"
tls = "implicit"
"""

ORGANIZATION = """
[[accepted_domain]]
name = "contoso.com"

[[inbound_connector]]
name = "Logins"
connector_type = "OnPremises"
sender_credentials = [{ user = "scanner", password_env = "SCANNER" }]

[[outbound_connector]]
name = "Mailboxes"
transport = "mailbox"
all_accepted_domains = true
mailboxes = ["*"]
"""

SLOW = 500
SERVED_WITHIN = 5.0
"""Seconds. The target is 2; a machine that runs other tests beside this one gets some more."""
MEMORY_EACH = 128 << 10
CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"  # how a record of 512 bytes begins


def stay_silent(wire: Wire) -> None:
    assert wire.reply().startswith("220 ")


def say_half_a_command(wire: Wire) -> None:
    wire.reply()
    wire.send(b"EHLO dev")


def say_no_more_than_ehlo(wire: Wire) -> None:
    wire.greeted()


def stop_after_mail(wire: Wire) -> None:
    wire.greeted().begin("a@fabrikam.test")


def stop_after_rcpt(wire: Wire) -> None:
    wire.greeted().begin("a@fabrikam.test", "slow@contoso.com")


def stop_in_the_content(wire: Wire) -> None:
    wire.greeted().begin("a@fabrikam.test", "slow@contoso.com")
    assert wire.say(b"DATA\r\n").startswith("354 ")
    wire.send(b"Subject: never finished\r\n\r\n" + b"x" * 10_000)


def stop_in_a_chunk(wire: Wire) -> None:
    wire.greeted().begin("a@fabrikam.test", "slow@contoso.com")
    wire.send(b"BDAT 1000000 LAST\r\n" + b"x" * 10_000)


def stop_in_the_handshake(wire: Wire) -> None:
    assert wire.greeted().say(b"STARTTLS\r\n").startswith("220 ")
    wire.send(CLIENT_HELLO)


def stop_in_auth(wire: Wire) -> None:
    assert wire.greeted().say(b"AUTH LOGIN\r\n").startswith("334 ")


def say_nothing_at_all(wire: Wire) -> None:
    """On the implicit TLS listener, which waits for a ClientHello."""


STATES: list[tuple[int, Callable[[Wire], None]]] = [
    (STARTTLS, stay_silent),
    (STARTTLS, say_half_a_command),
    (STARTTLS, say_no_more_than_ehlo),
    (STARTTLS, stop_after_mail),
    (STARTTLS, stop_after_rcpt),
    (STARTTLS, stop_in_the_content),
    (STARTTLS, stop_in_a_chunk),
    (STARTTLS, stop_in_the_handshake),
    (STARTTLS, stop_in_auth),
    (IMPLICIT, say_nothing_at_all),
]


@pytest.fixture(scope="module")
def relay(shared_house: MakeHouse) -> House:
    house = shared_house(ORGANIZATION, LISTENERS)
    house.apply(SCANNER="secret")
    return house.start()


@pytest.fixture
def many_files() -> Iterator[None]:
    """A socket for each slow client, whatever this shell's limit is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(4096, hard)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def memory(relay: House) -> int:
    return sum(worker.memory_info().rss for worker in relay.workers)


@pytest.mark.usefixtures("many_files")
def test_500_slow_clients_in_every_state_slow_down_nobody_else(relay: House) -> None:
    anyone = ssl.create_default_context()
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    before = memory(relay)
    with ExitStack() as stack:
        slow: list[Wire] = []
        for number in range(SLOW):
            port, dawdle = STATES[number % len(STATES)]
            source = f"127.50.{number // 250}.{number % 250 + 1}"
            wire = stack.enter_context(relay.wire(source, port))
            dawdle(wire)
            slow.append(wire)
        for wire in slow:
            wire.send(b"x")  # a byte is no progress
        assert memory(relay) - before < SLOW * MEMORY_EACH

        started = time.monotonic()
        with relay.wire() as wire:
            assert wire.greeted().send_mail("a@fabrikam.test", "good@contoso.com").startswith("250 2.6.0 ")
        with relay.wire() as wire:
            wire.greeted().upgrade(anyone)
            assert wire.say(b"AUTH PLAIN AHNjYW5uZXIAc2VjcmV0\r\n").startswith("235 ")
            assert wire.send_mail("a@contoso.com", "good@contoso.com").startswith("250 2.6.0 ")
        relay.await_mail("good@contoso.com", count=2)
        assert time.monotonic() - started < SERVED_WITHIN

    assert relay.mailbox("slow@contoso.com") == []
    wait_for(lambda: len(open_sessions(relay)) == 0, what="the sessions to be over")
    assert relay.log_lines("defect") == []


def open_sessions(relay: House) -> list[object]:
    connections = [each for worker in relay.workers for each in worker.net_connections("tcp")]
    return [each for each in connections if each.status == psutil.CONN_ESTABLISHED and each.laddr.ip == relay.address]


# The limits on sessions


@pytest.fixture(scope="module")
def small_relay(shared_house: MakeHouse) -> House:
    house = shared_house(ORGANIZATION, "\n[limits]\nsessions = 8\nsessions_per_client = 3\n", name="small")
    house.apply(SCANNER="secret")
    return house.start()


TOO_MANY = "421 4.3.2 Too many connections, try again later"


def is_let_in(relay: House, source: str) -> bool:
    with relay.wire(source) as wire:
        return wire.reply().startswith("220 ")


def test_one_client_may_have_so_many_sessions(small_relay: House) -> None:
    with ExitStack() as stack:
        for _ in range(3):
            assert stack.enter_context(small_relay.wire("127.52.0.1")).reply().startswith("220 ")
        with small_relay.wire("127.52.0.1") as one_too_many:
            assert one_too_many.reply() == TOO_MANY
            assert one_too_many.hears_the_end()
        assert is_let_in(small_relay, "127.52.0.2")
    wait_for(lambda: is_let_in(small_relay, "127.52.0.1"), what="a place to be free again")


def test_all_together_may_have_so_many_sessions(small_relay: House) -> None:
    wait_for(lambda: not open_sessions(small_relay), what="the last test's sessions to be over")
    with ExitStack() as stack:
        for number in range(8):
            wire = stack.enter_context(small_relay.wire(f"127.53.0.{number + 1}"))
            assert wire.reply().startswith("220 ")
        with small_relay.wire("127.53.0.99") as one_too_many:
            assert one_too_many.reply() == TOO_MANY
            assert one_too_many.hears_the_end()
        assert wire.say(b"NOOP\r\n") == "250 2.0.0 OK"
    wait_for(lambda: is_let_in(small_relay, "127.53.0.99"), what="a place to be free again")


def test_a_worker_that_dies_takes_its_sessions_out_of_the_count(small_relay: House) -> None:
    wait_for(lambda: not open_sessions(small_relay), what="the last test's sessions to be over")
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(small_relay.wire("127.54.0.1")).reply()
        workers = small_relay.workers
        for worker in workers:
            worker.kill()
        psutil.wait_procs(workers)
    wait_for(lambda: reconnects(small_relay), what="new workers")


def reconnects(relay: House) -> bool:
    try:
        return is_let_in(relay, "127.54.0.1")
    except ConnectionError:
        return False
