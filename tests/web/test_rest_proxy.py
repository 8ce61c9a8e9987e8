"""Behind a reverse proxy: whom it speaks for is believed of it alone, and of a name only what the settings have."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from posthouse.cli import run
from support.house import House
from support.office import ORGANIZATION, PASSWORD, SETTINGS, Office, done, problem

SPEAKING_FOR = {"X-Forwarded-For": "198.51.100.7, 203.0.113.9", "X-Forwarded-Proto": "https"}
CREDENTIALS = {"name": "keeper", "password": PASSWORD}


def sign_in(office: Office, **headers: str) -> httpx.Response:
    with office.new_client() as browser:
        return browser.post("/session", json=CREDENTIALS, headers=headers)


def test_what_a_proxy_says_is_believed(tmp_path: Path) -> None:
    proxied = SETTINGS + 'names = ["mail-admin.contoso.com"]\nproxies = ["127.0.0.0/8"]\n'
    house = House(tmp_path / "house", ORGANIZATION, proxied)
    house.apply()
    with Office(house) as office:
        answer = sign_in(office, Host="mail-admin.contoso.com", **SPEAKING_FOR)
        done(answer)
        assert "secure" in answer.headers["set-cookie"].lower()
        assert office.audit(who="keeper", act="Connect-Administrator")[0]["origin"] == "203.0.113.9"
        problem(sign_in(office, Host="evil.example", **SPEAKING_FOR), 421)
    house.clean_up()


def test_what_anybody_else_says_is_not(office: Office) -> None:
    answer = sign_in(office, **SPEAKING_FOR)
    done(answer)
    assert "secure" not in answer.headers["set-cookie"].lower()
    assert office.audit(who="keeper", act="Connect-Administrator")[0]["origin"].startswith("127.")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [("PROXIES", '["*"]', "an IP address or network"), ("NAMES", '["http://x"]', "a host name")],
)
def test_a_wrong_setting_is_told(
    key: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"POSTHOUSE_ADMIN__{key}", value)
    assert run(["show"]) == 1
    assert words in capsys.readouterr().err
