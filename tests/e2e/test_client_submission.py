"""From a device's plain SMTP to a recipient's mailbox, by client submission with each kind of credential."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme

from net.tls_peers import pem_of
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
    with Submission(authority, entra, host="127.0.0.1") as running:
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
            f'port = {submission.port}\ntls_settings = "CertificateValidation"\ncredential = {names}\n',
            settings,
        )
        made.apply(SECRET=SECRET, PASSWORD=PASSWORD)
        return made

    return relay


def toml(table: dict[str, str]) -> str:
    lines = (f"{key} = {value if value.startswith('{') else repr(value)}\n" for key, value in table.items() if value)
    return "".join(lines)


APP = {"kind": "client_credentials", "secret_env": "SECRET"}
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


def test_by_a_password(relay: Relay, submission: Submission) -> None:
    arrives(relay(BASIC).start(), submission)
    assert submission.sign_ins == [SCANNER]


@pytest.mark.parametrize("is_app_service", [False, True])
def test_by_the_identity_of_the_machine(
    relay: Relay, submission: Submission, entra: Entra, is_app_service: bool
) -> None:
    with Imds(entra, is_app_service=is_app_service) as imds:
        arrives(relay(MACHINE).start(**imds.environment), submission)
