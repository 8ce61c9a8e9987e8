"""kill -9 of workers and supervisors: what got 250 arrives, whole, and goes on at once."""

from __future__ import annotations

import itertools
import re
import time
from collections import Counter
from collections.abc import Callable

import psutil
import pytest

from posthouse.spool import State
from support.chain import chain, site_before
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
