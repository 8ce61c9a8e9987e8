"""What workers share of a credential's tokens: one of them gets the next, all have it, and nobody else reads it."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from posthouse.spool import (
    AccessTokens,
    AuditRecord,
    HeldToken,
    Holding,
    Organizations,
    Secrets,
    Store,
    TokenRefusal,
    open_store,
)
from posthouse.spool.schema import access_token

MAIL, GRAPH = "https://outlook.example/.default", "https://graph.example/.default"
TOKEN = HeldToken("eyJ0b2tlbg", 1000.0, 1300.0)
ROTATED = AuditRecord("local:root", "cli", "local", "Update-SecretsKey")


@pytest.fixture
def tokens(store: Store) -> AccessTokens:
    return AccessTokens(store)


def test_nothing_is_held_of_an_unknown_credential(tokens: AccessTokens) -> None:
    assert tokens.held("a") == Holding()


def test_a_token_is_held_with_its_refresh_token_by_scope(tokens: AccessTokens) -> None:
    tokens.update("a", lambda held: held.with_token(MAIL, TOKEN, "first"))
    other = HeldToken("another", 2.0, 3.0)
    tokens.update("a", lambda held: held.with_token(GRAPH, other, "second"))
    assert tokens.held("a") == Holding({MAIL: TOKEN, GRAPH: other}, {}, "second")
    assert tokens.held("b") == Holding()


def test_a_token_takes_a_refusal_back(tokens: AccessTokens) -> None:
    refusal = TokenRefusal("AADSTS7000222: expired", "make a new one", 1300.0)
    tokens.update("a", lambda held: held.with_refusal(MAIL, refusal))
    assert tokens.held("a").refusals == {MAIL: refusal}
    tokens.update("a", lambda held: held.with_token(GRAPH, TOKEN, ""))
    assert tokens.held("a").refusals == {MAIL: refusal}
    tokens.update("a", lambda held: held.with_token(MAIL, TOKEN, ""))
    assert tokens.held("a").refusals == {}


def test_only_the_token_that_was_refused_is_forgotten(tokens: AccessTokens) -> None:
    tokens.update("a", lambda held: held.with_token(MAIL, TOKEN, "r"))
    tokens.update("a", lambda held: held.without_token(MAIL, "an older one"))
    assert tokens.held("a").tokens == {MAIL: TOKEN}
    tokens.update("a", lambda held: held.without_token(MAIL, TOKEN.value))
    assert tokens.held("a") == Holding({}, {}, "r")


def test_one_lease_at_a_time(tokens: AccessTokens) -> None:
    assert tokens.lease("a", 1000.0, 1060.0)
    assert not tokens.lease("a", 1001.0, 1061.0)
    assert tokens.lease("b", 1001.0, 1061.0)
    tokens.update("a", lambda held: held)
    assert not tokens.lease("a", 1002.0, 1062.0)
    tokens.release("a", 1059.0, "", lambda held: held)
    assert not tokens.lease("a", 1003.0, 1063.0), "it was another lease that was given back"
    tokens.release("a", 1060.0, "", lambda held: held)
    assert tokens.lease("a", 1003.0, 1063.0)


@pytest.mark.parametrize("now", [1060.0, 10.0])
def test_a_lease_ends_by_itself_even_if_the_clock_is_set_back(tokens: AccessTokens, now: float) -> None:
    tokens.update("a", lambda held: held.with_token(MAIL, TOKEN, "r"))
    assert tokens.lease("a", 1000.0, 1060.0)
    assert tokens.lease("a", now, now + 60)
    assert tokens.held("a") == Holding({MAIL: TOKEN}, {}, "r")


def test_of_many_at_once_one_gets_the_lease(store_url: str, data_dir: Path) -> None:
    got: list[bool] = []
    start = threading.Barrier(6)

    def try_it() -> None:
        with closing(open_store(store_url, data_dir)) as own:
            start.wait()
            got.append(AccessTokens(own).lease("a", time.time(), time.time() + 60))

    open_store(store_url, data_dir).close()
    threads = [threading.Thread(target=try_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False] * 5 + [True]


def test_nothing_is_stored_in_clear(tokens: AccessTokens, store: Store) -> None:
    tokens.update("a", lambda held: held.with_token(MAIL, TOKEN, "refresh~me"))
    with store.reading() as connection:
        (row,) = connection.execute(sa.select(access_token)).all()
    assert TOKEN.value.encode() not in bytes(row.ciphertext)
    assert b"refresh~me" not in bytes(row.ciphertext)
    assert "refresh~me" not in repr(tokens.held("a"))
    assert TOKEN.value not in repr(tokens.held("a"))


def test_rows_cannot_be_exchanged(tokens: AccessTokens, store: Store) -> None:
    tokens.update("a", lambda held: held.with_token(MAIL, TOKEN, ""))
    with store.transaction() as connection:
        connection.execute(access_token.update().values(credential="b"))
    assert tokens.held("b") == Holding()


def test_a_new_key_keeps_what_is_held_and_the_old_one_reads_nothing(
    tokens: AccessTokens, store: Store, data_dir: Path
) -> None:
    Organizations(store).save({}, put={"password": b"hunter2"})
    tokens.update("a", lambda held: held.with_token(MAIL, TOKEN, "r"))
    tokens.lease("b", 1000.0, 1060.0)
    old = (data_dir / "secrets.key").read_bytes()
    assert Secrets(store).rotate_key(ROTATED) == 1
    assert tokens.held("a") == Holding({MAIL: TOKEN}, {}, "r")
    assert not tokens.lease("b", 1001.0, 1061.0)
    (data_dir / "secrets.key").write_bytes(old)
    assert tokens.held("a") == Holding()


def test_what_a_lost_key_has_locked_is_replaced(tokens: AccessTokens, store: Store, data_dir: Path) -> None:
    tokens.update("a", lambda held: held.with_token(MAIL, TOKEN, "r"))
    (data_dir / "secrets.key").unlink()
    Organizations(store).save({}, put={"password": b"hunter2"})
    assert Secrets(store).rotate_key(ROTATED) == 1
    assert tokens.lease("a", 1000.0, 1060.0)
    assert tokens.held("a") == Holding()


def test_only_those_of_present_credentials_are_kept(tokens: AccessTokens) -> None:
    for credential in ("a", "b", "c"):
        tokens.update(credential, lambda held: held.with_token(MAIL, TOKEN, ""))
    tokens.keep(["b", "d"])
    assert [bool(tokens.held(credential).tokens) for credential in ("a", "b", "c")] == [False, True, False]
