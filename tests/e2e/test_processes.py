"""`posthouse serve` as a family of processes: shared listeners, replacement, the drain, changes under way."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import ssl
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
import trustme

from support.house import House, MakeHouse, wait_for
from support.peers import SILENCE, Peer
from support.wire import Wire

TENANT = """
[[accepted_domain]]
name = "contoso.com"

[[inbound_connector]]
name = "Scanners"
connector_type = "OnPremises"
sender_ip_addresses = ["127.0.0.0/8"]

[[outbound_connector]]
name = "Mailboxes"
transport = "mailbox"
all_accepted_domains = true
mailboxes = ["*"]
"""

SMART_HOST = """
[[outbound_connector]]
name = "Internet"
recipient_domains = ["*"]
smart_hosts = ["127.0.0.1"]
port = {port}
"""


def running(house: House, *, patch: str = "", **environment: str) -> House:
    if patch:
        house.patch(f"from posthouse.relay import supervisor, worker\n{patch}")
    house.apply()
    return house.start(**environment)


def wire(relay: House, port: int = 0, source: str = "") -> Wire:
    return Wire(relay.address, port or relay.port, source=source).greeted()


def sessions(process: psutil.Process, port: int) -> int:
    """How many clients of this port a worker serves."""
    return sum(one.status == psutil.CONN_ESTABLISHED and one.laddr.port == port for one in process.net_connections())


def listens(process: psutil.Process) -> bool:
    return any(one.status == psutil.CONN_LISTEN for one in process.net_connections())


def refuses(relay: House) -> bool:
    """Nobody listens any more."""
    try:
        socket.create_connection((relay.address, relay.port), 5).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.fixture(scope="module")
def relay(shared_house: MakeHouse) -> House:
    """Two workers, two listeners."""
    listeners = '\n[[listener]]\naddress = "ADDRESS:2525"\n\n[[listener]]\naddress = "ADDRESS:2526"\n'
    return running(shared_house(TENANT, listeners))


def test_workers_share_each_listener(relay: House) -> None:
    with ExitStack() as stack:
        for port, number in itertools.product((2525, 2526), range(30)):
            stack.enter_context(wire(relay, port, source=f"127.0.0.{number + 1}"))
        for port in (2525, 2526):
            shares = [sessions(worker, port) for worker in relay.workers]
            assert len(shares) == 2
            assert sum(shares) == 30
            assert min(shares) > 0


def test_a_worker_that_dies_is_replaced(relay: House) -> None:
    before = {worker.pid for worker in relay.workers}
    relay.kill_worker()
    wait_for(lambda: len({worker.pid for worker in relay.workers} - before) == 1)
    wait_for(lambda: len(relay.workers) == 2)
    (died,) = relay.log_lines("worker died")
    assert died["status"] == -signal.SIGKILL
    with ExitStack() as stack:
        successor = next(worker for worker in relay.workers if worker.pid not in before)

        def serves() -> bool:
            stack.enter_context(wire(relay))
            return sessions(successor, relay.port) > 0

        wait_for(serves, what="a session with the successor")


def test_a_worker_that_hangs_is_killed_and_replaced(house: MakeHouse) -> None:
    relay = running(house(TENANT), patch="supervisor._HANG_SECONDS = 4.0")
    hanging = relay.workers[0]
    hanging.suspend()
    assert wait_for(lambda: relay.log_lines("worker hangs"))[0]["silent_seconds"] >= 4
    psutil.wait_procs([hanging], timeout=30)
    wait_for(lambda: len(relay.workers) == 2)
    relay.send("scanner@contoso.com", "user@contoso.com")
    relay.await_mail("user@contoso.com")


def test_sigterm_lets_a_transaction_end_and_keeps_its_mail(house: MakeHouse) -> None:
    relay = running(house(TENANT))
    assert relay.process is not None
    with wire(relay) as idle, wire(relay).begin("scanner@contoso.com", "user@contoso.com") as busy:
        assert busy.say(b"DATA\r\n").startswith("354 ")
        busy.send(b"Subject: half\r\n\r\n")
        relay.process.terminate()

        assert idle.reply().startswith("421 4.3.2 ")
        assert idle.hears_the_end()
        wait_for(lambda: refuses(relay))
        assert busy.say(b"and whole\r\n.\r\n").startswith("250 2.6.0 ")
        assert busy.reply().startswith("421 4.3.2 ")
        assert relay.process.wait(30) == 0

    assert relay.mailbox("user@contoso.com") == []
    relay.start()
    (mail,) = relay.await_mail("user@contoso.com")
    assert mail.endswith(b"Subject: half\r\n\r\nand whole\r\n")


def test_sigterm_ends_at_once_while_mail_waits_for_a_host_that_is_down(house: MakeHouse) -> None:
    relay = running(house(TENANT + SMART_HOST.format(port=2599), "\n[delivery]\nretry_after = ['1s']\n"))
    for number in range(20):
        relay.send("scanner@contoso.com", f"user-{number}@example.net")
    assert relay.process is not None
    relay.process.terminate()
    assert relay.process.wait(15) == 0

    with Peer(address=(relay.address, 2600)) as internet:
        relay.apply(TENANT + SMART_HOST.format(port=2600).replace("127.0.0.1", relay.address))
        relay.start()
        wait_for(lambda: len(internet.messages) == 20)
    assert len({message.recipients[0] for message in internet.messages}) == 20


def test_a_delivery_that_outlasts_the_drain_is_tried_again_after_the_next_start(house: MakeHouse) -> None:
    with Peer(CONNECT=[SILENCE, "220 peer ESMTP"]) as internet:
        relay = running(house(TENANT + SMART_HOST.format(port=internet.port)), patch="worker.DRAIN_SECONDS = 0.5")
        message_id = relay.send("scanner@contoso.com", "user@example.net")
        assert internet.contacted.wait(30)
        assert relay.stop() == 0
        assert internet.messages == []

        relay.start()
        (message,) = wait_for(lambda: internet.messages)
        assert message_id.encode() in message.content


def test_sigterm_while_the_workers_start_ends_it_too(house: MakeHouse) -> None:
    relay = house(TENANT)
    relay.patch("""
