"""From a device's plain SMTP to a mailbox of Microsoft 365, by Graph."""

from __future__ import annotations

import base64
import hashlib
import random
import threading
from collections.abc import Callable, Iterator

import psutil
import pytest
import trustme

import standins.entra
from net.tls_peers import pem_of
from posthouse.spool import State
from standins.entra import Entra
from standins.graph import Fault, Graph
from standins.graph_mailbox import Item, Mailbox
from support.house import House, MakeHouse, wait_for

SCANNER, USER, BOSS = "scanner@contoso.com", "user@contoso.com", "boss@contoso.com"
SECRET = "s3cret~value"
RETRY_SOON = 'workers = 1\n[delivery]\nretry_after = ["0.5s"]\n'
GROWTH = 64 << 20
"""Bytes that the worker may grow by above idle while 150 MB pass through it. 22 MiB were measured, of which half are
the HTTP client and msal, loaded for the first mail."""
LINE = 57

Start = Callable[..., House]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def entra(authority: trustme.CA) -> Iterator[Entra]:
    with Entra(authority) as running:
        yield running


@pytest.fixture
def graph(authority: trustme.CA, entra: Entra, monkeypatch: pytest.MonkeyPatch) -> Iterator[Graph]:
    """As a national cloud: its address is a resource of the tenant's."""
    with Graph(authority, entra.issued.__contains__) as running:
        monkeypatch.setattr(standins.entra, "RESOURCES", (running.url,))
        yield running


@pytest.fixture
def mailbox(graph: Graph) -> Mailbox:
    return graph.mailbox(SCANNER)


@pytest.fixture
def start(house: MakeHouse, authority: trustme.CA, graph: Graph, entra: Entra, mailbox: Mailbox) -> Start:
    """A relay that sends by Graph, with these keys of its connector besides."""
    app = entra.register(secret=SECRET)

    def start(settings: str = RETRY_SOON, keys: str = "") -> House:
        relay = house(
            f"""
trusted_roots = ['''{pem_of(authority)}''']
[[accepted_domain]]
name = "contoso.com"
[[inbound_connector]]
name = "Scanners"
connector_type = "OnPremises"
sender_ip_addresses = ["127.0.0.0/8"]
[[credential]]
name = "Relay app"
kind = "client_credentials"
tenant = "{entra.tenant}"
client_id = "{app.client_id}"
secret_env = "SECRET"
authority = "{entra.url}"
user = "{SCANNER}"
[[outbound_connector]]
name = "Graph"
transport = "graph"
credential = ["Relay app"]
endpoint = "{graph.url}"
recipient_domains = ["*"]
{keys}
""",
            settings,
        )
        relay.apply(SECRET=SECRET)
        return relay.start()

    return start


def arrived(mailbox: Mailbox, count: int = 1) -> list[Item]:
    wait_for(lambda: len(mailbox.sent) >= count, 60, f"{count} sent by {mailbox.address}")
    return mailbox.sent


def test_a_scan_arrives_as_the_device_sent_it(start: Start, mailbox: Mailbox, entra: Entra) -> None:
    relay = start()
    content = f"From: {SCANNER}\r\nTo: {USER}\r\nSubject: Scan\r\n\r\nHello\r\n".encode()
    message_id = relay.submit(SCANNER, USER, content=content, rcpt=["NOTIFY=SUCCESS"])
    (item, dsn) = arrived(mailbox, 2)
    assert item.mime.endswith(content)
    assert item.message_id == f"<{message_id}@relay.test>"
    assert (dsn.recipients, dsn.addresses("From")) == ([SCANNER], [SCANNER])
    assert b"Action: relayed" in dsn.mime
    assert len(entra.issued) == 1


def test_blind_copies_reach_their_people_unseen(start: Start, mailbox: Mailbox) -> None:
    relay = start()
    relay.submit(SCANNER, USER, BOSS, content=f"From: {SCANNER}\r\nTo: {USER}, x@example.net\r\n\r\nHello\r\n".encode())
    (item,) = arrived(mailbox)
    assert (item.addresses("To"), item.addresses("Bcc")) == ([USER], [BOSS])


def test_a_token_that_expires_meanwhile(start: Start, graph: Graph, mailbox: Mailbox, entra: Entra) -> None:
    relay = start()
    relay.send(SCANNER, USER)
    arrived(mailbox)
    entra.issued.clear()
    relay.send(SCANNER, USER)
    arrived(mailbox, 2)
    assert graph.operations == ["sendMail", "sendMail"]


