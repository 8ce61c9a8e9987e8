"""The organization's document and the secrets that it names."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
import sqlalchemy as sa

from posthouse.spool import Organizations, RevisionConflict, Secrets, SpoolError, Store, open_store
from posthouse.spool.schema import secret

DOCUMENT = {"accepted_domain": [{"name": "contoso.com", "type": "Authoritative"}], "postmaster_address": "jürgen@x"}


def test_a_new_store_has_no_organization(store: Store) -> None:
    loaded = Organizations(store).load()
    assert (loaded.revision, loaded.document) == (0, None)
    assert Organizations(store).revision() == 0


def test_a_document_comes_back_as_it_was_with_a_higher_revision(store: Store) -> None:
    organizations = Organizations(store)
    assert organizations.save({}) == 1
    assert organizations.save(DOCUMENT) == 2
    loaded = organizations.load()
    assert (loaded.revision, loaded.document) == (2, DOCUMENT)


def test_a_change_made_from_an_old_revision_is_refused_whole(store: Store) -> None:
    organizations = Organizations(store)
    organizations.save(DOCUMENT, put={"kept": b"1"}, expected_revision=0)
    with pytest.raises(RevisionConflict, match="revision 1, not 0"):
        organizations.save({}, put={"new": b"2"}, drop=["kept"], expected_revision=0)
    assert organizations.load().document == DOCUMENT
    assert Secrets(store).names() == {"kept"}


def test_secrets_are_stored_with_the_document(store: Store) -> None:
    organizations, secrets = Organizations(store), Secrets(store)
    organizations.save(DOCUMENT, put={"pfx": b"\x00\xff", "password": b"old"})
    organizations.save(DOCUMENT, put={"password": b"new"}, drop=["pfx", "never was"])
    assert secrets.names() == {"password"}
    assert secrets.get("password") == b"new"
    with pytest.raises(KeyError):
        secrets.get("pfx")


def test_secrets_are_encrypted_at_rest(store: Store, data_dir: Path) -> None:
    Organizations(store).save({}, put={"password": b"hunter2"})
    with store.reading() as connection:
        ciphertext = bytes(connection.execute(sa.select(secret.c.ciphertext)).scalar_one())
    assert b"hunter2" not in ciphertext
    assert stat.S_IMODE((data_dir / "secrets.key").stat().st_mode) == 0o600


def test_secrets_survive_a_restart(store: Store, store_url: str, data_dir: Path) -> None:
    Organizations(store).save({}, put={"password": b"hunter2"})
    store.close()
    assert Secrets(open_store(store_url, data_dir)).get("password") == b"hunter2"


def test_a_secret_is_bound_to_its_name(store: Store) -> None:
    Organizations(store).save({}, put={"a": b"1", "b": b"2"})
    with store.transaction() as connection:
        connection.execute(secret.delete().where(secret.c.name == "b"))
        connection.execute(secret.update().values(name="b"))
    with pytest.raises(SpoolError, match="can't be decrypted"):
        Secrets(store).get("b")


def test_a_key_from_the_environment(store: Store, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTHOUSE_SECRETS_KEY", base64.b64encode(b"k" * 32).decode())
    Organizations(store).save({}, put={"password": b"hunter2"})
    assert not (data_dir / "secrets.key").exists()
    monkeypatch.setenv("POSTHOUSE_SECRETS_KEY", base64.b64encode(b"l" * 32).decode())
    with pytest.raises(SpoolError, match="stored with another key than that of POSTHOUSE_SECRETS_KEY"):
        Secrets(store).get("password")


@pytest.mark.parametrize("text", ["", "not base64!", base64.b64encode(b"short").decode()])
def test_a_key_that_is_none(store: Store, data_dir: Path, text: str) -> None:
    (data_dir / "secrets.key").write_text(text)
    with pytest.raises(SpoolError, match=r"secrets\.key is no secrets key"):
        Organizations(store).save({}, put={"password": b"hunter2"})


def test_a_lost_key_is_not_made_again_for_reading(store: Store, data_dir: Path) -> None:
    Organizations(store).save({}, put={"password": b"hunter2"})
    (data_dir / "secrets.key").unlink()
    with pytest.raises(SpoolError, match=r"secrets\.key can't be read"):
        Secrets(store).get("password")
