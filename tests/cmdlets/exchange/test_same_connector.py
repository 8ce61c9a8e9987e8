"""However a script is written, it makes what `posthouse connector new` makes."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest

from posthouse.cli import run
from support.shell import Shell

BY_IP = """\
$splat = @{
    ## Define the name of the connector.
    Name = 'SMTP Relay'
    ## Defined the type of connector to create.
    ConnectorType = 'OnPremises'
    ## The set of sender domains allowed to relay.
    SenderDomains = '*'
    ## Change this to your actual public IP address.
    SenderIPAddresses = '110.0.0.7'
    ## Restrict the email relay only to your sender domains and sender IP address
    RestrictDomainsToIPAddresses = $true
}

## Create the connector
New-InboundConnector @splat
"""
BY_CERTIFICATE = """\
$splat = @{
    ## Define the name of the connector.
    Name = 'SMTP Relay (TLS)'
    ## Defined the type of connector to create.
    ConnectorType = 'OnPremises'
    ## The set of sender domains allowed to relay.
    SenderDomains = '*'
    ## Require TLS
    RequireTLS = $true
    ## Subject/Name of the SSL certificate
    TlsSenderCertificateName = '*.contoso.com'
}

## Create the connector
New-InboundConnector @splat
"""
IP_OPTIONS = (
    *("SMTP Relay", "--connector-type", "OnPremises", "--sender-domains", "*"),
    *("--sender-ip-addresses", "110.0.0.7", "--restrict-domains-to-ip-addresses"),
)
CERTIFICATE_OPTIONS = (
    *("SMTP Relay (TLS)", "--connector-type", "OnPremises", "--sender-domains", "*"),
    *("--require-tls", "--tls-sender-certificate-name", "*.contoso.com"),
)
SAME_BY_IP = {
    "word for word": BY_IP,
    "another variable": BY_IP.replace("splat", "parametersOfTheConnector"),
    "reordered": "$s = @{RestrictDomainsToIPAddresses=$true;SenderIPAddresses='110.0.0.7';SenderDomains='*'\n"
    "ConnectorType='OnPremises';Name='SMTP Relay'}\nNew-InboundConnector @s",
    "one line": "$s=@{Name='SMTP Relay';ConnectorType='OnPremises';SenderDomains='*';SenderIPAddresses='110.0.0.7';"
    "RestrictDomainsToIPAddresses=$true};New-InboundConnector @s",
    "no splat": "New-InboundConnector -Name 'SMTP Relay' -ConnectorType OnPremises -SenderDomains * "
    "-SenderIPAddresses 110.0.0.7 -RestrictDomainsToIPAddresses $true",
    "backticks": "New-InboundConnector `\n  -Name 'SMTP Relay' `\n  -ConnectorType OnPremises `\n"
    "  -SenderDomains '*' `\n  -SenderIPAddresses 110.0.0.7 `\n  -RestrictDomainsToIPAddresses $true",
    "position and colons": "New-InboundConnector 'SMTP Relay' -ConnectorType:OnPremises -SenderDomains:* "
    "-SenderIPAddresses:110.0.0.7 -RestrictDomainsToIPAddresses:$true",
    "lower case": "new-inboundconnector -name 'SMTP Relay' -connectortype onpremises -senderdomains '*' "
    "-senderipaddresses 110.0.0.7 -restrictdomainstoipaddresses $TRUE",
    "abbreviations": "New-InboundConnector 'SMTP Relay' -ConnectorT OnPremises -SenderD * -SenderI 110.0.0.7 "
    "-RestrictDomainsToI 1",
    "arrays": "New-InboundConnector -Name 'SMTP Relay' -ConnectorType OnPremises -SenderDomains @('*') "
    "-SenderIPAddresses @('110.0.0.7') -RestrictDomainsToIPAddresses $true",
    "bare lists with a repeat": "New-InboundConnector 'SMTP Relay' -ConnectorType OnPremises -SenderDomains *,* "
    "-SenderIPAddresses 110.0.0.7, 110.0.0.7 -RestrictDomainsToIPAddresses $true",
    "splat and parameters": "$s = @{Name='SMTP Relay';SenderDomains='*'}\n$t = @{ConnectorType='OnPremises'}\n"
    "New-InboundConnector @s @t -SenderIPAddresses 110.0.0.7 -RestrictDomainsToIPAddresses $true",
    "variables": "$name = 'SMTP'; $ip = '110.0.0'; $type = 'OnPremises'\nNew-InboundConnector -Name \"$name Relay\" "
    '-ConnectorType $type -SenderDomains * -SenderIPAddresses "$ip.7" -RestrictDomainsToIPAddresses $true',
    "address space and network": "New-InboundConnector 'SMTP Relay' -ConnectorType OnPremises "
    "-SenderDomains 'smtp:*;1' -SenderIPAddresses 110.0.0.7/32 -RestrictDomainsToIPAddresses $true",
    "added keys": "$s = @{}\n$s.Name = 'SMTP Relay'\n$s['ConnectorType'] = 'OnPremises'\n$s.Add('SenderDomains', '*')\n"
    "$s += @{SenderIPAddresses='110.0.0.7'}\n$s.RestrictDomainsToIPAddresses = $true\nNew-InboundConnector @s",
    "made, then set": "New-InboundConnector 'SMTP Relay' -SenderDomains contoso.com | Out-Null\n"
    "Set-InboundConnector 'SMTP Relay' -ConnectorType OnPremises -SenderDomains @{Add='*';Remove='contoso.com'} "
    "-SenderIPAddresses @{Add='110.0.0.7'} -RestrictDomainsToIPAddresses $true",
    "set by pipeline, renamed": "New-InboundConnector 'A' -SenderDomains * -ConnectorType OnPremises\n"
    "Get-InboundConnector A | Set-InboundConnector -SenderIPAddresses 110.0.0.7 -RestrictDomainsToIPAddresses $true\n"
    "Set-InboundConnector a -Name 'SMTP Relay'",
    "in a loop": "foreach ($ip in '110.0.0.7') { New-InboundConnector 'SMTP Relay' -ConnectorType OnPremises "
    "-SenderDomains * -SenderIPAddresses $ip -RestrictDomainsToIPAddresses $true }",
    "in a condition": "if (-not (Get-InboundConnector | Where-Object Name -eq 'SMTP Relay')) {\n" + BY_IP + "}",
}
SAME_BY_CERTIFICATE = {
    "word for word": BY_CERTIFICATE,
    "Microsoft's spelling": BY_CERTIFICATE.replace("RequireTLS", "RequireTls"),
    "here-string": "$name = @'\n*.contoso.com\n'@\nNew-InboundConnector 'SMTP Relay (TLS)' -SenderDomains * "
    "-ConnectorType OnPremises -RequireTls $true -TlsSenderCertificateName $name",
}


def exported_by_command(folder: Path, *options: str) -> str:
    config = folder / "posthouse.toml"
    config.write_text('hostname = "relay.contoso.com"\n', "utf-8")
    for command in (("domain", "new", "contoso.com"), ("connector", "new", "inbound", *options), ("export",)):
        with contextlib.redirect_stdout(io.StringIO()) as output:
            assert run([*command, "--config", str(config)]) == 0
    return output.getvalue()


@pytest.fixture(scope="module")
def by_ip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return exported_by_command(tmp_path_factory.mktemp("command"), *IP_OPTIONS)


@pytest.fixture(scope="module")
def by_certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    return exported_by_command(tmp_path_factory.mktemp("command"), *CERTIFICATE_OPTIONS)


@pytest.mark.parametrize("script", SAME_BY_IP.values(), ids=SAME_BY_IP)
def test_by_ip(shell: Shell, script: str, by_ip: str) -> None:
    shell.run(script)
    assert shell.export() == by_ip


@pytest.mark.parametrize("script", SAME_BY_CERTIFICATE.values(), ids=SAME_BY_CERTIFICATE)
def test_by_certificate(shell: Shell, script: str, by_certificate: str) -> None:
    shell.run(script)
    assert shell.export() == by_certificate
