"""The process behind the admin address: beside the relay, and nothing that the mail waits for."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from contextlib import closing
from urllib.parse import parse_qs, urlsplit

import httpx
import psutil
import pytest

from posthouse.spool import Workers, open_store
from support.house import House, has_ended, wait_for
from support.office import PASSWORD, PORT, Office, answers, done, problem

MEGABYTES = 150


def test_mail_flows_while_it_is_killed_and_it_comes_back(house: House) -> None:
    with Office(house) as office:
        workers = house.workers
        (killed,) = house.admin_processes
        killed.kill()
        message_id = house.send("a@contoso.com", "b@contoso.com")
        assert house.trace("--id", message_id, until=lambda found: found[0]["status"] == "delivered")
        office.await_answer()
        (back,) = house.admin_processes
        assert (back.pid != killed.pid, house.workers) == (True, workers)
        assert house.log_lines("admin address died")[0]["again_in_seconds"] == 1


def test_it_ends_with_the_relay(house: House) -> None:
    with Office(house):
        (beside,) = house.admin_processes
        assert house.stop() == 0
        assert has_ended(beside)
        assert house.log_lines("admin address died") == []


def test_it_ends_when_the_supervisor_is_killed(house: House) -> None:
    with Office(house):
        (beside,) = house.admin_processes
        house.kill()
        wait_for(lambda: has_ended(beside), what="the admin process to end")


def test_a_request_under_way_does_not_hold_up_the_end(house: House) -> None:
    with Office(house) as office, office.client().stream("POST", "/doctor", json={"timeout": 60}) as answer:
        assert next(answer.iter_lines())
        began = time.monotonic()
        assert house.stop() == 0
        assert time.monotonic() - began < 15


def test_an_address_in_use_is_tried_again_and_the_mail_goes_on(house: House) -> None:
    other = subprocess.Popen(
        [sys.executable, "-m", "http.server", str(PORT), "--bind", house.address],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with other:
        wait_for(lambda: listens_at(other), what="the other program")
        house.start()
        wait_for(lambda: house.log_lines("admin address died"), what="the admin process to give up")
        house.send("a@contoso.com", "b@contoso.com")
        house.await_mail("b@contoso.com")
        other.terminate()
    wait_for(lambda: answers(f"http://{house.address}:{PORT}"), what="the admin address")


def listens_at(process: subprocess.Popen[bytes]) -> bool:
    return any(one.status == psutil.CONN_LISTEN for one in psutil.Process(process.pid).net_connections())


def test_off_is_off(house: House) -> None:
    house.start(POSTHOUSE_ADMIN__ADDRESS="")
    assert (house.admin_processes, answers(f"http://{house.address}:{PORT}")) == ([], False)
    house.stop()
    refused = house.run("web", check=False, POSTHOUSE_ADMIN__ADDRESS="")
    assert (refused.returncode, "admin.address is empty" in refused.stderr) == (2, True)


def test_it_is_small_and_sleeps_while_nobody_asks(house: House) -> None:
    with Office(house) as office:
        done(office.client().get("/connectors/inbound"))
        (process,) = house.admin_processes
        assert process.memory_info().rss >> 20 < MEGABYTES
        asked_at, woken = time.time(), process.num_ctx_switches().voluntary
        wait_for(lambda: heartbeat(house) > asked_at, what="some time to pass")
        assert process.num_ctx_switches().voluntary - woken < 10


def heartbeat(house: House) -> float:
    """The oldest of the workers', from the store: not by asking the process that is to sleep."""
    with closing(open_store(f"sqlite:///{house.data_dir / 'posthouse.db'}", house.data_dir)) as store:
        return min(worker.heartbeat_at for worker in Workers(store).list())


# The first administrator


def test_the_first_start_prints_a_link_that_makes_the_first_administrator_once(house: House) -> None:
    house.start()
    url = f"http://{house.address}:{PORT}"
    wait_for(lambda: answers(url), what="the admin address")
    (link,) = re.findall(r"^posthouse: there is no administrator yet; .*: (\S+)$", house.log.read_text("utf-8"), re.M)
    assert link.startswith(f"{url}/setup?secret=")
    secret = parse_qs(urlsplit(link).query)["secret"][0]
    body = {"secret": secret, "name": "Alice", "password": PASSWORD}
    with httpx.Client(base_url=f"{url}/api/v1", trust_env=False) as browser:
        problem(browser.post("/setup", json={**body, "secret": "guess"}), 401)
        problem(browser.post("/setup", json={**body, "password": "short"}), 422)
        done(browser.post("/setup", json=body))
        problem(browser.post("/setup", json={**body, "name": "mallory"}), 401)
        assert done(browser.post("/session", json={"name": "alice", "password": PASSWORD}))["name"] == "alice"
    house.stop()
    before = house.log.read_text("utf-8").count("/setup?secret=")
    house.start()
    wait_for(lambda: answers(url), what="the admin address")
    assert house.log.read_text("utf-8").count("/setup?secret=") == before


def test_a_slow_client_is_hung_up_on(house: House) -> None:
    """With the times of a test instead of 10, 30 and 60 seconds."""
    times = "server._HEADER_SECONDS = guard._BODY_SECONDS = server._STALL_SECONDS = 0.3"
    patched = f"from posthouse.web import server, guard; {times}"
    program = house.folder / "web.py"
    program.write_text(f"import sys\n{patched}\nfrom posthouse.cli import run\nsys.exit(run(sys.argv[1:]))\n", "utf-8")
    command = [sys.executable, str(program), "web", "--attached", "--config", str(house.config)]
    log = (house.folder / "web.log").open("wb")
    with log, subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log) as process:
        wait_for(lambda: answers(f"http://{house.address}:{PORT}"), what="the admin address")
        for begun, answer in (
            (b"", b""),
            (b"GET /healthz HTTP/1.1\r\nHost: loc", b""),
            (b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{", b"HTTP/1.1 408 "),
        ):
            with socket.create_connection((house.address, PORT), timeout=10) as raw, raw.makefile("rb") as received:
                raw.sendall(begun)
                assert received.readline()[: len(answer)] == answer
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.connect((house.address, PORT))
            with pytest.raises(ConnectionError):
                ask_and_read_no_answer(raw)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(15) == 0


def ask_and_read_no_answer(raw: socket.socket) -> None:
    wait_for(lambda: raw.sendall(b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"))


def test_a_store_that_is_gone_is_said_so(house: House) -> None:
    with Office(house) as office:
        client = office.client()
        house.stop()
        command = [sys.executable, "-m", "posthouse", "web", "--attached", "--config", str(house.config)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as alone:
            office.await_answer()
            (house.data_dir / "posthouse.db").rename(house.data_dir / "away.db")
            problem(client.get("/health"), 503)
            assert not answers(office.url)
            (house.data_dir / "away.db").rename(house.data_dir / "posthouse.db")
            done(client.get("/health"))
            office.await_answer()
            assert alone.stdin is not None
            alone.stdin.close()
            assert alone.wait(15) == 0
