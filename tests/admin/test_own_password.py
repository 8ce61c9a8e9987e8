"""Everybody may set the own password, and by that nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from posthouse.admin import Actor, Administration, Authentication, Face, Forbidden, Role, SignInRefused
from posthouse.settings import Settings
from posthouse.spool import AuditFilter, Store, open_store

OLD, NEW = "correct horse battery", "staple of another kind"


@pytest.fixture(params=list(Role))
def eve(request: pytest.FixtureRequest, store: Store) -> Administration:
    """Of each role, beside a manager."""
    Administration(store).administrators.new("eve", OLD, [request.param])
    return Administration(store, actor=Actor("eve", (request.param,), Face.REST, "192.0.2.7"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    settings = Settings(data_dir=tmp_path / "data")
    store = open_store(settings.store_url, settings.data_dir)
    Administration(store).administrators.new("ada", OLD, [Role.ORGANIZATION_MANAGEMENT])
    yield store
    store.close()


def sign_in(store: Store, name: str, password: str) -> None:
    Authentication(store).sign_in(name, password, face=Face.REST, origin="192.0.2.7")


def test_it_is_set_and_on_record(store: Store, eve: Administration) -> None:
    eve.administrators.set("eve", password=NEW)
    sign_in(store, "eve", NEW)
    with pytest.raises(SignInRefused):
        sign_in(store, "eve", OLD)
    (record,) = Administration(store).audit.find(AuditFilter(act="Set-Administrator"))
    assert (record.who, record.object, [change.key for change in record.changes]) == ("eve", "eve", ["Password"])


@pytest.mark.parametrize("eve", [Role.VIEW_ONLY, Role.MAIL_FLOW_OPERATOR], indirect=True)
def test_of_nobody_else_and_nothing_else(store: Store, eve: Administration) -> None:
    with pytest.raises(Forbidden):
        eve.administrators.set("ada", password=NEW)
    with pytest.raises(Forbidden):
        eve.administrators.set("eve", password=NEW, roles=[Role.ORGANIZATION_MANAGEMENT])
    with pytest.raises(Forbidden):
        eve.administrators.set("eve", password=NEW, totp=b"")
    with pytest.raises(Forbidden):
        eve.administrators.set("eve", enabled=True)
    sign_in(store, "ada", OLD)
    sign_in(store, "eve", OLD)


def test_a_token_has_none(store: Store) -> None:
    token = Administration(store, actor=Actor("token:eve", (Role.VIEW_ONLY,), Face.REST, "192.0.2.7"))
    with pytest.raises(Forbidden):
        token.administrators.set("eve", password=NEW)
