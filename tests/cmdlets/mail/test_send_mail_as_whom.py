"""Send-MailMessage: who signs in to the server, and which administrator may send at all."""

from __future__ import annotations

import pytest

from cmdlets.mail.conftest import PASSWORD, SHORT, MakeScript
from posthouse.admin import Role
from posthouse.spool import AuditOutcome
from support.house import House
from support.peers import Peer


class TestCredential:
    LOGIN = (
        f"$secure = ConvertTo-SecureString '{PASSWORD}' -AsPlainText -Force\n"
        "$login = New-Object System.Management.Automation.PSCredential('scanner-2', $secure)\n"
    )

    def test_it_lets_a_device_relay(self, tenant: House, scripts: MakeScript):
        script = scripts(tenant)
        script.run(f"{self.LOGIN}{SHORT} -To login@fabrikam.com -Credential $login -UseSsl")
        assert script.status == 0
        (entry,) = tenant.trace("--to", "login@fabrikam.com", until=bool)
        assert (entry["login"], entry["connector"]) == ("scanner-2", "Scanners")
        assert entry["tls"]

    def test_without_tls_there_is_a_warning(self, tenant: House, scripts: MakeScript):
        script = scripts(tenant)
        script.run(f"{self.LOGIN}{SHORT} -To plain@contoso.com -Credential $login")
        assert script.said("warning") == [
            "WARNING: The password goes over an unencrypted connection; use TLS (-UseSsl, EnableSsl)."
        ]
        tenant.await_mail("plain@contoso.com")

    def test_a_wrong_password(self, tenant: House, scripts: MakeScript):
        script = scripts(tenant)
        script.run(f"{self.LOGIN.replace(PASSWORD, 'wrong')}{SHORT} -To a@contoso.com -Credential $login -UseSsl")
        assert "the client was not authenticated. The server response was: 5.7." in script.said("error")[0]

    def test_a_server_that_lets_nobody_sign_in_gets_it_all_the_same(
        self, relay: House, scripts: MakeScript, peer: Peer
    ):
        shown = (
            scripts(relay)
            .to(peer)
            .run(
                "$pass = New-Object securestring; $creds = New-Object pscredential ('anonymous', $pass)\n"
                f"{SHORT} -To a@contoso.com -Credential $creds"
            )
        )
        assert shown == "WARNING: The server lets nobody sign in: as by Windows, the mail is sent without.\n"
        assert len(peer.messages) == 1

    def test_a_name_alone_would_need_a_question(self, relay: House, scripts: MakeScript):
        shown = scripts(relay).run(f"{SHORT} -To a@contoso.com -Credential scanner-2")
        assert "nobody can be asked for a password in a script; make one with New-Object System.Management" in shown

    def test_get_credential_asks_nobody(self, relay: House, scripts: MakeScript):
        shown = scripts(relay).run("$login = Get-Credential -UserName a -Message 'Sign in'; 'on'")
        assert "Get-Credential: nobody can be asked for a password in a script" in shown

    def test_the_password_must_be_secure(self, relay: House, scripts: MakeScript):
        shown = scripts(relay).run("$x = New-Object PSCredential('user', 'text'); $x")
        assert "The password must be a SecureString; make it with ConvertTo-SecureString -AsPlainText -Force" in shown

    def test_plain_text_needs_its_two_switches(self, relay: House, scripts: MakeScript):
        script = scripts(relay)
        assert "reissue the command specifying the Force parameter" in script.run(
            "ConvertTo-SecureString text -AsPlainText"
        )
        assert "Encrypted texts belong to the Windows user who made them" in script.run("ConvertTo-SecureString 01000")

    @pytest.mark.parametrize(
        "shows",
        [
            "$secure",
            '"$secure" + [string]$secure',
            "$secure | ConvertTo-Json",
            "$secure | Format-List *",
            "$login",
            "$login | Select-Object * | Format-Table",
            "$login.Password; $login.UserName",
            "$login.GetNetworkCredential()",
            "$login.GetNetworkCredential().Password",
            "$login | ConvertTo-Json -Depth 9",
            "$login | ConvertTo-Csv; $login.psobject.Properties",
            "$secure.secret; $login.password.secret; $login.ToString()",
            "$secure.Length; $secure -join ','; '{0}' -f $secure",
            "throw $secure",
            "Write-Host $login $secure; Write-Output $login.Password",
            "$secure -eq 'x'; $secure.Equals('x'); $secure.GetType().FullName",
        ],
    )
    def test_it_never_shows_its_text(self, relay: House, scripts: MakeScript, shows: str):
        script = scripts(relay)
        script.run(self.LOGIN)
        assert script.run(shows) != ""
        assert PASSWORD not in script.paper.text


class TestRoles:
    def test_who_only_views_sends_nothing(self, relay: House, scripts: MakeScript, peer: Peer):
        script = scripts(relay, Role.VIEW_ONLY).to(peer)
        shown = script.run(f"{SHORT} -To a@contoso.com")
        assert "anna may not Send-MailMessage: it needs the role Organization Management or Recipient and" in shown
        assert peer.sessions == []
        record = scripts(relay).records[0]
        assert (record.act, record.who, record.face, record.outcome) == (
            "Send-MailMessage",
            "anna",
            "powershell",
            AuditOutcome.REFUSED,
        )

    def test_an_operator_does_and_it_is_on_record(self, relay: House, scripts: MakeScript, peer: Peer):
        assert scripts(relay, Role.MAIL_FLOW_OPERATOR).to(peer).run(f"{SHORT} -To a@contoso.com,b@contoso.com") == ""
        record = scripts(relay).records[0]
        assert (record.act, record.object, record.outcome) == (
            "Send-MailMessage",
            "a@contoso.com, b@contoso.com",
            AuditOutcome.OK,
        )
        assert {change.key: change.after for change in record.changes} == {
            "SmtpServer": f"127.0.0.1:{peer.port}",
            "From": "scan@contoso.com",
        }

    def test_a_failure_is_on_record_without_the_password(self, relay: House, scripts: MakeScript):
        login = TestCredential.LOGIN
        with Peer(extensions=("AUTH LOGIN PLAIN",), AUTH=f"535 5.7.8 no: {PASSWORD}") as peer:
            script = scripts(relay).to(peer)
            script.run(login)
            script.run(f"{SHORT} -To a@contoso.com -Credential $login")
        assert "the client was not authenticated." in script.said("error")[0]
        record = script.records[0]
        assert (record.act, record.outcome) == ("Send-MailMessage", AuditOutcome.FAILED)
        assert PASSWORD not in script.paper.text + repr(script.records)
