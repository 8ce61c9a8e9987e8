from __future__ import annotations

import os

from posthouse.relay.census import Census

CLIENT, OTHER = "192.0.2.1", "192.0.2.2"


def enter(census: Census, client: str, *, worker: int = 0, limit: int = 0, per_client: int = 0) -> bool:
    return census.enter(worker, client, limit=limit, limit_per_client=per_client)


def test_sessions_are_counted_over_all_workers() -> None:
    census = Census(2)
    assert enter(census, CLIENT, worker=0, limit=2)
    assert enter(census, OTHER, worker=1, limit=2)
    assert not enter(census, "192.0.2.3", worker=0, limit=2)
    census.leave(1, OTHER)
    assert enter(census, "192.0.2.3", worker=0, limit=2)
    assert census.sessions == 2


def test_a_client_has_a_limit_of_its_own() -> None:
    census = Census(2)
    assert enter(census, CLIENT, worker=0, per_client=2)
    assert enter(census, CLIENT, worker=1, per_client=2)
    assert not enter(census, CLIENT, per_client=2)
    assert enter(census, OTHER, per_client=2)


def test_no_limit_is_no_limit() -> None:
    census = Census(1)
    assert all(enter(census, CLIENT) for _ in range(10_000))


def test_an_ipv6_client_is_its_64() -> None:
    census = Census(1)
    assert enter(census, "2001:db8::1", per_client=1)
    assert not enter(census, "2001:db8::ffff:2", per_client=1)
    assert enter(census, "2001:db8:0:1::1", per_client=1)


def test_sessions_of_a_dead_worker_are_forgotten() -> None:
    census = Census(2)
    enter(census, CLIENT, worker=0)
    enter(census, CLIENT, worker=1)
    census.clear(0)
    assert census.sessions == 1


def test_what_a_forked_worker_counts_its_siblings_see() -> None:
    census = Census(2)
    child = os.fork()
    if child == 0:
        enter(census, CLIENT, worker=1)
        os._exit(0)
    os.waitpid(child, 0)
    assert census.sessions == 1
