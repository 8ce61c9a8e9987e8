"""admin, token and audit, as an administrator types them on the host."""

from __future__ import annotations

import getpass
import io
from pathlib import Path
from typing import Any

import pytest

PASSWORD = "correct horse battery"
VIEW = "View-Only Organization Management"


@pytest.fixture(autouse=True)
def password(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file and in a variable."""
    (folder / "password").write_text(f"{PASSWORD}\r\nsecond line\n", "utf-8")
    monkeypatch.setenv("ADMIN_PASSWORD", PASSWORD)
    monkeypatch.setattr("sys.stdin", io.StringIO())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_administrators_come_change_and_go(posthouse: Any) -> None:
    assert posthouse("admin", "new", "Alice", "--password-file", "password").status == 0
    assert posthouse("admin", "new", "bob", "--role", VIEW.lower(), "--password-env", "ADMIN_PASSWORD").status == 0
    assert posthouse("admin", "set", "bob", "--no-enabled", "--end-sessions").status == 0
    alice, bob = posthouse("admin", "list", "--json").json
    assert (alice["name"], alice["roles"], alice["enabled"]) == ("alice", ["Organization Management"], True)
    assert (bob["name"], bob["roles"], bob["enabled"], bob["last_sign_in"]) == ("bob", [VIEW], False, None)
    assert posthouse("admin", "remove", "bob").status == 0
    assert "bob" not in posthouse("admin", "list").out


def test_a_password_is_asked_for_on_a_terminal(posthouse: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(prompt: str, *_: object) -> str:
        asked.append(prompt)
        return PASSWORD

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", answer)
    ran = posthouse("admin", "new", "alice")
    assert (ran.status, ran.out) == (0, "")
    assert len(asked) == 2
    assert posthouse("admin", "set", "alice", "--password").status == 0
    assert len(asked) == 4


@pytest.mark.parametrize(
    ("words", "status", "problem"),
    [
        (["admin", "new", "alice"], 2, "there is no terminal to ask for a password; give --password-env or"),
        (["admin", "new", "alice", "--password-env", "UNSET"], 2, "the environment has no UNSET"),
        (["admin", "new", "alice", "--password-env", "A", "--password-file", "password"], 2, "name one of them"),
        (["admin", "new", "alice", "--role", "King", "--password-file", "password"], 1, 'there is no role "King"'),
        (["admin", "new", "a b", "--password-file", "password"], 1, '"a b" is no name'),
        (["admin", "set", "alice"], 2, "nothing to change; give --role"),
        (["admin", "set", "alice", "--enabled"], 1, 'there is no administrator "alice"; there are: none'),
        (["admin", "remove", "alice"], 1, 'there is no administrator "alice"'),
        (["token", "new", "ci", "--role", "King"], 1, 'there is no role "King"'),
        (["token", "new", "ci", "--role", VIEW, "--expires", "soon"], 2, '"soon": it should be a duration'),
        (["token", "new", "ci", "--role", VIEW, "--expires", "9999d"], 1, "at most 10 years"),
        (["token", "remove", "ci"], 1, 'there is no token "ci"; there are: none'),
        (["audit", "--outcome", "good"], 2, '"good" is no outcome; write one of ok, refused, failed'),
        (["audit", "--limit", "99999999999999999999"], 2, "less than or equal to 1000000"),
        (["audit", "--since", "soon"], 2, '"soon" is no time'),
    ],
)
def test_what_is_wrong_is_one_line(posthouse: Any, words: list[str], status: int, problem: str) -> None:
    ran = posthouse(*words)
    assert (ran.status, ran.out) == (status, "")
    assert ran.err.startswith("posthouse: ")
    assert problem in ran.err
    assert ran.err.count("\n") == 1


def test_no_password_is_an_empty_one(posthouse: Any, folder: Path) -> None:
    (folder / "empty").write_text("\n")
    assert "it is empty" in posthouse("admin", "new", "alice", "--password-file", "empty").err


def test_the_mark_that_editors_put_before_utf_8_is_no_part_of_a_password(posthouse: Any, folder: Path) -> None:
    (folder / "marked").write_text("eleven char\n", "utf-8-sig")
    assert "too short" in posthouse("admin", "new", "alice", "--password-file", "marked").err


def test_codes_are_shown_once(posthouse: Any) -> None:
    made = posthouse("admin", "new", "alice", "--password-file", "password", "--totp")
    assert made.out.startswith("otpauth://totp/Posthouse:alice?secret=")
    assert made.out.count("\n") == 1
    assert posthouse("admin", "list", "--json").json[0]["totp"] is True
    assert posthouse("admin", "set", "alice", "--no-totp").out == ""
    assert posthouse("admin", "list", "--json").json[0]["totp"] is False


def test_a_setup_link_until_there_is_an_administrator(posthouse: Any) -> None:
    assert posthouse("admin", "setup-link").out.startswith("http://127.0.0.1:8025/setup?secret=")
    shown = posthouse("admin", "setup-link", "--url", "https://relay.contoso.com")
    assert shown.out.startswith("https://relay.contoso.com/setup?secret=")
    posthouse("admin", "new", "alice", "--password-file", "password")
    refused = posthouse("admin", "setup-link")
    assert (refused.status, refused.out) == (1, "")
    assert "there is an administrator already: alice" in refused.err


def test_a_token_is_shown_when_it_is_made_and_never_again(posthouse: Any) -> None:
    token = posthouse("token", "new", "ci", "--role", VIEW, "--expires", "1d").out.strip()
    other = posthouse("token", "new", "other", "--role", "Organization Management", "--json").json["token"]
    assert token.startswith("ph_")
    listed = posthouse("token", "list", "--json")
    assert [(one["name"], one["role"], one["last_used"]) for one in listed.json] == [
        ("ci", VIEW, None),
        ("other", "Organization Management", None),
    ]
    shown = listed.out + posthouse("token", "list").out + posthouse("audit").out
    assert token not in shown
    assert other not in shown
    assert posthouse("token", "remove", "ci").status == 0
    assert [one["name"] for one in posthouse("token", "list", "--json").json] == ["other"]


def test_the_key_is_rotated(posthouse: Any, folder: Path) -> None:
    posthouse("admin", "new", "alice", "--password-file", "password", "--totp")
    before = (folder / "data" / "secrets.key").read_text()
    assert posthouse("admin", "rotate-key").out == "1 secrets are encrypted with the new key\n"
    assert (folder / "data" / "secrets.key").read_text() != before


def test_what_was_done_is_told(posthouse: Any) -> None:
    posthouse("domain", "new", "contoso.com")
    posthouse("domain", "set", "contoso.com", "--type", "InternalRelay")
    posthouse("domain", "new", "contoso.com")
    failed, changed, made = posthouse("audit", "--json").json
    assert made["who"].startswith("local:")
    assert (made["face"], made["origin"], made["act"]) == ("cli", "local", "New-AcceptedDomain")
    assert (changed["object"], changed["outcome"]) == ("contoso.com", "ok")
    assert changed["changes"] == [{"key": "Type", "before": "Authoritative", "after": "InternalRelay"}]
    assert (failed["outcome"], "another accepted_domain has this name" in failed["reason"]) == ("failed", True)
    assert [one["act"] for one in posthouse("audit", "--act", "set-*", "--json").json] == ["Set-AcceptedDomain"]
    assert len(posthouse("audit", "--limit", "1", "--json").json) == 1
    assert posthouse("audit", "--since", "1h", "--until", "2020-01-01", "--json").json == []
    assert "Type: Authoritative -> InternalRelay" in posthouse("audit", "--outcome", "ok").out