import os, signal
from posthouse.relay import worker
real = worker.main
def main(*arguments):
    os.kill(os.getppid(), signal.SIGTERM)
    real(*arguments)
worker.main = main
""")
    command = [sys.executable, *relay.program, "serve", "--config", str(relay.config)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=25)
    assert ran.returncode == 0, ran.stderr


def test_a_change_is_in_force_in_all_workers_when_apply_returns(relay: House) -> None:
    stranger = b"MAIL FROM:<a@example.net>\r\n"
    recipient = b"RCPT TO:<user@fabrikam.com>\r\n"
    with wire(relay) as open_before:
        assert open_before.say(stranger).startswith("250 ")
        assert open_before.say(recipient).startswith("550 5.7.64 ")

        relay.apply('[[accepted_domain]]\nname = "fabrikam.com"\n' + TENANT)

        for _ in range(10):
            with wire(relay) as fresh:
                assert fresh.say(stranger).startswith("250 ")
                assert fresh.say(recipient).startswith("250 ")
        assert open_before.say(recipient).startswith("550 5.7.64 ")
        assert open_before.say(b"RSET\r\n").startswith("250 ")
        assert open_before.say(stranger).startswith("250 ")
        assert open_before.say(recipient).startswith("250 ")


def test_changed_certificates_are_read_and_drop_no_session(house: MakeHouse) -> None:
    authority = trustme.CA()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    listener = '\n[[listener]]\naddress = "ADDRESS:2525"\ncertificate = "relay.pem"\nkey = "relay.pem"\n'
    relay = house(TENANT, listener)
    certificate = relay.folder / "relay.pem"

    def issue() -> bytes:
        issued = authority.issue_cert("relay.test")
        issued.private_key_and_cert_chain_pem.write_to_path(certificate)
        return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())

    def presented(connected: Wire) -> bytes | None:
        return connected.upgrade(trusting).tls.getpeercert(binary_form=True)

    old = issue()
    running(relay)
    with wire(relay) as open_before:
        assert presented(open_before) == old
        new = issue()
        assert relay.process is not None
        relay.process.send_signal(signal.SIGHUP)  # many will; it is neither needed nor harmful
        wait_for(lambda: len(relay.log_lines("certificate reloaded")) == 2)

        for _ in range(10):
            with wire(relay) as fresh:
                assert presented(fresh) == new
        assert open_before.send_mail("scanner@contoso.com", "user@contoso.com").startswith("250 ")


def failed_start(house: House) -> str:
    """The one line that `serve` says besides its log."""
    ran = house.run("serve", check=False)
    assert (ran.returncode, ran.stdout) == (1, "")
    (told,) = [line for line in ran.stderr.splitlines() if not line.startswith("{")]
    return told


def test_a_second_serve_on_the_same_data_dir_does_not_start(relay: House) -> None:
    assert failed_start(relay) == (
        f"posthouse: {relay.data_dir}: another posthouse serve is using it; stop that one or set another data_dir"
    )
    relay.send("scanner@contoso.com", "user@contoso.com")


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("ADDRESS:2525", "another program is using this port; stop it, or set another address"),
        ("192.0.2.1:2525", "this machine has no such address; set one that it has, or 0.0.0.0"),
    ],
)
def test_an_address_that_cannot_be_had(house: MakeHouse, address: str, problem: str) -> None:
    relay = house(TENANT, f'\n[[listener]]\naddress = "{address}"\n')
    with socket.create_server((relay.address, 2525)):
        told = failed_start(relay)
    assert told == f"posthouse: listener {address.replace('ADDRESS', relay.address)}: {problem}"


def test_another_user_of_the_port_that_shares_it_is_noticed_too(house: MakeHouse) -> None:
    relay = house(TENANT)
    with socket.create_server((relay.address, 2525), reuse_port=True):
        assert "another program is using this port" in failed_start(relay)


def test_a_data_dir_that_cannot_be_made(house: MakeHouse) -> None:
    relay = house(TENANT)
    relay.data_dir.write_text("in the way")
    assert failed_start(relay).startswith(f"posthouse: {relay.data_dir}: File exists; set data_dir to a folder")


def test_it_works_without_uvloop(house: MakeHouse, tmp_path: Path) -> None:
    folder = tmp_path / "first"
    folder.mkdir()
    (folder / "uvloop.py").write_text("raise ImportError\n")
    relay = running(house(TENANT), PYTHONPATH=str(folder))
    assert not any("/uvloop/" in mapped.path for worker in relay.workers for mapped in worker.memory_maps())
    relay.send("scanner@contoso.com", "user@contoso.com")
    relay.await_mail("user@contoso.com")
    assert relay.stop() == 0


def test_it_works_with_one_worker_where_there_is_no_fork(house: MakeHouse) -> None:
    relay = running(
        house(TENANT, "workers = 1"),
        patch="import multiprocessing\nmultiprocessing.get_all_start_methods = lambda: ['spawn']",
    )
    relay.send("scanner@contoso.com", "user@contoso.com")
    relay.await_mail("user@contoso.com")
    worker = next(child for child in relay.workers if listens(child))  # the other child is multiprocessing's own
    worker.kill()
    psutil.wait_procs([worker], timeout=30)
    wait_for(lambda: not refuses(relay), what="a successor")
    relay.send("scanner@contoso.com", "user@contoso.com")
    relay.await_mail("user@contoso.com", 2)
    assert relay.stop() == 0


def test_a_worker_loads_nothing_of_the_admin_side() -> None:
    program = "import sys, posthouse.relay.worker; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    loaded = set(ran.stdout.split())
    assert "posthouse.relay.worker" in loaded
    unwanted = {"posthouse.admin", "posthouse.cli", "posthouse.web", "posthouse.probe", "typer", "fastapi"}
    assert loaded & unwanted == set()
