"""Who is an administrator, and how they sign in, with codes or without."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine

from posthouse.admin import AdminError, Administration, Authentication, Face, LockedOut, SignInRefused, totp
from posthouse.admin import passwords as passwords_module
from posthouse.spool import AuditOutcome, Secrets, Store, sign_ins
from posthouse.spool.schema import sign_in_failure
from support.sign_in import ALL, PASSWORD, VIEW, WEB, at_once, audited


class TestAdministrators:
    def test_one_comes_changes_and_goes(self, admin: Administration, alice: None) -> None:
        admin.administrators.new("bob", PASSWORD, [VIEW, ALL])
        admin.administrators.set("BOB", roles=[VIEW], enabled=False)
        (first, second) = admin.administrators.list()
        assert (first.name, first.roles, first.enabled) == ("alice", (ALL.value,), True)
        assert (second.name, second.roles, second.enabled) == ("bob", (VIEW.value,), False)
        admin.administrators.remove("bob")
        assert [who.name for who in admin.administrators.list()] == ["alice"]
        told = [(one.act, one.object, [(c.key, c.before, c.after) for c in one.changes]) for one in audited(admin)[1:]]
        assert told == [
            ("New-Administrator", "bob", [("Roles", None, [ALL, VIEW]), ("Password", None, "(set)")]),
            ("Set-Administrator", "BOB", [("Roles", [ALL, VIEW], [VIEW]), ("Enabled", True, False)]),
            ("Remove-Administrator", "bob", [("Roles", [VIEW], None)]),
        ]

    @pytest.mark.parametrize(
        ("act", "problem"),
        [
            (lambda them: them.new("ALICE", PASSWORD, [ALL]), 'there is an administrator "alice" already'),
            (lambda them: them.new("bob", "too short", [ALL]), "too short; take at least 12 characters"),
            (lambda them: them.new("bob" * 5, "BoB" * 5, [ALL]), "the password is the name"),
            (lambda them: them.new("local:root", PASSWORD, [ALL]), '"local:root" is no name'),
            (lambda them: them.new("", PASSWORD, [ALL]), '"" is no name'),
            (lambda them: them.new("a\0\n\ud800", PASSWORD, [ALL]), "is no name"),
            (lambda them: them.new("bob", PASSWORD, []), "needs a role; give one of: Organization Management"),
            (lambda them: them.set("bob", enabled=True), 'there is no administrator "bob"; there are: alice'),
            (lambda them: them.end_sessions("bob"), 'there is no administrator "bob"'),
            (lambda them: them.remove("bob"), 'there is no administrator "bob"; there are: alice'),
            (lambda them: them.remove("alice"), "nobody would be left with the role Organization Management"),
            (lambda them: them.set("alice", roles=[VIEW]), "nobody would be left"),
            (lambda them: them.set("alice", enabled=False), "nobody would be left"),
        ],
    )
    def test_what_is_not_possible_is_said_and_on_record(
        self, admin: Administration, alice: None, act: Callable[[Any], None], problem: str
    ) -> None:
        before = admin.administrators.list()
        with pytest.raises(AdminError) as caught:
            act(admin.administrators)
        assert problem in str(caught.value)
        assert admin.administrators.list() == before
        last = audited(admin)[-1]
        assert last.outcome is AuditOutcome.FAILED
        assert problem in last.reason

    def test_the_last_two_managers_can_not_both_go_at_once(self, admin: Administration, alice: None) -> None:
        admin.administrators.new("bob", PASSWORD, [ALL])
        errors = at_once(lambda: admin.administrators.remove("alice"), lambda: admin.administrators.remove("bob"))
        assert sorted(str(error)[:20] for error in errors) == ["None", "nobody would be left"]
        assert len(admin.administrators.list()) == 1

    def test_a_secret_for_codes_goes_with_its_administrator(
        self, admin: Administration, alice: None, store: Store
    ) -> None:
        admin.administrators.new("bob", PASSWORD, [VIEW], totp=totp.new_secret())
        assert Secrets(store).names() == {"totp/bob"}
        admin.administrators.remove("bob")
        assert Secrets(store).names() == frozenset()


class TestSignIn:
    @pytest.fixture(autouse=True)
    def known(self, clock: time_machine.Coordinates, alice: None) -> None:
        """Alice, and a clock that stands still."""

    def test_the_session_stands_for_who_signed_in(self, admin: Administration, door: Authentication) -> None:
        session_id = door.sign_in(" Alice", PASSWORD, **WEB)
        actor = door.by_session(session_id, face=Face.WEB, origin="192.0.2.8")
        assert actor is not None
        assert (actor.name, actor.roles, actor.face, actor.origin) == ("alice", (ALL,), "web", "192.0.2.8")
        last = audited(admin)[-1]
        assert (last.act, last.who, last.face, last.origin) == ("Connect-Administrator", "alice", "web", "192.0.2.7")
        assert admin.administrators.list()[0].last_sign_in_at == time.time()

    @pytest.mark.parametrize(
        ("name", "password", "told"),
        [("alice", "wrong password", "alice"), ("alice", "", "alice"), ("bob", PASSWORD, "(unknown)")],
    )
    def test_a_wrong_one_is_refused_without_saying_why(
        self, admin: Administration, door: Authentication, name: str, password: str, told: str
    ) -> None:
        with pytest.raises(SignInRefused, match=r"^name, password or code is wrong; try again$"):
            door.sign_in(name, password, **WEB)
        last = audited(admin)[-1]
        assert (last.who, last.act, last.object) == ("anonymous", "Connect-Administrator", told)
        assert last.outcome is AuditOutcome.REFUSED

    def test_the_disabled_are_refused_the_same_way(self, admin: Administration, door: Authentication) -> None:
        admin.administrators.new("bob", PASSWORD, [VIEW])
        admin.administrators.set("bob", enabled=False)
        with pytest.raises(SignInRefused, match=r"^name, password or code is wrong; try again$"):
            door.sign_in("bob", PASSWORD, **WEB)

    @pytest.mark.parametrize("name", ["alice", "bob"])
    def test_each_failure_makes_the_next_try_wait_longer_for_known_and_unknown_names(
        self, door: Authentication, clock: time_machine.Coordinates, name: str
    ) -> None:
        waits: list[float] = []
        for number in range(16):
            origin = f"198.51.100.{number}"
            try:
                door.sign_in(name, "wrong password", face=Face.WEB, origin=origin)
            except LockedOut as error:
                waits.append(round(error.seconds))
                clock.shift(error.seconds)
            except SignInRefused:
                waits.append(0)
        assert waits == [0, 0, 0, 0, 0, 1, 0, 2, 0, 4, 0, 8, 0, 16, 0, 32]

    def test_during_a_wait_the_right_password_is_not_looked_at(
        self, admin: Administration, door: Authentication, clock: time_machine.Coordinates
    ) -> None:
        for _ in range(5):
            with pytest.raises(SignInRefused):
                door.sign_in("alice", "wrong password", **WEB)
        records = len(audited(admin))
        with pytest.raises(LockedOut, match=r"^too many failed sign-ins; try again in 2 seconds$"):
            door.sign_in("alice", PASSWORD, **WEB)
        assert len(audited(admin)) == records
        clock.shift(1)
        door.sign_in("alice", PASSWORD, **WEB)
        with pytest.raises(SignInRefused, match="wrong"):
            door.sign_in("alice", "wrong password", **WEB)

    def test_an_origin_waits_whatever_names_it_tries(self, door: Authentication) -> None:
        for number in range(21):
            with pytest.raises(SignInRefused, match="wrong"):
                door.sign_in(f"name-{number}", "wrong password", face=Face.WEB, origin=f"2001:db8::{number:x}")
        with pytest.raises(LockedOut):
            door.sign_in("alice", PASSWORD, face=Face.WEB, origin="2001:db8::ffff")
        door.sign_in("alice", PASSWORD, face=Face.WEB, origin="2001:db8:0:1::1")

    def test_who_has_an_account_can_not_use_it_to_go_on_guessing(self, door: Authentication) -> None:
        for number in range(20):
            with pytest.raises(SignInRefused, match="wrong"):
                door.sign_in(f"name-{number}", "wrong password", **WEB)
            door.sign_in("alice", PASSWORD, **WEB)
        with pytest.raises(SignInRefused, match="wrong"):
            door.sign_in("name", "wrong password", **WEB)
        with pytest.raises(LockedOut):
            door.sign_in("alice", PASSWORD, **WEB)

    def test_tries_at_once_are_no_more_than_tries_in_turn(self, door: Authentication) -> None:
        tries = [lambda: door.sign_in("alice", "wrong password", **WEB)] * 12
        errors = at_once(*tries)
        assert sum(isinstance(error, LockedOut) for error in errors) == 12 - 5

    def test_failures_fill_no_disk(
        self,
        door: Authentication,
        store: Store,
        clock: time_machine.Coordinates,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(sign_ins, "_MOST_FAILURES", 10)
        for number in range(30):
            clock.shift(1)
            with pytest.raises(SignInRefused, match="wrong"):
                door.sign_in(f"name-{number}", "wrong password", face=Face.WEB, origin=f"192.0.2.{number}")
        with store.reading() as connection:
            assert connection.scalar(sa.select(sa.func.count()).select_from(sign_in_failure)) <= 12
        clock.shift(86401)
        door.sign_in("alice", PASSWORD, **WEB)
        with store.reading() as connection:
            assert connection.scalar(sa.select(sa.func.count()).select_from(sign_in_failure)) == 1


class TestCodes:
    SECRET = secrets.token_bytes(20)

    @pytest.fixture(autouse=True)
    def enrolled(self, clock: time_machine.Coordinates, admin: Administration, alice: None) -> None:
        admin.administrators.set("alice", totp=self.SECRET)

    def code(self, step: int = 0) -> str:
        return totp.code_at(self.SECRET, int(time.time()) // 30 + step)

    def test_with_a_code_once(self, door: Authentication, clock: time_machine.Coordinates) -> None:
        code = self.code()
        door.sign_in("alice", PASSWORD, f"{code[:3]} {code[3:]}", **WEB)
        for replayed in (code, self.code(-1)):
            with pytest.raises(SignInRefused, match="wrong"):
                door.sign_in("alice", PASSWORD, replayed, **WEB)
        clock.shift(30)
        door.sign_in("alice", PASSWORD, self.code(), **WEB)

    def test_at_once_too(self, door: Authentication) -> None:
        code = self.code()
        tries = [lambda: door.sign_in("alice", PASSWORD, code, **WEB)] * 4
        assert sum(isinstance(result, str) for result in at_once(*tries)) == 1

    @pytest.mark.parametrize("code", ["", "000000", "nonsense", "\ud800"])
    def test_without_or_with_a_wrong_one(self, door: Authentication, code: str) -> None:
        with pytest.raises(SignInRefused, match=r"^name, password or code is wrong; try again$"):
            door.sign_in("alice", PASSWORD, code if code != self.code() else "000001", **WEB)

    def test_none_is_asked_for_when_it_is_taken_away(self, admin: Administration, door: Authentication) -> None:
        admin.administrators.set("alice", totp=b"")
        assert door.sign_in("alice", PASSWORD, **WEB)
        told = [(one.before, one.after) for record in audited(admin) for one in record.changes if one.key == "Totp"]
        assert told == [(False, True), (True, False)]

    @pytest.mark.parametrize(("before", "after"), [(b"", SECRET), (SECRET, b"")], ids=["set", "taken away"])
    def test_one_that_comes_or_goes_while_somebody_signs_in(
        self,
        admin: Administration,
        door: Authentication,
        monkeypatch: pytest.MonkeyPatch,
        before: bytes,
        after: bytes,
    ) -> None:
        admin.administrators.set("alice", totp=before)
        matches = passwords_module.matches

        def change_meanwhile(password: str, expected: str | None) -> bool:
            admin.administrators.set("alice", totp=after)
            return matches(password, expected)

        monkeypatch.setattr(passwords_module, "matches", change_meanwhile)
        with pytest.raises(SignInRefused, match="wrong"):
            door.sign_in("alice", PASSWORD, self.code(), **WEB)
