"""What everybody does with the own account, whatever the role, knowing the password of now: and nobody else does it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from posthouse.admin import Actor, AdminError, Administration, Authentication, Face, Role, SignInRefused, totp
from posthouse.settings import Settings
from posthouse.spool import AuditFilter, Store, open_store

OLD, NEW = "correct horse battery", "staple of another kind"
WHENCE: dict[str, Any] = {"face": Face.WEB, "origin": "192.0.2.7"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    settings = Settings(data_dir=tmp_path / "data")
    store = open_store(settings.store_url, settings.data_dir)
    Administration(store).administrators.new("ada", OLD, [Role.ORGANIZATION_MANAGEMENT])
    yield store
    store.close()


@pytest.fixture
def door(store: Store) -> Authentication:
    return Authentication(store)


@pytest.fixture(params=list(Role))
def eve(request: pytest.FixtureRequest, store: Store) -> Administration:
    """Of each role, beside a manager."""
    Administration(store).administrators.new("eve", OLD, [request.param])
    return Administration(store, actor=Actor("eve", (request.param,), Face.WEB, "192.0.2.7"))


def code(secret: bytes, step: int = 0) -> str:
    return totp.code_at(secret, int(time.time()) // 30 + step)


def is_signed_in(door: Authentication, session: str) -> bool:
    return door.by_session(session, **WHENCE) is not None


@pytest.mark.usefixtures("eve")
def test_the_password_is_changed_by_the_one_of_now_and_other_sessions_end(store: Store, door: Authentication) -> None:
    other = door.sign_in("eve", OLD, **WHENCE)
    new = door.change_password("eve", OLD, NEW, **WHENCE)
    assert (is_signed_in(door, other), is_signed_in(door, new)) == (False, True)
    with pytest.raises(SignInRefused):
        door.change_password("eve", OLD, NEW, **WHENCE)
    assert is_signed_in(door, door.sign_in("eve", NEW, **WHENCE))
    (record,) = Administration(store).audit.find(AuditFilter(act="Set-Administrator"))
    assert (record.who, record.object, [change.key for change in record.changes]) == ("eve", "eve", ["Password"])


@pytest.mark.usefixtures("eve")
def test_a_password_that_is_too_short_begins_no_session(door: Authentication) -> None:
    with pytest.raises(AdminError, match="too short"):
        door.change_password("eve", OLD, "short", **WHENCE)
    assert door.sessions("eve") == ()


@pytest.mark.parametrize("change", [{"password": NEW}, {"totp": b"s" * 20}, {"totp": b""}, {"enabled": False}])
def test_it_is_done_in_no_other_way(store: Store, eve: Administration, change: dict[str, Any]) -> None:
    with pytest.raises(AdminError):
        eve.administrators.set("eve", **change)
    with pytest.raises(AdminError):
        eve.administrators.remove("eve")
    with pytest.raises(AdminError):
        eve.administrators.invite("eve", "https://relay.contoso.com")
    assert Authentication(store).sign_in("eve", OLD, **WHENCE)


@pytest.mark.usefixtures("eve")
def test_codes_of_an_app_are_asked_for_once_it_has_shown_one(door: Authentication) -> None:
    secret, other = totp.new_secret(), totp.new_secret()
    with pytest.raises(AdminError, match="not the code that the app shows"):
        door.change_totp("eve", OLD, "", secret, code(other), **WHENCE)
    with pytest.raises(SignInRefused):
        door.change_totp("eve", NEW, "", secret, code(secret), **WHENCE)
    taken = code(secret)
    session = door.change_totp("eve", OLD, "", secret, taken, **WHENCE)
    assert is_signed_in(door, session)
    with pytest.raises(SignInRefused):
        door.sign_in("eve", OLD, **WHENCE)
    for refused in ("", taken):
        with pytest.raises(SignInRefused):
            door.change_totp("eve", OLD, refused, b"", "", **WHENCE)
    door.change_totp("eve", OLD, code(secret, 1), b"", "", **WHENCE)
    door.sign_in("eve", OLD, **WHENCE)


@pytest.mark.usefixtures("eve")
def test_a_recovery_code_stands_in_once_for_a_code_of_the_app(store: Store, door: Authentication) -> None:
    secret = totp.new_secret()
    session = door.change_totp("eve", OLD, "", secret, code(secret), **WHENCE)
    first, second, *_ = codes = door.new_recovery_codes(session, **WHENCE)
    assert (len(set(codes)), door.recovery_codes_left("eve")) == (10, 10)
    door.sign_in("eve", OLD, first.lower().replace("-", " "), **WHENCE)
    with pytest.raises(SignInRefused):
        door.sign_in("eve", OLD, first, **WHENCE)
    with pytest.raises(SignInRefused):
        door.sign_in("eve", NEW, second, **WHENCE)
    assert door.recovery_codes_left("eve") == 9
    door.new_recovery_codes(door.sign_in("eve", OLD, second, **WHENCE), **WHENCE)
    with pytest.raises(SignInRefused):
        door.sign_in("eve", OLD, codes[2], **WHENCE)
    Administration(store).administrators.set("eve", totp=b"")
    assert door.recovery_codes_left("eve") == 0


@pytest.mark.usefixtures("eve")
def test_all_sessions_end_at_once(door: Authentication) -> None:
    mine, other = door.sign_in("eve", OLD, **WHENCE), door.sign_in("eve", OLD, face=Face.WEB, origin="192.0.2.8")
    adas = door.sign_in("ada", OLD, **WHENCE)
    assert [each.origin for each in door.sessions("eve")] == ["192.0.2.8", "192.0.2.7"]
    actor = door.by_session(mine, **WHENCE)
    assert actor is not None
    door.sign_out_everywhere(actor)
    assert [is_signed_in(door, each) for each in (mine, other, adas)] == [False, False, True]


class TestInvitations:
    URL = "https://relay.contoso.com"

    def secret(self, link: str) -> str:
        assert link.startswith(f"{self.URL}/invitation?")
        return parse_qs(urlsplit(link).query)["secret"][0]

    def test_whoever_has_the_link_sets_the_password_once(self, store: Store, door: Authentication) -> None:
        admin = Administration(store)
        secret = self.secret(admin.administrators.new_invited("Bob", [Role.VIEW_ONLY], self.URL))
        for guess in ("", "x" * 12, NEW):
            with pytest.raises(SignInRefused):
                door.sign_in("bob", guess, **WHENCE)
        assert (door.invited(secret), door.invited("another")) == ("bob", None)
        with pytest.raises(AdminError, match="too short"):
            door.accept_invitation(secret, "short", **WHENCE)
        assert door.accept_invitation(secret, NEW, **WHENCE) == "bob"
        assert is_signed_in(door, door.sign_in("bob", NEW, **WHENCE))
        assert door.invited(secret) is None
        with pytest.raises(SignInRefused, match="used up or older than a day"):
            door.accept_invitation(secret, OLD, **WHENCE)

    def test_the_newest_alone_is_good_and_none_after_another_password(self, store: Store, door: Authentication) -> None:
        admin = Administration(store).administrators
        first, second = (self.secret(admin.invite("ada", self.URL)) for _ in range(2))
        assert (door.invited(first), door.invited(second)) == (None, "ada")
        admin.set("ada", password=NEW)
        assert door.invited(second) is None
        third = self.secret(admin.invite("ada", self.URL))
        admin.new("bob", OLD, [Role.ORGANIZATION_MANAGEMENT])
        admin.set("ada", enabled=False)
        assert door.invited(third) is None

    def test_who_has_no_password_yet_is_not_the_one_who_stays(self, store: Store) -> None:
        admin = Administration(store).administrators
        admin.new_invited("bob", [Role.ORGANIZATION_MANAGEMENT], self.URL)
        with pytest.raises(AdminError, match="nobody would be left"):
            admin.remove("ada")
