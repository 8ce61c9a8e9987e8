"""From a device's plain SMTP to a recipient's mailbox, by client submission with each kind of credential."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from net.tls_peers import pem_of
from posthouse.net.certificates import self_signed
from standins import submission_replies as replies
from standins.entra import Entra, Registration
from standins.imds import SYSTEM_ASSIGNED, Imds
from standins.submission import Mailbox, Submission
from support.house import House, MakeHouse, wait_for

SCANNER, BOB = "scanner@contoso.test", "bob@fabrikam.test"
SECRET, PASSWORD = "s3cret~value", "pa55~word"

Entry = dict[str, Any]
Relay = Callable[..., House]


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
def app(entra: Entra) -> Registration:
    return entra.register(secret=SECRET, public=True)


@pytest.fixture
def mailbox(submission: Submission, app: Registration) -> Mailbox:
    return submission.mailbox(SCANNER, PASSWORD, applications={app.client_id, SYSTEM_ASSIGNED})


@pytest.fixture
def relay(
    house: MakeHouse, authority: trustme.CA, submission: Submission, entra: Entra, app: Registration, mailbox: Mailbox
) -> Relay:
    """A relay that submits with credentials of these keys, on top of those that all have; not yet started."""

    def relay(*credentials: dict[str, str], settings: str = 'workers = 1\n[delivery]\nretry_after = ["1s"]') -> House:
        names = [f"Credential {number}" for number in range(len(credentials))]
        tables = [
            {"name": name, "authority": entra.url, "tenant": entra.tenant, "client_id": app.client_id, "user": SCANNER}
            | credential
            for name, credential in zip(names, credentials, strict=True)
        ]
        made = house(
            f"trusted_roots = ['''{pem_of(authority)}''']\n"
            '[[accepted_domain]]\nname = "contoso.test"\n'
            '[[inbound_connector]]\nname = "Devices"\nconnector_type = "OnPremises"\n'
            'sender_ip_addresses = ["127.0.0.0/8"]\n'
            + "".join(f"[[credential]]\n{toml(table)}" for table in tables)
            + '[[outbound_connector]]\nname = "Submission"\nrecipient_domains = ["*"]\nsmart_hosts = ["127.0.0.1"]\n'
            f'port = {submission.port}\ntls_settings = "DomainValidation"\ntls_domain = "submission.test"\n'
            f"credential = {names}\n",
            settings,
        )
        made.apply(SECRET=SECRET, PASSWORD=PASSWORD)
        return made

    return relay


def toml(table: dict[str, str]) -> str:
    lines = (f"{key} = {value if value.startswith('{') else repr(value)}\n" for key, value in table.items() if value)
    return "".join(lines)


APP = {"kind": "client_credentials", "secret_env": "SECRET"}
DEVICE = {"kind": "device_code"}
BASIC = {"kind": "password", "secret_env": "PASSWORD", "tenant": "", "client_id": "", "authority": ""}
MACHINE = {"kind": "managed_identity", "client_id": "", "tenant": "", "authority": ""}


def arrives(relay: House, submission: Submission, count: int = 1) -> None:
    """Mail that a device hands in gets into Bob's mailbox, sent from the scanner's."""
    before = len(submission.submitted)
    for _ in range(count):
        relay.send(SCANNER, BOB)
    wait_for(lambda: len(submission.mails_to(BOB)) == before + count, what="the mail to arrive")
    assert {mail.sender for mail in submission.submitted} == {SCANNER}


def test_by_a_secret_of_an_application(relay: Relay, submission: Submission, entra: Entra) -> None:
    arrives(relay(APP).start(), submission, 3)
    assert len(entra.issued) == 1


def test_by_a_certificate_of_an_application(
    relay: Relay, submission: Submission, app: Registration, tmp_path: Path
) -> None:
    identity = self_signed("relay.contoso.test", rsa_key=True)
    (tmp_path / "app.pfx").write_bytes(identity.to_pfx())
    app.certificate = identity.certificate
    certificate = f'{{ pfx = "{tmp_path / "app.pfx"}" }}'
    arrives(relay({"kind": "client_credentials", "certificate": certificate}).start(), submission)


def test_by_a_user_who_signs_in_once(relay: Relay, submission: Submission, entra: Entra) -> None:
    """Mail that was there before waits for him."""
    entra.at_once, entra.forgets_used = SCANNER, True
    entra.lifetime = 12
    submission.messages_per_session = 1
    house = relay(DEVICE).start()
    house.send(SCANNER, BOB)
    house.trace(until=lambda entries: "nobody has signed in yet" in (entries[0]["reply"] or ""))
    assert house.run("credential", "login", "Credential 0").stdout == f"signed in as {SCANNER}\n"
    wait_for(lambda: len(submission.mails_to(BOB)) == 1, what="the mail to arrive")
    wait_for(lambda: arrives(house, submission) or len(entra.issued) >= 4, what="the token to be refreshed")
    assert entra.asked.count("refresh_token") >= 3


def test_by_a_password(relay: Relay, submission: Submission) -> None:
    arrives(relay(BASIC).start(), submission)
    assert submission.sign_ins == [SCANNER]


@pytest.mark.parametrize("is_app_service", [False, True])
def test_by_the_identity_of_the_machine(
    relay: Relay, submission: Submission, entra: Entra, is_app_service: bool
) -> None:
    with Imds(entra, is_app_service=is_app_service) as imds:
        arrives(relay(MACHINE).start(**imds.environment), submission)


def test_a_token_that_expires_in_mid_run_costs_no_mail_its_attempt(
    relay: Relay, submission: Submission, entra: Entra
) -> None:
    entra.lifetime = 12
    submission.messages_per_session = 1
    house = relay(APP).start()
    wait_for(lambda: arrives(house, submission) or len(entra.issued) >= 2, what="the token to be renewed")
    house.await_idle()  # what has arrived may not be settled yet
    assert all(entry.attempts == 1 for entry in house.entries())


def test_a_token_that_is_revoked_in_mid_run_costs_no_mail_its_attempt(
    relay: Relay, submission: Submission, entra: Entra
) -> None:
    submission.messages_per_session = 1
    house = relay(APP).start()
    arrives(house, submission)
    entra.revoke()
    arrives(house, submission, 3)
    assert len(entra.issued) == 2
    assert set(submission.refusals) == {"535 5.7.3"}
    house.await_idle()  # what has arrived may not be settled yet
    assert all(entry.attempts == 1 for entry in house.entries())


def test_two_workers_ask_for_one_token(relay: Relay, submission: Submission, entra: Entra) -> None:
    submission.limits.connections = 100
    house = relay(APP, settings="workers = 2").start()
    arrives(house, submission, 24)
    assert len(submission.sign_ins) >= 2, "each worker has signed in"
    assert len(entra.issued) == 1


def test_a_secret_that_is_changed_in_the_tenant_holds_mail_up_until_it_is_changed_here(
    relay: Relay, submission: Submission, entra: Entra, app: Registration
) -> None:
    house = relay(APP).start()
    app.secret = "the next secret"
    for _ in range(3):
        house.send(SCANNER, BOB)
    entries = house.trace(until=lambda found: len(found) == 3 and all(entry["reply"] for entry in found))
    assert all("AADSTS7000215" in entry["reply"] for entry in entries)
    assert len(entra.asked) == 1, "each mail would have tried the secret"
    house.run("credential", "set", "Credential 0", "--secret-env", "NEXT", NEXT="the next secret")
    wait_for(lambda: len(submission.mails_to(BOB)) == 3, what="the mail to arrive")


def test_a_new_key_of_the_secrets_keeps_tokens(relay: Relay, submission: Submission, entra: Entra) -> None:
    submission.messages_per_session = 1
    house = relay(APP).start()
    arrives(house, submission)
    house.run("admin", "rotate-key")
    house.stop()
    house.start()
    arrives(house, submission)
    assert len(entra.issued) == 1


def test_what_a_refusal_means_is_shown_with_the_mail_that_waits(
    relay: Relay, submission: Submission, mailbox: Mailbox
) -> None:
    mailbox.refusal = replies.OFF_FOR_MAILBOX
    house = relay(BASIC).start()
    message = house.send(SCANNER, BOB)
    (entry,) = house.trace(until=lambda found: found[0]["reply"])
    assert (entry["status"], entry["attempts"] >= 1) == ("waiting", True)
    assert replies.OFF_FOR_MAILBOX in entry["reply"]
    shown = house.run("queue", "show", message).stdout
    assert "SMTP AUTH is switched off for this mailbox" in shown
    assert "Set-CASMailbox USER -SmtpClientAuthenticationDisabled $false" in shown


def test_several_credentials_share_the_mail(relay: Relay, submission: Submission, app: Registration) -> None:
    copier = submission.mailbox("copier@contoso.test", PASSWORD, applications={app.client_id}, send_as={SCANNER})
    submission.messages_per_session = 1
    house = relay(APP, APP | {"user": copier.address}).start()
    arrives(house, submission, 6)
    assert [submission.sign_ins.count(user) for user in (SCANNER, copier.address)] == [3, 3]


def test_nothing_that_is_secret_is_told_or_stored_in_clear(
    relay: Relay, submission: Submission, entra: Entra, mailbox: Mailbox
) -> None:
    entra.at_once = SCANNER
    house = relay(APP, BASIC, DEVICE).start()
    house.run("credential", "login", "Credential 2")
    submission.messages_per_session = 1
    arrives(house, submission, 6)
    mailbox.refusal = replies.SECURITY_DEFAULTS
    house.send(SCANNER, BOB)
    house.trace(until=lambda found: any("does not sign" in (entry["reply"] or "") for entry in found))
    told = [
        house.run(*words).stdout
        for words in (
            ("trace", "--json"),
            ("audit", "--json"),
            ("export",),
            ("credential", "list", "--json"),
            ("queue", "list", "--json"),
        )
    ]
    house.stop()
    kept = [file.read_bytes() for file in house.data_dir.rglob("*") if file.is_file()]
    text = "\n".join([house.log.read_text("utf-8"), *told]).encode() + b"".join(kept)
    secrets = [SECRET, PASSWORD, *entra.issued, *entra.refresh_tokens]
    assert len(entra.issued) >= 2
    assert [secret for secret in secrets if secret.encode() in text] == []
