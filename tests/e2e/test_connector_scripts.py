"""A script makes connectors on a posthouse that is running, and mail goes by them at once."""

from __future__ import annotations

import smtplib
from pathlib import Path

import pytest

from support.house import House, MakeHouse
from support.peers import Peer

SCANNER, STRANGER = "127.0.0.9", "127.0.0.8"
DOMAIN = '[[accepted_domain]]\nname = "contoso.com"\n'
SCRIPT = """\
$splat = @{
    ## Define the name of the connector.
    Name = 'SMTP Relay'
    ConnectorType = 'OnPremises'
    SenderDomains = '*'
    ## Change this to your actual public IP address.
    SenderIPAddresses = '127.0.0.9'
    RestrictDomainsToIPAddresses = $true
}
New-InboundConnector @splat
New-OutboundConnector -Name Mailboxes -AllAcceptedDomains $true -Transport mailbox -Mailboxes *
"""


def run(house: House, script: str, *, check: bool = True) -> tuple[str, str]:
    done = house.run("run", "-", stdin=script, check=check)
    return done.stdout, done.stderr


def test_a_script_makes_a_connector_that_takes_mail_at_once(house: MakeHouse, tmp_path: Path) -> None:
    running = house(DOMAIN)
    running.apply()
    running.start()
    file = tmp_path / "connector.ps1"
    file.write_text(SCRIPT, "utf-8")
    shown = running.run("run", str(file)).stdout
    assert "SMTP Relay {smtp:*;1}    {127.0.0.9}          True" in shown
    running.send("scanner@contoso.com", "user@contoso.com", source=SCANNER)
    assert b"Hello" in running.await_mail("user@contoso.com")[0]
    with running.smtp(STRANGER) as client, pytest.raises(smtplib.SMTPSenderRefused, match=r"5\.7\.51"):
        client.sendmail("scanner@contoso.com", ["user@contoso.com"], "Subject: x\r\n\r\nx\r\n")

    run(running, "Get-InboundConnector | Set-InboundConnector -SenderIPAddresses @{Add='127.0.0.8'}")
    running.send("scanner@contoso.com", "user@contoso.com", source=STRANGER)
    run(
        running,
        "Get-InboundConnector | Set-InboundConnector -RestrictDomainsToIPAddresses $false -Enabled $false\n"
        "Set-OrganizationConfig -RejectDirectSend $true",
    )
    with running.smtp(SCANNER) as client, pytest.raises(smtplib.SMTPRecipientsRefused, match=r"5\.7\.68"):
        client.sendmail("scanner@contoso.com", ["user@contoso.com"], "Subject: x\r\n\r\nx\r\n")


def test_limits_of_a_script_are_in_force_at_once(house: MakeHouse) -> None:
    running = house(DOMAIN)
    running.apply()
    running.start()
    run(running, "Set-TransportConfig -MaxSendSize 64KB -MaxRecipientEnvelopeLimit 2")
    with running.smtp(SCANNER) as client:
        client.ehlo()
        assert client.esmtp_features["size"] == "65536"
        client.mail("a@fabrikam.com")
        assert [client.rcpt(f"{name}@contoso.com")[0] for name in ("a", "b", "c")] == [250, 250, 452]


def test_the_acts_of_a_script_are_on_record_as_such(house: MakeHouse) -> None:
    running = house(DOMAIN)
    running.apply()
    assert "SMTP Relay" in run(running, SCRIPT)[0]
    [made] = running.json("audit", "--act", "New-InboundConnector")
    assert (made["face"], made["origin"], made["object"]) == ("powershell", "local", "SMTP Relay")
    shown, errors = run(running, SCRIPT + "'goes on'", check=False)
    assert 'The inbound connector "SMTP Relay" already exists.' in errors
    assert "goes on" in shown


def test_a_connector_is_validated_by_its_own_mail(house: MakeHouse) -> None:
    running = house(DOMAIN)
    running.apply()
    with Peer(address=(running.address, 0)) as peer:
        shown, _ = run(
            running,
            f"New-OutboundConnector Out -RecipientDomains fabrikam.com,tailspin.com -SmartHosts {running.address} "
            f"-Port {peer.port} | Out-Null\n"
            "$recipients = 'a@fabrikam.com', 'b@fabrikam.com', 'c@tailspin.com'\n"
            "Validate-OutboundConnector -Identity out -Recipients $recipients "
            '| % { "$($_.Result): $($_.Task)" }',
        )
        assert "Failed" not in shown
        assert f"Succeeded: {running.address} took a test mail to a@fabrikam.com, b@fabrikam.com" in shown
        assert f"Succeeded: {running.address} took a test mail to c@tailspin.com" in shown
        assert len(peer.messages) == 2
    _, errors = run(running, "Validate-OutboundConnector -Identity Out -Recipients a@contoso.com", check=False)
    assert 'Recipients: mail for "a@contoso.com" does not go by this connector' in errors
    _, errors = run(running, "Validate-OutboundConnector -Identity In -Recipients a@contoso.com", check=False)
    assert "object 'In' couldn't be found. There are: Out." in errors
    outcomes = [(one["object"], one["outcome"]) for one in running.json("audit", "--act", "Validate-*")]
    assert outcomes == [("In", "failed"), ("Out", "failed"), ("out", "ok")]
