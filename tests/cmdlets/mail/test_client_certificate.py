"""A certificate with its key on its way into an outbound connector: by a file, by an object of .NET, by its bytes."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cmdlets.mail.conftest import PFX_PASSWORD, MakeScript, Script
from posthouse.net.certificates import load_pfx
from support.house import House
from support.office import ORGANIZATION, SETTINGS, Office

NEW = "New-OutboundConnector Certified -RecipientDomains certified.test -ClientCertificate "
OBJECT = f"(New-Object Security.Cryptography.X509Certificates.X509Certificate2('cert.pfx', '{PFX_PASSWORD}'))"


@pytest.fixture
def script(relay: House, scripts: MakeScript, pfx: Path) -> Iterator[Script]:
    """Beside the PFX."""
    script = scripts(relay, folder=pfx.parent)
    yield script
    script.run("Get-OutboundConnector Certified | Remove-OutboundConnector -Confirm:$false")


@pytest.fixture
def thumbprint(pfx: Path) -> str:
    return load_pfx(pfx.read_bytes(), PFX_PASSWORD).thumbprint


@pytest.mark.parametrize(
    "certificate",
    [
        f"@{{Pfx='cert.pfx'; Password='{PFX_PASSWORD}'}}",
        f"@{{Pfx='cert.pfx'; Password=(ConvertTo-SecureString '{PFX_PASSWORD}' -AsPlainText -Force)}}",
        f"@{{Content=[byte[]](Get-Content cert.pfx -Encoding Byte); Password='{PFX_PASSWORD}'}}",
        OBJECT,
    ],
)
def test_it_is_stored_with_its_key(script: Script, thumbprint: str, certificate: str):
    assert script.run(f"({NEW}{certificate}).ClientCertificate") == f"{thumbprint}\n"
    assert PFX_PASSWORD not in repr(script.records)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    house = House(tmp_path / "house", ORGANIZATION, SETTINGS)
    house.apply()
    with Office(house) as opened:
        yield opened
    house.clean_up()


def test_in_base64_by_invoke_command_which_has_no_files(office: Office, thumbprint: str, pfx: Path):
    def made(**certificate: str) -> dict[str, Any]:
        parameters = {"Name": "Certified", "RecipientDomains": "a.test", "ClientCertificate": certificate}
        body = {"CmdletInput": {"CmdletName": "New-OutboundConnector", "Parameters": parameters}}
        return office.client().post(f"{office.url}/adminapi/beta/contoso.com/InvokeCommand", json=body).json()

    refused = made(Pfx=str(pfx), Password=PFX_PASSWORD)
    assert "is denied" in refused["error"]["message"]
    content = base64.b64encode(pfx.read_bytes()).decode()
    assert made(Content=content, Password=PFX_PASSWORD)["value"][0]["ClientCertificate"] == thumbprint


def test_the_same_again_changes_nothing(script: Script):
    script.run(f"{NEW}{OBJECT}")
    assert "no settings of 'Certified' have been modified" in script.run(
        f"Set-OutboundConnector Certified -ClientCertificate {OBJECT}"
    )


def test_by_its_thumbprint_and_away(script: Script, thumbprint: str):
    script.run(f"{NEW}{OBJECT}")
    script.run(
        "New-OutboundConnector Other -RecipientDomains other.test -ClientCertificate "
        "(Get-OutboundConnector Certified).ClientCertificate; Remove-OutboundConnector Certified -Confirm:$false"
    )
    assert script.run("(Get-OutboundConnector Other).ClientCertificate") == f"{thumbprint}\n"
    script.run("Set-OutboundConnector Other -ClientCertificate $null")
    assert script.run("$null -eq (Get-OutboundConnector Other).ClientCertificate") == "True\n"
    script.run("Remove-OutboundConnector Other -Confirm:$false")


def test_a_wrong_password(script: Script):
    shown = script.run(f"{NEW}@{{Pfx='cert.pfx'; Password='wrong'}}")
    assert "ClientCertificate: the PFX: wrong password; give the one that the PFX was exported with" in shown
    assert script.run("@(Get-OutboundConnector | ? Name -eq Certified).Count") == "0\n"


def test_what_if_stores_nothing(script: Script):
    assert script.run(f"{NEW}{OBJECT} -WhatIf").startswith("What if: ")
    assert script.run("@(Get-OutboundConnector | ? Name -eq Certified).Count") == "0\n"


def test_the_flags_of_an_object_are_checked(script: Script):
    shown = script.run(f"$pfx = {OBJECT}; $pfx.Import([byte[]](1,2), 'a', 'Exportible')")
    assert "Unable to match the identifier name Exportible to a valid enumerator name." in shown
