"""What doctor says of the machine itself: settings, store, organization, listeners, disk, credentials."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from posthouse.net.certificates import load_files, self_signed
from posthouse.probe.doctor import Area, Options, Status, Step, examine
from standins.entra import Entra
from support.clinic import DOMAIN, Clinic

SECRET = "s3cret~value"


def problems(clinic: Clinic) -> list[str]:
    """Of the configuration alone."""
    steps = [step for step in clinic.steps(timeout=1) if step.area is Area.CONFIGURATION]
    return [f"{step.status} {step.subject}: {step.text}" for step in steps if step.status is not Status.OK]


def walk(config: Path) -> list[Step]:
    async def collected() -> list[Step]:
        return [step async for step in examine(config, Options(timeout=1))]

    return asyncio.run(collected())


def test_in_good_health(clinic: Clinic) -> None:
    steps = [step for step in clinic.steps(timeout=1) if step.area is Area.CONFIGURATION]
    assert {step.status for step in steps} == {Status.OK}
    assert [step.subject for step in steps] == [
        *("settings", "settings", "organization", "organization", "disk"),
        *(f"listener {clinic.listener}", f"listener {clinic.listener}"),
    ]


def test_settings_that_can_t_be_used(tmp_path: Path) -> None:
    config = tmp_path / "posthouse.toml"
    config.write_text('workers = "many"\nlog = "loud"\n', "utf-8")
    assert [(step.status, step.text.partition(": ")[2][:7]) for step in walk(config)] == [
        (Status.FAILED, "workers"),
        (Status.FAILED, 'log = "'),
    ]


def test_looking_makes_no_store(tmp_path: Path) -> None:
    config = tmp_path / "posthouse.toml"
    config.write_text('hostname = "relay.contoso.test"\n', "utf-8")
    *_, last = walk(config)
    assert (last.status, last.text.partition(":")[0]) == (Status.FAILED, "the store can't be opened")
    assert last.remedy == "if it is yet to be made: posthouse apply FILE"
    assert not (tmp_path / "data").exists()


def test_a_store_that_can_t_be_opened(tmp_path: Path) -> None:
    config = tmp_path / "posthouse.toml"
    config.write_text('hostname = "relay.contoso.test"\n', "utf-8")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "posthouse.db").write_bytes(b"this is no database, but long enough to be taken for one" * 9)
    *_, last = walk(config)
    assert (last.status, last.text.partition(":")[0]) == (Status.FAILED, "the store can't be opened")


def test_a_hostname_that_is_not_full(clinic: Clinic) -> None:
    clinic.settings["hostname"] = "relay"
    assert problems(clinic) == ["warning settings: hostname relay is not a full name"]


def test_an_organization_that_is_empty(clinic: Clinic) -> None:
    clinic.write()
    (clinic.folder / "organization.toml").write_text("", "utf-8")
    clinic.apply()
    failed = [step.text for step in clinic.examined() if step.status is Status.FAILED]
    assert failed == [
        "there is no accepted domain",
        "there is no enabled inbound connector, so nobody may relay",
        "there is no enabled outbound connector, so no mail leaves",
    ]


def test_what_is_kept_but_changes_nothing(clinic: Clinic) -> None:
    clinic.connector["mta_sts_mode"] = "Opportunistic"
    assert problems(clinic) == [
        'warning organization: outbound_connector "Tenant": mta_sts_mode is kept but not acted on yet'
    ]


def test_a_disk_that_is_full(clinic: Clinic) -> None:
    clinic.limits["min_free"] = "1000000 GiB"
    (problem,) = problems(clinic)
    assert problem.startswith("failed disk: ")
    assert problem.endswith("min_free is 1024000000 MiB: all mail is refused with 452")


def test_a_port_that_another_program_uses(clinic: Clinic) -> None:
    host, _, port = clinic.listener.partition(":")
    with socket.create_server((host, int(port))):
        assert problems(clinic) == [f"failed listener {clinic.listener}: another program is using this port"]


def test_a_listener_that_this_machine_has_no_address_for(clinic: Clinic) -> None:
    clinic.listener = "192.0.2.1:2525"
    assert problems(clinic) == ["failed listener 192.0.2.1:2525: this machine has no such address"]


def _with_pem(clinic: Clinic, certificate: Any, key: Any) -> None:
    (clinic.folder / "relay.pem").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    (clinic.folder / "relay.key").write_bytes(key.private_key_pem.bytes())
    clinic.listener_keys = {"certificate": "relay.pem", "key": "relay.key"}


def test_a_listener_whose_key_is_of_another_certificate(clinic: Clinic) -> None:
    _with_pem(clinic, clinic.authority.issue_cert(f"relay.{DOMAIN}"), clinic.authority.issue_cert("other.test"))
    (problem,) = problems(clinic)
    assert problem.startswith(f"failed listener {clinic.listener}: ")
    assert "the private key belongs to another certificate" in problem


def test_a_listener_s_certificate_for_another_name_that_expires_soon(clinic: Clinic) -> None:
    until = datetime.now(UTC) + timedelta(9)
    leaf = clinic.authority.issue_cert("mail.test", not_after=until)
    _with_pem(clinic, leaf, leaf)
    soon, name = problems(clinic)
    assert soon.endswith(f"expires soon, on {until:%Y-%m-%d}")
    assert name == (f"warning listener {clinic.listener}: its certificate is for mail.test, not for relay.{DOMAIN}")


# Credentials


@pytest.fixture
def entra(clinic: Clinic) -> Iterator[Entra]:
    with Entra(clinic.authority) as running:
        yield running


def credential(clinic: Clinic, entra: Entra, *, client_id: str = "", tenant: str = "", proof: str = "") -> Step:
    """What doctor says of a credential."""
    app = entra.register(secret=SECRET)
    clinic.organization = f"""
        [[credential]]
        name = "Relay app"
        kind = "client_credentials"
        user = "scanner@{DOMAIN}"
        authority = "{entra.url}"
        tenant = "{tenant or entra.tenant}"
        client_id = "{client_id or app.client_id}"
        {proof or f'secret = "{SECRET}"'}
    """
    (step,) = (step for step in clinic.steps(timeout=5) if step.area is Area.CREDENTIAL)
    return step


def test_a_credential_that_gives_a_token(clinic: Clinic, entra: Entra) -> None:
    step = credential(clinic, entra)
    assert (step.status, step.text.partition(", ")[0]) == (Status.OK, f"{entra.url} gives a token")
    assert len(entra.issued) == 1


def test_a_credential_with_a_certificate(clinic: Clinic, entra: Entra) -> None:
    file = clinic.folder / "app.pfx"
    file.write_bytes(self_signed("app", rsa_key=True).to_pfx())
    app = entra.register(certificate=load_files(file).certificate)
    proof = 'certificate = { pfx = "app.pfx" }'
    assert credential(clinic, entra, client_id=app.client_id, proof=proof).status is Status.OK


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"proof": 'secret = "wrong"'}, "AADSTS7000215"),
        ({"client_id": "c0ffee"}, "AADSTS700016"),
        ({"tenant": "fabrikam.onmicrosoft.com"}, "AADSTS90002"),
    ],
)
def test_a_credential_that_entra_refuses(clinic: Clinic, entra: Entra, fault: dict[str, str], code: str) -> None:
    step = credential(clinic, entra, **fault)
    assert step.status is Status.FAILED
    assert step.text.startswith(f"no token: {code}: ")
    assert step.remedy


def test_a_credential_while_entra_is_not_there(clinic: Clinic, entra: Entra) -> None:
    entra.server_close()
    step = credential(clinic, entra)
    assert (step.status, step.text) == (Status.FAILED, f"no token: {entra.url}: no connection")


@pytest.mark.parametrize(
    ("keys", "status", "text"),
    [
        (
            'kind = "device_code"\ntenant = "t"\nclient_id = "c"\nuser = "u"',
            Status.FAILED,
            "no token: nobody has signed in yet",
        ),
        (
            'kind = "password"\nuser = "u"\nsecret = "s"',
            Status.SKIPPED,
            "not checked: no outbound connector signs in with it",
        ),
    ],
)
def test_credentials_that_nothing_can_be_had_with(clinic: Clinic, keys: str, status: Status, text: str) -> None:
    clinic.organization = f'[[credential]]\nname = "One"\n{keys}\n'
    (step,) = (step for step in clinic.steps(timeout=1) if step.area is Area.CREDENTIAL)
    assert (step.status, step.text) == (status, text)


# Which connectors


def test_a_connector_that_is_not_there(clinic: Clinic) -> None:
    (step,) = (step for step in clinic.steps(connectors=("Elsewhere",)) if step.area is Area.CONNECTOR)
    assert (step.status, step.subject, step.remedy) == (Status.FAILED, "Elsewhere", "there are: Tenant")


def test_a_connector_that_is_switched_off_is_looked_at_where_it_is_named(clinic: Clinic) -> None:
    clinic.connector["enabled"] = False
    assert [step for step in clinic.steps() if step.area is Area.CONNECTOR] == []
    with clinic.tenant():
        first, *rest = (step for step in clinic.examined(connectors=("tenant",)) if step.area is Area.CONNECTOR)
    assert (first.status, first.text) == (Status.WARNING, "it is not enabled, so it carries nothing")
    assert rest
