"""Doctor before a tenant that is a posthouse itself, as in a rehearsal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from net.tls_peers import pem_of
from posthouse.probe.doctor import Status, Step
from support.clinic import DOMAIN, TENANT, Clinic, open_clinic
from support.house import PORT, House

USER, BOB = f"user@{DOMAIN}", "bob@example.net"
CONNECTOR = f"""
[[inbound_connector]]
name = "Relay"
connector_type = "OnPremises"
tls_sender_certificate_name = "*.{DOMAIN}"
"""
ORGANIZATION = f"""
trusted_roots = ["root.pem"]

[[accepted_domain]]
name = "{DOMAIN}"

[[outbound_connector]]
name = "Mailboxes"
transport = "mailbox"
all_accepted_domains = true
mailboxes = ["{USER}"]

[[outbound_connector]]
name = "Internet"
recipient_domains = ["*"]
"""
LISTENER = f"""
[[listener]]
address = "ADDRESS:{PORT}"
certificate = "tenant.pem"
"""


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    with open_clinic(tmp_path) as opened:
        yield opened


@pytest.fixture
def tenant(clinic: Clinic, tmp_path: Path) -> Iterator[House]:
    """The relay's smart host. Its organization is yet to be applied."""
    house = House(tmp_path / "tenant", "", LISTENER, hostname=TENANT)
    clinic.authority.issue_cert(TENANT).private_key_and_cert_chain_pem.write_to_path(house.folder / "tenant.pem")
    (house.folder / "root.pem").write_text(pem_of(clinic.authority), "utf-8")
    clinic.zone[TENANT, "A"] = [house.address]
    clinic.connector["port"] = PORT
    try:
        yield house
    finally:
        house.clean_up()


def wrong(steps: list[Step]) -> list[Step]:
    return [step for step in steps if step.status is not Status.OK]


def test_a_rehearsal_that_goes_well_up_to_the_mail_in_the_mailbox(clinic: Clinic, tenant: House) -> None:
    tenant.apply(ORGANIZATION + CONNECTOR)
    tenant.start()
    steps = clinic.steps(internal=USER, external=BOB, sender=f"scan@{DOMAIN}")
    assert wrong(steps) == []
    assert tenant.mailbox(USER) == []
    steps = clinic.examined(internal=USER, sender=f"scan@{DOMAIN}", send=True)
    assert wrong(steps) == []
    (mail,) = tenant.await_mail(USER)
    assert b"TLSv1.3" in mail
    found = json.loads(tenant.run("doctor", "Mailboxes", "--json", "--timeout", "0.1", check=False).stdout)
    listener = next(step for step in found if step["subject"].startswith("listener"))
    assert listener["text"] == "posthouse serve is listening"


def test_a_tenant_without_the_connector(clinic: Clinic, tenant: House) -> None:
    tenant.apply(ORGANIZATION)
    tenant.start()
    (step,) = wrong(clinic.steps(internal=USER, external=BOB))
    assert (step.status, step.explanation is not None) == (Status.FAILED, True)
    assert f"for the external recipient {BOB} from postmaster@{DOMAIN}: 550 5.7.64 TenantAttribution" in step.text
    assert "is NameMismatch]" in step.text
    assert step.remedy


def test_a_mailbox_that_the_tenant_has_not(clinic: Clinic, tenant: House) -> None:
    tenant.apply(ORGANIZATION + CONNECTOR)
    tenant.start()
    (step,) = wrong(clinic.steps(internal=f"nobody@{DOMAIN}", external=BOB))
    assert f"for the internal recipient nobody@{DOMAIN} from postmaster@{DOMAIN}: 550 5.1.1 Mailbox" in step.text
