"""The key of the secrets is changed while others read and write them, and whatever happens in between."""

from __future__ import annotations

import base64
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest
import sqlalchemy as sa

from posthouse.spool import AuditFilter, AuditLog, AuditRecord, Organizations, Secrets, SpoolError, Store
from posthouse.spool.schema import secret
from posthouse.spool.secrets import SecretsKey

ROTATED = AuditRecord("local:root", "cli", "local", "Update-SecretsKey")
SECRETS = {"pfx": b"\x00\xff", "password": b"hunter2", "totp/alice": b"s" * 20}


@pytest.fixture(autouse=True)
def stored(store: Store) -> None:
    Organizations(store).save({}, put=SECRETS)


def ciphertexts(store: Store) -> dict[str, bytes]:
    with store.reading() as connection:
        rows = connection.execute(sa.select(secret.c.name, secret.c.ciphertext))
        return {name: bytes(ciphertext) for name, ciphertext in rows}


def in_clear(store: Store) -> dict[str, bytes]:
    secrets = Secrets(store)
    return {name: secrets.get(name) for name in secrets.names()}


def keys(data_dir: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in data_dir.glob("secrets.key*")}


def test_all_secrets_are_kept_under_a_new_key(store: Store, data_dir: Path) -> None:
    before, key = ciphertexts(store), keys(data_dir)
    assert Secrets(store).rotate_key(ROTATED) == 3
    assert in_clear(store) == SECRETS
    assert not set(before.values()) & set(ciphertexts(store).values())
    assert keys(data_dir).keys() == {"secrets.key"}
    assert keys(data_dir) != key
    assert stat.S_IMODE((data_dir / "secrets.key").stat().st_mode) == 0o600
    assert [one.act for one in AuditLog(store).find(AuditFilter()).records] == ["Update-SecretsKey"]


def test_the_old_key_is_good_for_nothing(store: Store, data_dir: Path) -> None:
    old = (data_dir / "secrets.key").read_bytes()
    Secrets(store).rotate_key(ROTATED)
    (data_dir / "secrets.key").write_bytes(old)
    with pytest.raises(SpoolError, match="stored with another key"):
        Secrets(store).get("password")


def test_a_secret_that_cannot_be_read_stops_it_before_anything_changed(store: Store, data_dir: Path) -> None:
    with store.transaction() as connection:
        connection.execute(secret.update().where(secret.c.name == "pfx").values(ciphertext=b"x" * 40))
    before, key = ciphertexts(store), keys(data_dir)
    with pytest.raises(SpoolError, match="'pfx' can't be decrypted"):
        Secrets(store).rotate_key(ROTATED)
    assert (ciphertexts(store), keys(data_dir)) == (before, key)


def test_what_is_stored_between_commit_and_new_file_is_not_lost(store: Store, data_dir: Path) -> None:
    """As if the program had died after its commit."""
    secrets = Secrets(store)
    old = (data_dir / "secrets.key").read_bytes()
    secrets.rotate_key(ROTATED)
    (data_dir / "secrets.key").rename(data_dir / "secrets.key.new")
    (data_dir / "secrets.key").write_bytes(old)
    assert in_clear(store) == SECRETS
    Organizations(store).save({}, put={"later": b"1"})
    assert secrets.rotate_key(ROTATED) == 4
    assert in_clear(store) == {**SECRETS, "later": b"1"}
    assert keys(data_dir).keys() == {"secrets.key"}


def test_the_end_of_a_rotation_takes_no_key_of_another_that_failed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    others: list[Thread] = []
    end = SecretsKey.end_rotation

    def rotate_and_fail() -> None:
        Secrets(store).rotate_key(ROTATED)
        with pytest.raises(TypeError):
            Secrets(store).rotate_key(replace(ROTATED, changes=None))

    def end_late(key: SecretsKey) -> None:
        if not others:
            others.append(Thread(target=rotate_and_fail))
            others[0].start()
            others[0].join(0.5)
        end(key)

    monkeypatch.setattr(SecretsKey, "end_rotation", end_late)
    Secrets(store).rotate_key(ROTATED)
    others[0].join()
    assert in_clear(store) == SECRETS