def test_a_burst_that_is_throttled_loses_and_repeats_nothing(start: Start, graph: Graph, mailbox: Mailbox) -> None:
    graph.concurrency = 2
    graph.faults["sendMail"].extend(Fault(429, "ApplicationThrottled", "Over.", "0.1") for _ in range(5))
    relay = start('workers = 2\n[delivery]\nretry_after = ["0.5s"]\n')
    with relay.smtp() as client:
        for number in range(60):
            client.sendmail(SCANNER, [USER], f"From: {SCANNER}\r\nTo: {USER}\r\nSubject: {number}\r\n\r\nx\r\n")
    relay.await_idle()
    assert sorted(int(item.parsed["Subject"]) for item in mailbox.sent) == list(range(60))
    assert {entry.state for entry in relay.entries()} == {State.DELIVERED}


@pytest.mark.parametrize("status", [504, 0])
def test_a_lost_answer_makes_no_duplicate(start: Start, graph: Graph, mailbox: Mailbox, status: int) -> None:
    graph.faults["sendMail"].append(Fault(status, done=True))
    relay = start()
    relay.send(SCANNER, USER)
    relay.await_idle()
    assert len(mailbox.sent) == 1
    assert graph.operations == ["sendMail", "findMessages"]


def test_a_worker_killed_before_the_answer_came(start: Start, graph: Graph, mailbox: Mailbox) -> None:
    go_on = threading.Event()
    graph.faults["sendMail"].append(Fault(202, until=go_on, done=True))
    relay = start()
    relay.send(SCANNER, USER)
    wait_for(lambda: graph.operations, what="the request")
    relay.kill_worker()
    go_on.set()
    arrived(mailbox)
    relay.await_idle()
    assert len(mailbox.sent) == 1


def test_a_refusal_is_told_with_what_to_do(start: Start, mailbox: Mailbox) -> None:
    relay = start()
    relay.send(BOSS, USER)
    relay.await_idle()
    (entry,) = relay.entries(state=State.FAILED)
    assert "550 5.7.60 Microsoft Graph answered 403 ErrorSendAsDenied: The user account" in str(entry.reply)


def test_a_sender_that_is_rewritten(start: Start, mailbox: Mailbox) -> None:
    relay = start(keys=f'rewrite_from = ["{SCANNER}"]')
    relay.send(BOSS, USER)
    (item,) = arrived(mailbox)
    assert (item.addresses("From"), item.parsed["Reply-To"]) == ([SCANNER], BOSS)


def scan(size: int) -> Iterator[bytes]:
    """A mail with an attachment of so many bytes, a multiple of a line's, in pieces."""
    yield (
        f"From: {SCANNER}\r\nTo: {USER}\r\nSubject: Scan\r\nMessage-ID: <1@scanner>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nThe scan.\r\n--b\r\n'
        'Content-Type: application/pdf; name="scan.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    ).encode()
    for block in blocks(size):
        yield base64.encodebytes(block).replace(b"\n", b"\r\n")
    yield b"--b--\r\n"


def blocks(size: int) -> Iterator[bytes]:
    """Few different ones, as making them takes longer than sending them."""
    made = [random.Random(seed).randbytes(LINE * 10_000) for seed in range(3)]
    for number in range(size // (LINE * 10_000)):
        yield made[number % 3]


def test_150_mb_pass_through_and_are_never_in_memory(start: Start, mailbox: Mailbox) -> None:
    relay = start('workers = 1\n[limits]\nmessage_size = "151 MiB"\n')
    size = LINE * 10_000 * 190
    peak = Peak(relay.workers[0])
    with peak, relay.wire() as wire:
        wire.greeted().begin(SCANNER, USER)
        assert wire.say(b"DATA\r\n").startswith("354 ")
        wire.send(*scan(size))
        assert wire.say(b".\r\n").startswith("250 ")
        arrived(mailbox)
        relay.await_idle()
    (attachment,) = mailbox.sent[0].attachments
    digest = hashlib.sha256()
    for block in blocks(size):
        digest.update(block)
    assert len(attachment.content) == size
    assert hashlib.sha256(attachment.content).digest() == digest.digest()
    assert attachment.name == "scan.pdf"
    assert peak.growth < GROWTH


class Peak:
    """The most memory that a process has above what it had, looked at again and again."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._over = threading.Event()
        self._before = process.memory_info().rss
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.growth = 0

    def _watch(self) -> None:
        while not self._over.wait(0.01):
            self.growth = max(self.growth, self._process.memory_info().rss - self._before)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
