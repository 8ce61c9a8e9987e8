"""What stands for an administrator who has signed in, and for a program."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
import time_machine

from posthouse.admin import AdminError, Administration, Authentication, SignInRefused
from posthouse.spool import AuditOutcome, Store
from posthouse.spool.schema import session
from support.sign_in import ALL, PASSWORD, REST, VIEW, WEB, at_once, audited


class TestSessions:
    @pytest.fixture
    def session_id(self, clock: time_machine.Coordinates, alice: None, door: Authentication) -> str:
        return door.sign_in("alice", PASSWORD, **WEB)

    def holds(self, door: Authentication, session_id: str) -> bool:
        return door.by_session(session_id, **WEB) is not None

    def test_its_id_has_256_bits_and_is_not_stored(self, session_id: str, store: Store) -> None:
        assert len(session_id) == 43
        with store.reading() as connection:
            assert session_id not in str(connection.execute(sa.select(session)).all())

    def test_it_ends_when_nobody_uses_it(
        self, door: Authentication, session_id: str, clock: time_machine.Coordinates
    ) -> None:
        for _ in range(10):
            clock.shift(29 * 60)
            assert self.holds(door, session_id)
        clock.shift(30 * 60)
        assert not self.holds(door, session_id)

    def test_it_ends_after_twelve_hours_however_much_it_is_used(
        self, door: Authentication, session_id: str, clock: time_machine.Coordinates
    ) -> None:
        for _ in range(12 * 4 - 1):
            clock.shift(15 * 60)
            assert self.holds(door, session_id)
        clock.shift(15 * 60)
        assert not self.holds(door, session_id)

    @pytest.mark.parametrize(
        "change",
        [
            lambda them: them.set("alice", password="another good password"),
            lambda them: them.set("alice", enabled=False),
            lambda them: them.set("alice", totp=b"s" * 20),
            lambda them: them.remove("alice"),
            lambda them: them.end_sessions("alice"),
        ],
    )
    def test_what_ends_it(
        self, admin: Administration, door: Authentication, session_id: str, change: Callable[[Any], None]
    ) -> None:
        admin.administrators.new("bob", PASSWORD, [ALL])
        other = door.sign_in("bob", PASSWORD, **WEB)
        change(admin.administrators)
        assert not self.holds(door, session_id)
        assert self.holds(door, other)

    def test_signing_out_ends_it_and_no_other(
        self, admin: Administration, door: Authentication, session_id: str
    ) -> None:
        other = door.sign_in("alice", PASSWORD, **WEB)
        door.sign_out(session_id, **WEB)
        door.sign_out("never was", **WEB)
        assert (self.holds(door, session_id), self.holds(door, other)) == (False, True)
        assert [one.act for one in audited(admin)].count("Disconnect-Administrator") == 1

    def test_its_roles_are_those_of_now(self, admin: Administration, door: Authentication, session_id: str) -> None:
        admin.administrators.new("bob", PASSWORD, [ALL])
        admin.administrators.set("alice", roles=[VIEW])
        actor = door.by_session(session_id, **WEB)
        assert actor is not None
        assert actor.roles == (VIEW,)

    def test_those_that_are_over_are_forgotten(
        self, door: Authentication, session_id: str, store: Store, clock: time_machine.Coordinates
    ) -> None:
        clock.shift(31 * 60)
        door.sign_in("alice", PASSWORD, **WEB)
        with store.reading() as connection:
            assert connection.scalar(sa.select(sa.func.count()).select_from(session)) == 1


class TestTokens:
    def test_a_token_stands_for_its_role_until_it_expires(
        self, admin: Administration, door: Authentication, clock: time_machine.Coordinates
    ) -> None:
        token = admin.tokens.new("CI", VIEW, 3600)
        assert token.startswith("ph_")
        actor = door.by_token(token, **REST)
        assert (actor.name, actor.roles, actor.face) == ("token:ci", (VIEW,), "rest")
        clock.shift(3600)
        with pytest.raises(SignInRefused, match="has expired; posthouse token new makes another"):
            door.by_token(token, **REST)

    def test_its_last_use_is_written_at_most_once_a_minute(
        self, admin: Administration, door: Authentication, clock: time_machine.Coordinates
    ) -> None:
        token = admin.tokens.new("ci", VIEW, 3600)
        (listed,) = admin.tokens.list()
        assert listed.used_at is None
        used: list[float | None] = []
        start = time.time()
        for _ in range(4):
            door.by_token(token, **REST)
            used.append(admin.tokens.list()[0].used_at)
            clock.shift(20)
        assert used == [start, start, start, start + 60]
        assert admin.tokens.list()[0] == replace(listed, used_at=start + 60)

    def test_a_removed_one_is_nothing(self, admin: Administration, door: Authentication) -> None:
        token = admin.tokens.new("ci", VIEW, 3600)
        admin.tokens.remove("ci")
        with pytest.raises(SignInRefused):
            door.by_token(token, **REST)
        assert [(one.who, one.act, one.object, one.outcome.value) for one in audited(admin)][1:] == [
            (admin.ledger.actor.name, "Remove-ApiToken", "ci", "ok"),
            ("anonymous", "Use-ApiToken", "(unknown)", "refused"),
        ]

    def test_wrong_ones_fill_no_audit_log_and_keep_no_right_one_out(
        self, admin: Administration, door: Authentication, clock: time_machine.Coordinates
    ) -> None:
        token = admin.tokens.new("ci", VIEW, 3600)
        for number in range(40):
            with pytest.raises(SignInRefused):
                door.by_token(f"ph_{number}", **REST)
        assert len(audited(admin)) == 1 + 21
        assert door.by_token(token, **REST).name == "token:ci"

    @pytest.mark.parametrize(
        ("act", "problem"),
        [
            (lambda tokens: tokens.new("CI", VIEW, 60), 'there is a token "ci" already'),
            (lambda tokens: tokens.new("c i", VIEW, 60), '"c i" is no name'),
            (lambda tokens: tokens.new("other", VIEW, 0), "would have expired already; give it a time like 90d"),
            (lambda tokens: tokens.remove("other"), 'there is no token "other"; there are: ci'),
        ],
    )
    def test_what_is_not_possible_is_said(
        self, admin: Administration, act: Callable[[Any], None], problem: str
    ) -> None:
        admin.tokens.new("ci", VIEW, 3600)
        before = admin.tokens.list()
        with pytest.raises(AdminError) as caught:
            act(admin.tokens)
        assert problem in str(caught.value)
        assert admin.tokens.list() == before
        assert audited(admin)[-1].outcome is AuditOutcome.FAILED


class TestSetupLink:
    @pytest.fixture
    def secret(self, admin: Administration) -> str:
        return self.secret_in(admin.administrators.setup_link("https://relay.contoso.com/"))

    def secret_in(self, link: str) -> str:
        parts = urlsplit(link)
        assert (parts.netloc, parts.path) == ("relay.contoso.com", "/setup")
        return parse_qs(parts.query)["secret"][0]

    def test_it_makes_the_first_administrator_once(
        self, admin: Administration, door: Authentication, secret: str
    ) -> None:
        door.set_up(secret, "Alice", PASSWORD, **WEB)
        assert door.sign_in("alice", PASSWORD, **WEB)
        (alice,) = admin.administrators.list()
        assert alice.roles == (ALL,)
        with pytest.raises(SignInRefused, match="used up or older than a day; posthouse admin setup-link makes one"):
            door.set_up(secret, "bob", PASSWORD, **WEB)
        acts = [(one.who, one.act, one.object, one.outcome.value) for one in audited(admin)[1:]]
        assert acts == [
            ("anonymous", "New-Administrator", "alice", "ok"),
            ("alice", "Connect-Administrator", "alice", "ok"),
            ("anonymous", "New-Administrator", "bob", "refused"),
        ]

    def test_used_twice_at_once_it_makes_one(self, admin: Administration, door: Authentication, secret: str) -> None:
        def use(name: str) -> Callable[[], None]:
            return lambda: door.set_up(secret, name, PASSWORD, **WEB)

        errors = at_once(*map(use, ("alice", "bob", "carol")))
        assert sum(isinstance(error, SignInRefused) for error in errors) == 2
        assert len(admin.administrators.list()) == 1

    def test_it_is_void_after_a_day(
        self, clock: time_machine.Coordinates, admin: Administration, door: Authentication
    ) -> None:
        secret = self.secret_in(admin.administrators.setup_link("https://relay.contoso.com"))
        clock.shift(86400)
        with pytest.raises(SignInRefused):
            door.set_up(secret, "alice", PASSWORD, **WEB)

    def test_it_is_void_when_there_is_another(self, admin: Administration, door: Authentication, secret: str) -> None:
        admin.administrators.setup_link("https://relay.contoso.com")
        with pytest.raises(SignInRefused):
            door.set_up(secret, "alice", PASSWORD, **WEB)

    def test_it_is_void_when_there_is_an_administrator(
        self, admin: Administration, door: Authentication, secret: str, alice: None
    ) -> None:
        with pytest.raises(SignInRefused):
            door.set_up(secret, "bob", PASSWORD, **WEB)
        with pytest.raises(AdminError, match="there is an administrator already: alice"):
            admin.administrators.setup_link("https://relay.contoso.com")

    def test_a_bad_password_does_not_use_it_up(self, admin: Administration, door: Authentication, secret: str) -> None:
        with pytest.raises(AdminError, match="too short"):
            door.set_up(secret, "alice", "short", **WEB)
        door.set_up(secret, "alice", PASSWORD, **WEB)
