"""What doctor says of signing in: at the hosts of the connectors, and of passwords when Microsoft 365 takes none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine

from posthouse.organization import Credential, Organization, OutboundConnector
from posthouse.organization.connectors import CredentialKind
from posthouse.probe.doctor import Area, Status, Step, basic_authentication
from posthouse.probe.doctor.step import About
from standins import submission_replies as replies
from standins.submission import Submission
from support.clinic import TENANT, Clinic

USER, PASSWORD = "scanner@contoso.test", "pa55~word"

SUBMISSION = OutboundConnector("Submission", smart_hosts=("smtp.office365.com",), credential=("Scanner", "App"))
CREDENTIALS = (
    Credential("Scanner", CredentialKind.BASIC, USER, "credential/1"),
    Credential("App", CredentialKind.CLIENT_CREDENTIALS, USER, "credential/2", "t", "c"),
)


@pytest.fixture
def submission(clinic: Clinic) -> Iterator[Submission]:
    """A host that the clinic's connector signs in to by a password."""
    with Submission(clinic.authority, host=TENANT, address=(clinic.address, 0)) as running:
        clinic.connector |= {"port": running.port, "credential": "Scanner", "tls_settings": "DomainValidation"}
        clinic.client_certificate = ""
        clinic.organization = (
            f'[[credential]]\nname = "Scanner"\nkind = "password"\nuser = "{USER}"\nsecret = "{PASSWORD}"\n'
        )
        yield running


def of_credential(steps: list[Step]) -> Step:
    (step,) = (step for step in steps if step.area is Area.CREDENTIAL)
    return step


def test_a_password_is_proved_by_signing_in(clinic: Clinic, submission: Submission) -> None:
    submission.mailbox(USER, PASSWORD)
    steps = clinic.steps()
    assert of_credential(steps).text == f'{TENANT} [{clinic.address}] signs {USER} in, for the connector "Tenant"'
    skipped = [step.text for step in steps if step.area is Area.CONNECTOR and step.status is Status.SKIPPED]
    assert skipped == [f"{TENANT}: MAIL and RCPT, for which one must sign in; see the credentials"]


def test_a_host_that_signs_nobody_in(clinic: Clinic, submission: Submission) -> None:
    submission.mailbox(USER, PASSWORD).refusal = replies.SECURITY_DEFAULTS
    step = of_credential(clinic.steps())
    assert (step.status, replies.SECURITY_DEFAULTS in step.text) == (Status.FAILED, True)
    assert step.remedy.startswith("Leave them on, and send by a connector")


def test_a_host_that_is_not_there_is_no_fault_of_the_credential(clinic: Clinic, submission: Submission) -> None:
    submission.server_close()
    step = of_credential(clinic.steps(timeout=2))
    assert (step.status, "Connection refused" in step.text) == (Status.WARNING, True)


def found(at: datetime, connector: OutboundConnector = SUBMISSION) -> list[Step]:
    organization = Organization(outbound=(connector,), credentials=CREDENTIALS)
    with time_machine.travel(at, tick=False):
        return list(basic_authentication.steps(organization, connector, About(Area.CONNECTOR, connector.name)))


def test_a_password_toward_microsoft_365_is_warned_of_before_it_ends() -> None:
    (step,) = found(datetime(2026, 12, 31, 23, 59, tzinfo=UTC))
    assert step.status is Status.WARNING
    assert step.text.startswith(
        'the credential "Scanner" is a password, and smtp.office365.com takes none after 2026-12-31'
    )
    assert "client_credentials" in step.remedy


def test_a_password_toward_microsoft_365_is_an_error_once_it_has_ended() -> None:
    (step,) = found(datetime(2027, 1, 1, tzinfo=UTC))
    assert step.status is Status.FAILED
    assert "takes none since 2026-12-31" in step.text


@pytest.mark.parametrize(
    ("host", "count"),
    [
        ("smtp.office365.us", 1),
        ("smtp-legacy.office365.com", 1),
        ("smtp.partner.outlook.cn", 1),
        ("smtp.example.com", 0),
        ("notoffice365.com", 0),
    ],
)
def test_only_microsoft_s_hosts_are_meant(host: str, count: int) -> None:
    connector = OutboundConnector("Submission", smart_hosts=(host,), credential=("Scanner",))
    assert len(found(datetime(2026, 11, 25, tzinfo=UTC), connector)) == count