def test_readers_and_writers_go_on_meanwhile(store: Store) -> None:
    done = Event()
    seen: set[bytes] = set()

    def read() -> None:
        while not done.is_set():
            seen.add(Secrets(store).get("password"))

    def write() -> None:
        number = 0
        while not done.is_set():
            Organizations(store).save({}, put={f"new {number % 5}": b"%d" % (number % 5)})
            number += 1

    threads = [Thread(target=read), Thread(target=write)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        Secrets(store).rotate_key(ROTATED)
    done.set()
    for thread in threads:
        thread.join()
    assert seen == {b"hunter2"}
    assert in_clear(store) == {**SECRETS, **{f"new {number}": b"%d" % number for number in range(5)}}


KILLED = """
import os, sys
from pathlib import Path
import sqlalchemy as sa
from posthouse.spool import AuditRecord, Secrets, open_store

store = open_store(sys.argv[1], Path(sys.argv[2]))
left = 0

def step(*_):
    global left
    left -= 1
    if left < 0:
        os._exit(9)

def hear(event, arguments):
    if event in ("os.link", "os.rename", "os.remove") or (event == "open" and "secrets.key" in str(arguments[0])):
        step()

def rotate():
    sa.event.listen(sa.Engine, "before_cursor_execute", step)
    sa.event.listen(sa.Engine, "commit", step)
    sys.addaudithook(hear)
    Secrets(store).rotate_key(AuditRecord("local:root", "cli", "local", "Update-SecretsKey"))
    os._exit(0)

for number in range(100):
    left = number
    child = os.fork() or rotate()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    secrets = Secrets(store)
    print(status, sorted((name, secrets.get(name)) for name in secrets.names()))
    if status != 9:
        break
"""


def test_killed_at_any_step_no_secret_is_lost(store: Store, store_url: str, data_dir: Path) -> None:
    """Before each statement, the commit, and whatever is done to the files of the keys."""
    command = [sys.executable, "-c", KILLED, store_url, str(data_dir)]
    *killed, last = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(killed) > 10
    assert set(killed) == {f"9 {sorted(SECRETS.items())}"}
    assert last == f"0 {sorted(SECRETS.items())}"
    assert "secrets.key.new" not in keys(data_dir)


class TestKeyFromTheEnvironment:
    OLD, NEW = (base64.b64encode(letter * 32).decode() for letter in (b"k", b"l"))

    @pytest.fixture(autouse=True)
    def environment(self, store: Store, stored: None, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (data_dir / "secrets.key").unlink()
        monkeypatch.setenv("POSTHOUSE_SECRETS_KEY", self.OLD)
        Organizations(store).save({}, put=SECRETS)

    def test_both_are_known_until_it_is_done(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("POSTHOUSE_SECRETS_KEY_OLD", self.OLD)
        monkeypatch.setenv("POSTHOUSE_SECRETS_KEY", self.NEW)
        assert in_clear(store) == SECRETS
        assert Secrets(store).rotate_key(ROTATED) == 3
        monkeypatch.delenv("POSTHOUSE_SECRETS_KEY_OLD")
        assert in_clear(store) == SECRETS

    def test_without_a_new_one_it_says_how(self, store: Store) -> None:
        with pytest.raises(SpoolError, match="move it to POSTHOUSE_SECRETS_KEY_OLD"):
            Secrets(store).rotate_key(ROTATED)
        assert in_clear(store) == SECRETS

    def test_from_the_environment_into_the_file(
        self, store: Store, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("POSTHOUSE_SECRETS_KEY_OLD", self.OLD)
        monkeypatch.delenv("POSTHOUSE_SECRETS_KEY")
        Secrets(store).rotate_key(ROTATED)
        monkeypatch.delenv("POSTHOUSE_SECRETS_KEY_OLD")
        assert in_clear(store) == SECRETS
        assert keys(data_dir).keys() == {"secrets.key"}

    def test_from_the_file_into_the_environment(
        self, store: Store, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("POSTHOUSE_SECRETS_KEY")
        Organizations(store).save({}, put=SECRETS)
        monkeypatch.setenv("POSTHOUSE_SECRETS_KEY", self.NEW)
        Secrets(store).rotate_key(ROTATED)
        (data_dir / "secrets.key").unlink()
        assert in_clear(store) == SECRETS
