"""MTA-STS (RFC 8461): the policy that a domain's web server gives, and what doctor says of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from posthouse.probe.doctor import mta_sts
from posthouse.probe.doctor.mta_sts import Policy
from standins.https import HttpsHandler, HttpsServer, WebServer
from support.clinic import DOMAIN, TENANT, Clinic, open_clinic

PATH = "/.well-known/mta-sts.txt"
POLICY = "version: STSv1\r\nmode: enforce\r\nmx: *.tenant.test\r\nmx: Backup.test\r\nmax_age: 604800\r\n"


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    with open_clinic(tmp_path) as opened:
        opened.txt(f"_mta-sts.{DOMAIN}", "v=STSv1; id=20261124")
        opened.zone[f"mta-sts.{DOMAIN}", "A"] = ["127.0.0.1"]
        yield opened


def found(clinic: Clinic, monkeypatch: pytest.MonkeyPatch, policy: str | int) -> str:
    """What doctor says of MTA-STS where the web server gives this policy."""
    with WebServer(clinic.authority, f"mta-sts.{DOMAIN}", {PATH: policy}) as server:
        monkeypatch.setattr(mta_sts, "PORT", server.port)
        (step,) = (step for step in clinic.steps() if step.text.startswith("MTA-STS"))
    return f"{step.status} {step.text}"


def test_a_policy_that_lists_the_exchangers(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(clinic, monkeypatch, POLICY) == "ok MTA-STS: enforce for *.tenant.test, backup.test"


def test_a_policy_without_our_exchanger(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = POLICY.replace("*.tenant.test", "mail.other.test")
    assert found(clinic, monkeypatch, policy) == f"failed MTA-STS policy: it does not list {TENANT}"


def test_a_policy_that_is_not_there(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = f"https://mta-sts.{DOMAIN}{PATH} was answered 404 Not Found"
    assert found(clinic, monkeypatch, 404) == f"failed MTA-STS policy: {problem}"


def test_a_web_server_that_drips(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    over = Event()

    class Dripping(HttpsHandler):
        def do_GET(self) -> None:
            while not over.wait(0.1):
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    with HttpsServer(clinic.authority, f"mta-sts.{DOMAIN}", Dripping) as server:
        monkeypatch.setattr(mta_sts, "PORT", server.port)
        monkeypatch.setattr(mta_sts, "_PATIENCE", 1.5)
        (step,) = (step for step in clinic.steps() if step.text.startswith("MTA-STS"))
        over.set()
    assert (step.status, step.text) == ("failed", f"MTA-STS policy: https://mta-sts.{DOMAIN} takes too long")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (POLICY, ""),
        (POLICY.replace("\r\n", "\n"), ""),
        (POLICY.replace("enforce", "none").replace("*.tenant.test", "x.test"), ""),
        (POLICY.replace("enforce", "testing").replace("*.tenant.test", "x.test"), f"it does not list {TENANT}"),
        (POLICY.replace("*.tenant.test", "tenant.test"), f"it does not list {TENANT}"),
        (POLICY.replace("enforce", "strict"), "it has no valid version and mode"),
        (POLICY.replace("STSv1", "STSv2"), "it has no valid version and mode"),
        ("<html>not found</html>", "it has no valid version and mode"),
        ("", "it has no valid version and mode"),
    ],
)
def test_what_is_wrong_with_a_policy(text: str, problem: str) -> None:
    assert Policy.parse(text).problem([TENANT]) == problem
