"""Passwords of administrators."""

from __future__ import annotations

import pytest

from posthouse.admin import AdminError, passwords


def test_any_characters_will_do_and_the_same_ones_are_the_same_password() -> None:
    hashed = passwords.hashed("Z\u00fcrich \u2460 caf\u00e9 \U0001f600", "alice")
    assert hashed.startswith("$argon2id$")
    assert passwords.matches("Zu\u0308rich 1 cafe\u0301 \U0001f600", hashed)
    assert not passwords.matches("Zurich 1 cafe \U0001f600", hashed)


def test_what_no_keyboard_writes_is_no_error() -> None:
    assert passwords.matches("\ud800" * 12, passwords.hashed("\ud800" * 12, "alice"))


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("a" * 11, "at least 12"),
        ("", "at least 12"),
        ("a" * 1025, "at most 1024"),
        ("ALICE@Contoso.com", "the name"),
    ],
)
def test_what_is_refused(password: str, problem: str) -> None:
    with pytest.raises(AdminError, match=problem):
        passwords.hashed(password, "alice@contoso.com")


def test_a_name_that_is_not_there_costs_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[str] = []

    class Hasher:
        def hash(self, password: bytes) -> str:
            return "hash of nobody"

        def verify(self, hashed: str, password: bytes) -> bool:
            verified.append(hashed)
            return True

    monkeypatch.setattr(passwords, "_hasher", Hasher())
    passwords._nobody.cache_clear()
    assert not passwords.matches("correct horse battery", None)
    assert passwords.matches("correct horse battery", "hash of alice")
    assert verified == ["hash of nobody", "hash of alice"]
    passwords._nobody.cache_clear()
