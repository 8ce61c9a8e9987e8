"""posthouse credential …, as an administrator types it, before stand-ins of Entra and of client submission."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from net.tls_peers import pem_of
from posthouse.net.certificates import self_signed
from standins import submission_replies as replies
from standins.entra import Entra
from standins.submission import Submission

USER, SECRET = "scanner@contoso.test", "s3cret~value"
APP = ("--kind", "client_credentials", "--user", USER, "--tenant", "contoso.onmicrosoft.com", "--client-id", "c0ffee")

Posthouse = Callable[..., Any]


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_SECRET", SECRET)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def entra(authority: trustme.CA) -> Iterator[Entra]:
    with Entra(authority) as running:
        yield running


@pytest.fixture
def submission(authority: trustme.CA, entra: Entra) -> Iterator[Submission]:
    with Submission(authority, entra, host="submission.test") as running:
        yield running


@pytest.fixture
def apply(folder: Path, posthouse: Posthouse, authority: trustme.CA) -> Callable[[str], None]:
    def apply(text: str) -> None:
        file = folder / "organization.toml"
        file.write_text(f"trusted_roots = ['''{pem_of(authority)}''']\n{text}", "utf-8")
        assert posthouse("apply", str(file)).status == 0

    return apply


def test_a_credential_is_made_shown_changed_and_removed(posthouse: Posthouse) -> None:
    made = posthouse("credential", "new", "Relay app", *APP, "--secret-env", "APP_SECRET")
    assert (made.status, 'credential "Relay app"' in made.out) == (0, True)
    (listed,) = posthouse("credential", "list", "--json").json
    assert (listed["Name"], listed["Kind"], listed["User"], listed["Connectors"]) == (
        "Relay app",
        "client_credentials",
        USER,
        [],
    )
    changes = ("--throttle-connections", "3", "--authority", "https://login.microsoftonline.us")
    assert posthouse("credential", "set", "relay APP", *changes).status == 0
    shown = posthouse("credential", "show", "relay app", "--json").json
    assert (shown["Throttle"]["Connections"], shown["Authority"]) == (3, "https://login.microsoftonline.us")
    assert posthouse("credential", "set", "Relay app", "--throttle-connections", "0").status == 0
    assert posthouse("credential", "show", "Relay app", "--json").json["Throttle"]["Connections"] is None
    assert posthouse("credential", "remove", "Relay app").status == 0
    assert posthouse("credential", "list", "--json").json == []


def test_a_certificate_in_place_of_a_secret(posthouse: Posthouse, folder: Path) -> None:
    identity = self_signed("app", rsa_key=True)
    (folder / "app.pfx").write_bytes(identity.to_pfx())
    assert posthouse("credential", "new", "Relay app", *APP, "--certificate", "app.pfx").status == 0
    shown = posthouse("credential", "show", "Relay app", "--json").json
    assert shown["Certificate"] == {"Thumbprint": identity.thumbprint}
    wrong = posthouse("credential", "set", "Relay app", "--certificate-password-env", "X")
    assert (wrong.status, "--certificate-password-env needs --certificate" in wrong.err) == (2, True)


def test_a_secret_from_a_file_and_a_new_one(posthouse: Posthouse, folder: Path) -> None:
    (folder / "secret").write_text("first\n", "utf-8")
    assert posthouse("credential", "new", "Relay app", *APP, "--secret-file", "secret").status == 0
    same = posthouse("credential", "set", "Relay app", "--secret-file", "secret")
    assert (same.status, same.err) == (0, "nothing to change\n")
    assert posthouse("credential", "set", "Relay app", "--secret-env", "APP_SECRET").err == ""


def test_without_a_secret_it_is_told_that_one_is_needed(posthouse: Posthouse) -> None:
    made = posthouse("credential", "new", "Relay app", *APP)
    assert made.status == 1
    assert "kind client_credentials needs a secret or a certificate" in made.err


def test_no_secret_is_taken_from_the_command_line_or_told(posthouse: Posthouse) -> None:
    refused = posthouse("credential", "new", "Relay app", *APP, "--secret", SECRET)
    assert refused.status == 2
    said = [
        posthouse("credential", "new", "Relay app", *APP, "--secret-env", "APP_SECRET"),
        posthouse("credential", "show", "Relay app"),
        posthouse("credential", "list", "--json"),
        posthouse("export"),
        posthouse("audit", "--json"),
    ]
    assert [SECRET in one.out + one.err for one in said] == [False] * 5


def test_a_credential_that_a_connector_names_stays(posthouse: Posthouse, apply: Callable[[str], None]) -> None:
    apply(organization("", 587, 'kind = "password"\nsecret = "pa55"'))
    (listed,) = posthouse("credential", "list", "--json").json
    assert listed["Connectors"] == ["Submission"]
    refused = posthouse("credential", "remove", "one")
    assert refused.status == 1
    assert refused.err == 'posthouse: the credential "One" is named by "Submission"; take it out there first\n'


def test_signing_in_by_a_device_code(posthouse: Posthouse, apply: Callable[[str], None], entra: Entra) -> None:
    apply(organization(entra.url, 587, device_code(entra)))
    entra.at_once = USER
    done = posthouse("credential", "login", "One")
    (device,) = entra.devices.values()
    assert (done.status, done.out) == (0, f"signed in as {USER}\n")
    assert done.err == (
        f"Open https://microsoft.com/devicelogin and enter the code {device.user_code}, within 15 minutes.\n"
    )
    record = posthouse("audit", "--json").json[0]
    assert (record["act"], record["object"], record["outcome"]) == ("Connect-Credential", "One", "ok")
    assert record["changes"] == [{"key": "SignedInAs", "before": None, "after": USER}]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("authorization_declined", "AADSTS65004: User declined to consent to access the app; the permissions"),
        ("expired_token", "AADSTS70020: "),
    ],
)
def test_a_sign_in_that_fails(
    posthouse: Posthouse, apply: Callable[[str], None], entra: Entra, answer: str, said: str
) -> None:
    apply(organization(entra.url, 587, device_code(entra)))
    entra.at_once = answer
    done = posthouse("credential", "login", "One")
    assert (done.status, said in done.err) == (1, True)
    assert posthouse("audit", "--json").json[0]["outcome"] == "failed"
    assert "nobody has signed in yet" in posthouse("credential", "test", "One").out


def test_ctrl_c_gives_up_signing_in(apply: Callable[[str], None], entra: Entra, folder: Path) -> None:
    apply(organization(entra.url, 587, device_code(entra)))
    words = [sys.executable, "-m", "posthouse", "credential", "login", "One"]
    with subprocess.Popen(words, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "enter the code" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "posthouse: given up; nothing has changed\n"
    assert process.returncode == 1


def test_only_a_device_code_is_signed_in(posthouse: Posthouse, apply: Callable[[str], None]) -> None:
    apply(organization("", 587, 'kind = "password"\nsecret = "pa55"'))
    done = posthouse("credential", "login", "One")
    assert (done.status, "is of kind password" in done.err) == (1, True)
    unknown = posthouse("credential", "login", "Two")
    assert unknown.err == 'posthouse: there is no credential "Two"; there are: One\n'


def test_a_test_signs_in(
    posthouse: Posthouse, apply: Callable[[str], None], entra: Entra, submission: Submission
) -> None:
    app = entra.register(secret=SECRET)
    submission.mailbox(USER, applications={app.client_id})
    apply(organization(entra.url, submission.port, application(entra, app.client_id)))
    tested = posthouse("credential", "test", "one", "--json")
    assert (tested.status, [step["status"] for step in tested.json]) == (0, ["ok", "ok"])
    token, sign_in = (step["text"] for step in tested.json)
    assert token.startswith(f"{entra.url} gives a token, for outlook.office365.com, good until ")
    assert sign_in == f'127.0.0.1 [127.0.0.1] signs {USER} in, for the connector "Submission"'
    assert submission.sign_ins == [USER]
    assert submission.submitted == []


def test_a_test_says_why_nobody_is_signed_in(
    posthouse: Posthouse, apply: Callable[[str], None], submission: Submission
) -> None:
    submission.mailbox(USER, "pa55").refusal = replies.OFF_FOR_MAILBOX
    apply(organization("", submission.port, 'kind = "password"\nsecret = "pa55"'))
    tested = posthouse("credential", "test", "One", "--json")
    (step,) = tested.json
    assert (tested.status, step["status"]) == (1, "failed")
    assert replies.OFF_FOR_MAILBOX in step["text"]
    assert "Set-CASMailbox USER -SmtpClientAuthenticationDisabled $false" in step["remedy"]
    assert step["explanation"]["title"] == "SMTP AUTH is switched off for this mailbox"


def test_a_test_of_an_unknown_credential(posthouse: Posthouse, apply: Callable[[str], None]) -> None:
    apply(organization("", 587, 'kind = "password"\nsecret = "pa55"'))
    tested = posthouse("credential", "test", "Two")
    assert tested.status == 1
    assert "there is no credential of this name" in tested.out


def organization(authority: str, port: int, keys: str) -> str:
    """One credential, and a connector that signs in with it."""
    return (
        '[[accepted_domain]]\nname = "contoso.test"\n'
        f'[[credential]]\nname = "One"\nuser = "{USER}"\n{keys}\n'
        + (f'authority = "{authority}"\n' if authority else "")
        + '[[outbound_connector]]\nname = "Submission"\nrecipient_domains = ["*"]\nsmart_hosts = ["127.0.0.1"]\n'
        f'port = {port}\ntls_settings = "DomainValidation"\ntls_domain = "submission.test"\ncredential = "One"\n'
    )


def application(entra: Entra, client_id: str) -> str:
    return f'kind = "client_credentials"\ntenant = "{entra.tenant}"\nclient_id = "{client_id}"\nsecret = "{SECRET}"'


def device_code(entra: Entra) -> str:
    app = entra.register(public=True)
    return f'kind = "device_code"\ntenant = "{entra.tenant}"\nclient_id = "{app.client_id}"'
