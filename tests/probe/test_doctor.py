"""Doctor before a relay in good health, and before one fault at a time. DNS, tenant and certificates are real."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from posthouse.probe.doctor import Status, Step
from support.clinic import DOMAIN, PUBLIC_IP, TENANT, Clinic
from support.house import own_address
from support.internet import SMTP
from support.peers import CLOSE, SILENCE

NOW = datetime.now(UTC)
ANN, BOB = f"postmaster@{DOMAIN}", "bob@example.net"


def texts(steps: list[Step], status: Status = Status.OK) -> list[str]:
    return [step.text for step in steps if step.status is status]


def test_in_good_health_every_step_is_ok(clinic: Clinic) -> None:
    with clinic.tenant() as tenant:
        steps = clinic.steps(external=BOB)
    assert [step for step in steps if step.status is not Status.OK] == []
    assert texts([step for step in steps if step.subject == DOMAIN]) == [
        f"MX: 0 {TENANT} (no tenant of Microsoft 365)",
        f"SPF includes {PUBLIC_IP} with 1 look-ups: v=spf1 include:spf.tenant.test ip4:192.0.2.0/28 -all",
        "DMARC: policy reject",
        "DKIM of Microsoft 365: selector1",
        "MTA-STS is not used",
    ]
    way = texts([step for step in steps if step.subject == "Tenant"])
    assert way[3:6] == [
        f"TlsSenderCertificateName in the tenant may be relay.{DOMAIN} or *.{DOMAIN}",
        f"{TENANT} [{clinic.address}]:{SMTP} is reached",
        f"{TENANT} greets: 220 peer ESMTP",
    ]
    assert way[-3:] == [
        f"{TENANT} asked for the client certificate, and it was sent with its chain",
        f"{TENANT} answers for the internal recipient {ANN} from {ANN}: 250 2.1.5 recipient ok",
        f"{TENANT} answers for the external recipient {BOB} from {ANN}: 250 2.1.5 recipient ok",
    ]
    assert tenant.messages == []


def test_nothing_but_mail_and_rcpt_is_said_and_each_is_reset(clinic: Clinic) -> None:
    with clinic.tenant(extensions=("SIZE 1000000", "SMTPUTF8")) as tenant:
        clinic.steps(internal=f"ann@{DOMAIN}", sender=f"scan@{DOMAIN}", external="jürgen@example.net")
    (session,) = tenant.sessions
    ehlo = f"EHLO relay.{DOMAIN}"
    assert session.commands == [
        *(ehlo, "STARTTLS", "TLS", ehlo),
        *(f"MAIL FROM:<scan@{DOMAIN}> SIZE=10000", f"RCPT TO:<ann@{DOMAIN}>", "RSET"),
        *(f"MAIL FROM:<scan@{DOMAIN}> SIZE=10000 SMTPUTF8", "RCPT TO:<jürgen@example.net>", "RSET"),
        "QUIT",
    ]


def test_with_send_a_mail_goes_to_those_who_were_accepted(clinic: Clinic) -> None:
    with clinic.tenant(RCPT=["250 ok", "550 5.7.64 TenantAttribution; Relay Access Denied", "250 ok"]) as tenant:
        steps = clinic.steps(external=BOB, send=True)
    assert steps[-1].text == f"{TENANT} took a test mail to postmaster@{DOMAIN}: 250 2.0.0 queued"
    assert [message.recipients for message in tenant.messages] == [[f"RCPT TO:<postmaster@{DOMAIN}>"]]


# The way to the host


def test_a_host_without_an_address(clinic: Clinic) -> None:
    del clinic.zone[TENANT, "A"]
    assert clinic.problems() == [f"failed Tenant: {TENANT}: {TENANT} has no address"]


def test_a_port_where_nobody_listens(clinic: Clinic) -> None:
    (problem,) = clinic.problems()
    assert problem.startswith(f"failed Tenant: {TENANT} [{clinic.address}]:{SMTP}: refused: ")


def test_a_port_that_never_answers(clinic: Clinic) -> None:
    """A queue of connections that is full drops what comes, as a firewall does."""
    with ExitStack() as open_sockets, socket.socket() as full:
        full.bind((clinic.address, SMTP))
        full.listen(0)
        for _ in range(3):
            waiting = open_sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((clinic.address, SMTP))
        (problem,) = clinic.problems(timeout=0.3)
    assert problem.endswith("no answer: something on the way drops the packets, as many ISPs and clouds do on port 25")


def test_no_route_to_the_host(clinic: Clinic) -> None:
    clinic.connector["smart_hosts"] = ["127.255.255.255"]
    (problem,) = clinic.problems()
    assert problem.endswith("no route: this machine has no way to this address")


def test_one_of_two_addresses_is_enough(clinic: Clinic) -> None:
    down = own_address()
    clinic.zone[TENANT, "A"] = [down, clinic.address]
    with clinic.tenant():
        (problem,) = clinic.problems()
    assert problem.startswith(f"warning Tenant: {TENANT} [{down}]:{SMTP}: refused")


def test_a_source_address_that_is_not_ours(clinic: Clinic) -> None:
    clinic.connector["source_address"] = "192.0.2.1"
    steps = clinic.steps()
    assert texts(steps, Status.FAILED) == ["source_address 192.0.2.1 is not one of this machine's"]
    assert texts(steps, Status.SKIPPED) == ["its hosts: there is no address to call them from"]


def test_the_source_address_is_where_the_host_is_called_from(clinic: Clinic) -> None:
    clinic.connector["source_address"] = source = own_address()
    with clinic.tenant() as tenant:
        assert clinic.problems() == []
    assert [session.client for session in tenant.sessions] == [source]


def test_a_host_of_another_ip_version_than_the_source_address(clinic: Clinic) -> None:
    clinic.connector |= {"source_address": "127.0.0.1", "smart_hosts": ["::1"]}
    assert clinic.problems() == ["failed Tenant: ::1 has no IPv4 address, as source_address is"]


def test_every_smart_host_is_called(clinic: Clinic) -> None:
    clinic.connector["smart_hosts"] = [TENANT, "spare.test"]
    assert [problem.partition(" [")[0] for problem in clinic.problems()] == [
        f"failed Tenant: {TENANT}",
        "failed Tenant: spare.test: spare.test has no address",
    ]


def test_a_connector_that_delivers_by_mx(clinic: Clinic) -> None:
    clinic.connector |= {"smart_hosts": [], "use_mx_record": True}
    clinic.zone["example.net", "MX"] = ["10 nowhere.test."]
    with clinic.tenant():
        steps = clinic.steps(external=BOB)
    way = [step for step in steps if step.subject == "Tenant"]
    assert f"mail for {DOMAIN} goes to {TENANT}" in texts(way)
    assert "mail for example.net goes to nowhere.test" in texts(way)
    assert texts(way, Status.FAILED) == ["nowhere.test: nowhere.test has no address"]


def test_a_recipient_whose_domain_takes_no_mail(clinic: Clinic) -> None:
    clinic.connector |= {"smart_hosts": [], "use_mx_record": True}
    clinic.zone["example.net", "MX"] = ["0 ."]
    with clinic.tenant():
        assert clinic.problems(external=BOB) == [
            "failed Tenant: MX look-up of example.net: example.net takes no mail (null MX)"
        ]


def test_a_connector_that_carries_none_of_the_recipients(clinic: Clinic) -> None:
    clinic.connector |= {"smart_hosts": [], "use_mx_record": True, "recipient_domains": ["example.org"]}
    assert texts(clinic.steps(), Status.SKIPPED) == [
        "its hosts: it delivers by MX; name a recipient that it carries with --external"
    ]


def test_mailboxes(clinic: Clinic) -> None:
    clinic.organization = """
        [[outbound_connector]]
        name = "Mailboxes"
        transport = "mailbox"
        all_accepted_domains = true
        mailboxes = ["*"]
    """
    with clinic.tenant():
        steps = clinic.steps()
    assert texts([step for step in steps if step.subject == "Mailboxes"]) == [
        f"mailboxes can be written below {clinic.folder / 'data' / 'mailboxes'}"
    ]
    assert texts(steps, Status.SKIPPED) == [
        f"{TENANT}: MAIL and RCPT, since no recipient that is asked about goes this way; see --internal and --external"
    ]


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ({"CONNECT": "554 5.7.1 go away"}, "greets with: 554 5.7.1 go away"),
        ({"EHLO": "550 5.7.1 who?", "HELO": "550 5.7.1 who?"}, f"refuses HELO relay.{DOMAIN}: 550 5.7.1 who?"),
    ],
)
def test_a_host_that_wants_nothing_of_us(clinic: Clinic, script: dict[str, str], found: str) -> None:
    with clinic.tenant(**script):
        assert clinic.problems() == [f"failed Tenant: {TENANT} {found}"]


def test_a_host_that_never_greets(clinic: Clinic) -> None:
    with clinic.tenant(CONNECT=SILENCE):
        assert clinic.problems(timeout=0.3) == [f"failed Tenant: {TENANT}: it says nothing for 0.3 s (greeting)"]


def test_a_host_that_hangs_up(clinic: Clinic) -> None:
    with clinic.tenant(MAIL=CLOSE):
        assert clinic.problems() == [f"failed Tenant: {TENANT}: it closed the connection (MAIL)"]


# What the tenant says


def test_an_external_recipient_is_refused(clinic: Clinic) -> None:
    denied = "550 5.7.64 TenantAttribution; Relay Access Denied [ValidationStatus of '' is EmptyCertificate]"
    with clinic.tenant(RCPT=["250 ok", denied]):
        (step,) = (step for step in clinic.steps(external=BOB) if step.status is not Status.OK)
    assert step.text == f"{TENANT} answers for the external recipient {BOB} from {ANN}: {denied}"
    assert step.explanation is not None
    assert step.explanation.causes
    assert step.remedy == step.explanation.remedies[0]


def test_an_internal_recipient_is_refused(clinic: Clinic) -> None:
    with clinic.tenant(RCPT="550 5.1.1 no such user"):
        (step,) = (step for step in clinic.steps() if step.status is not Status.OK)
    assert (step.status, step.text.partition(": ")[2]) == (Status.FAILED, "550 5.1.1 no such user")
    assert step.explanation is not None


def test_a_sender_is_refused_for_now(clinic: Clinic) -> None:
    with clinic.tenant(MAIL="451 4.7.1 greylisted"):
        (problem,) = clinic.problems()
    assert problem.startswith("warning Tenant: ")
    assert problem.endswith(": 451 4.7.1 greylisted")
