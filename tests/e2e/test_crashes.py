"""kill -9 of workers and supervisors: what got 250 arrives, whole, and goes on at once."""

from __future__ import annotations

import itertools
import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing

import psutil
import pytest

from posthouse.admin.references import secret_names
from posthouse.net.certificates import Authority
from posthouse.spool import State
from support.chain import SITE, chain, site_before
from support.house import House, MakeHouse, wait_for
from support.load import RECIPIENT, SENDER, Load, body_of
from support.peers import SILENCE, Peer

RETRY_SOON = '\n[delivery]\nretry_after = ["0.2s"]\n'

AT_ONCE = 15.0
"""Seconds; long for a busy machine, yet neither the 30 until a silent worker counts as dead nor the first retry."""

Kill = Callable[[House], None]


def kill_a_worker(house: House) -> None:
    house.kill_worker()


def kill_all(house: House) -> None:
    house.kill()
    house.start()


def number_in(mail: bytes) -> int:
    subject = re.search(rb"^Subject: (\d+)", mail, re.MULTILINE)
    assert subject
    return int(subject[1])


def settled(site: House) -> set[int]:
    """The numbers of the mails that the site knows it has handed on."""
    return {int(entry.subject) for entry in site.entries(state=State.DELIVERED)}


def is_whole(mail: bytes) -> bool:
    return mail.partition(b"\r\n\r\n")[2] == body_of(number_in(mail))


def test_what_got_250_arrives_whatever_is_killed(house: MakeHouse) -> None:
    site, tenant = chain(house, RETRY_SOON)
    accepted: set[int] = set()
    in_flight: set[int] = set()
    for kill, killed in itertools.product((kill_a_worker, kill_all, kill_a_worker), (site, tenant)):
        with Load(site) as load:
            wait_for(lambda load=load: len(load.accepted) >= 20, what="mail before the kill")
            before = settled(site)
            kill(killed)
            in_flight |= load.begun - before
            enough = len(load.accepted) + 20
            wait_for(lambda load=load, enough=enough: len(load.accepted) >= enough, what="mail after the kill")
        assert not load.refused
        accepted |= load.accepted
        site.await_idle()
        tenant.await_idle()

    mails = tenant.mailbox(RECIPIENT)
    assert all(map(is_whole, mails))
    copies = Counter(map(number_in, mails))
    assert accepted <= copies.keys()
    assert {number for number, count in copies.items() if count > 1} <= in_flight
    assert not site.log_lines("defect") + tenant.log_lines("defect")


def holder(site: House, peer: Peer) -> psutil.Process:
    """The site's worker that is delivering to a peer."""
    (worker,) = (
        worker
        for worker in site.workers
        if any(link.raddr and link.raddr.port == peer.port for link in worker.net_connections())
    )
    return worker


def kill_the_holder(site: House, peer: Peer) -> None:
    site.kill_worker(holder(site, peer))


def kill_the_supervisor(site: House, peer: Peer) -> None:
    kill_all(site)


@pytest.mark.parametrize("kill", [kill_the_holder, kill_the_supervisor])
def test_the_mail_of_the_dead_goes_on_at_once(house: MakeHouse, kill: Callable[[House, Peer], None]) -> None:
    with Peer(DATA=[SILENCE, "354 go ahead"]) as peer:
        site = site_before(house, "127.0.0.1", peer.port)
        message_id = site.send(SENDER, RECIPIENT)
        wait_for(lambda: peer.sessions and "DATA" in peer.sessions[0].commands, what="a delivery")
        killed_at = time.monotonic()
        kill(site, peer)
        wait_for(lambda: peer.messages, AT_ONCE, "a second delivery")
        site.send(SENDER, RECIPIENT)
        assert time.monotonic() - killed_at < AT_ONCE
        wait_for(lambda: len(peer.messages) == 2)
        site.await_idle()
    assert message_id.encode() in peer.messages[0].content
    assert len(site.workers) == 2


KILLED_AT = """
import os, signal
from sqlalchemy import event
from sqlalchemy.engine import Engine
left = None
def step(*arguments):
    global left
    if left is None and "BEGIN IMMEDIATE" in arguments:
        left = {step}
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if left is not None:
        left -= 1
event.listen(Engine, "before_cursor_execute", step)
event.listen(Engine, "commit", step)
"""
"""Counts the statements and commits from the first that writes, and ends the process just before one of them."""


def organization(house: House, *, certificate: str) -> str:
    """It differs in the document and in a secret."""
    return (
        SITE.format(host="127.0.0.1", port=25)
        + f'comment = "{certificate}"\nclient_certificate = {{ pfx = "{certificate}" }}\n'
    )


def stored(house: House) -> str:
    """The comment of the organization in the store, which has the secrets that this one names and no others."""
    with closing(sqlite3.connect(house.data_dir / "posthouse.db")) as connection:
        document = json.loads(connection.execute("SELECT document FROM organization").fetchone()[0])
        secrets = {name for (name,) in connection.execute("SELECT name FROM secret")}
    assert secrets == secret_names(document)
    assert len(secrets) == 1
    return document["outbound_connector"][0]["comment"]


def test_apply_that_is_killed_has_done_all_or_nothing(house: MakeHouse) -> None:
    site = house("")
    authority = Authority.create("CA")
    for name in ("old.pfx", "new.pfx"):
        (site.folder / name).write_bytes(authority.issue(["site.test"]).to_pfx(""))
    site.apply(organization(site, certificate="old.pfx"))
    site.write_organization(organization(site, certificate="new.pfx"))

    found: list[str] = []
    for step in itertools.count():
        site.patch(KILLED_AT.format(step=step))
        command = [sys.executable, *site.program, "apply", str(site.folder / "organization.toml")]
        ended = subprocess.run([*command, "--config", str(site.config)], capture_output=True, check=False, timeout=60)
        found.append(stored(site))
        if found[-1] == "new.pfx":
            break
        assert ended.returncode == -signal.SIGKILL
    assert len(found) > 5
