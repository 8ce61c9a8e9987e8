"""System.Net.Mail and X509Certificate2 in scripts: a client certificate on its way to the connector that it proves."""

from __future__ import annotations

import email
import email.policy
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from cryptography.x509.oid import ExtendedKeyUsageOID

from cmdlets.mail.conftest import PASSWORD, PFX_PASSWORD, MakeScript
from net.tls_peers import identity_of, issue, load_into
from posthouse.admin import Role
from posthouse.spool import AuditOutcome
from support.house import House
from support.peers import SILENCE, Peer

SEED = """
# specify the full path of your PFX certificate
$pfxFile = "C:\\Certificate\\cert.pfx"
$pfxPass = '%s'
$pfxBytes = Get-Content -path $pfxFile -encoding Byte -ErrorAction:SilentlyContinue
$X509Cert = New-Object -TypeName System.Security.Cryptography.X509Certificates.X509Certificate2
$X509Cert.Import([byte[]]$pfxBytes, $pfxPass,"Exportable,PersistKeySet")

# Build SMTP properties
$smtpServer = '%s'
$smtpPort = '%s'
$smtp = New-Object Net.Mail.SmtpClient($smtpServer,$smtpPort)
$smtp.ClientCertificates.Add($X509Cert)
$smtp.EnableSSL = $true

# Compose message
$emailMessage = New-Object System.Net.Mail.MailMessage
$emailMessage.From = 'scanner@contoso.com'
$emailMessage.To.Add('%s@contoso.com')
$emailMessage.To.Add('%s@fabrikam.com')
$emailMessage.Subject = ('SMTP Relay (TLS) - ' + (Get-Date -Format g))
$emailMessage.Body = 'This is a test email using SMTP Relay (TLS)'

# Send the message
$smtp.Send($emailMessage)
"""
CLIENT = "$smtp = New-Object Net.Mail.SmtpClient($server, $port)\n"
MESSAGE = (
    "$mail = New-Object Net.Mail.MailMessage('scan@contoso.com', 'ann@contoso.com')\n"
    "$mail.Subject = 'Test'; $mail.Body = 'Hello'\n"
)
CERTIFICATE = (
    f"$pfx = New-Object Security.Cryptography.X509Certificates.X509Certificate2('cert.pfx', '{PFX_PASSWORD}')\n"
)
WITH_CERTIFICATE = CLIENT + MESSAGE + CERTIFICATE + "[void]$smtp.ClientCertificates.Add($pfx)\n"


def seed(house: House, name: str, password: str = PFX_PASSWORD) -> str:
    return SEED % (password, house.address, house.port, name, name)


@pytest.fixture
def tls_peer(tmp_path: Path) -> Iterator[Peer]:
    """One that has TLS by an authority that nobody trusts, and asks for no client certificate."""
    with Peer(tls=context_for("mx.test", trustme.CA(), tmp_path)) as peer:
        yield peer


def context_for(name: str, authority: trustme.CA, folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_into(context, identity_of(authority.issue_cert(name)), folder)
    return context


ELSEWHERE = "0x7f000001"
"""To the system 127.0.0.1, to us a name like any other."""


class TestTheScriptByCertificate:
    def test_it_runs_word_for_word(self, tenant: House, scripts: MakeScript, pfx: Path):
        script = scripts(tenant, allowed=(pfx,))
        script.run(seed(tenant, "word"))
        assert script.said("error") == []
        assert script.said("output") == ["0"]  # what Add says, as on Windows
        (mail,) = tenant.await_mail("word@contoso.com")
        assert b"Subject: SMTP Relay (TLS) - " in mail

    def test_the_connector_by_certificate_takes_it(self, tenant: House, scripts: MakeScript, pfx: Path):
        scripts(tenant, allowed=(pfx,)).run(seed(tenant, "proof"))
        for entry in tenant.trace("--to", "proof@*", until=lambda found: len(found) == 2):
            assert entry["connector"] == "SMTP Relay (TLS)"
            assert "relay.contoso.com" in entry["certificate"]

    def test_a_pfx_in_the_scripts_own_folder(self, tenant: House, scripts: MakeScript, pfx: Path):
        script = scripts(tenant, folder=pfx.parent)
        script.run(seed(tenant, "folder").replace("C:\\Certificate\\cert.pfx", "./cert.pfx"))
        assert script.said("error") == []
        assert tenant.trace("--to", "folder@fabrikam.com", until=bool)

    def test_by_the_command(self, tenant: House, pfx: Path, tmp_path: Path):
        (tmp_path / "test-tls.ps1").write_text(seed(tenant, "command"), "utf-8")
        ran = tenant.run("run", str(tmp_path / "test-tls.ps1"), "--allow-file", str(pfx))
        assert ran.stdout == "0\n"
        (record,) = [one for one in tenant.read("audit") if one["object"].startswith("command@contoso.com")]
        assert (record["act"], record["face"]) == ("Send-MailMessage", "powershell")

    def test_a_wrong_password(self, tenant: House, scripts: MakeScript, pfx: Path):
        script = scripts(tenant, allowed=(pfx,))
        script.run(seed(tenant, "password", "wrong"))
        (imported, sent) = script.said("error")
        assert 'Exception calling "Import" with "3" argument(s): "The specified network password is not cor' in imported
        assert "5.7.64 TenantAttribution; Relay Access Denied" in sent
        assert script.said("warning")[0] == (
            "WARNING: The PFX: wrong password; give the one that the PFX was exported with."
        )

    def test_a_pfx_that_nobody_allowed(self, tenant: House, scripts: MakeScript, tmp_path: Path):
        script = scripts(tenant, folder=tmp_path)
        script.run(seed(tenant, "denied"))
        assert "Array may not be empty or null. Parameter name: rawData" in script.said("error")[0]
        assert script.said("warning")[0] == (
            "WARNING: The PFX was not read; put it next to the script, or name it with --allow-file."
        )

    def test_a_file_that_is_none(self, tenant: House, scripts: MakeScript, tmp_path: Path):
        (tmp_path / "cert.pfx").write_bytes(b"hello")
        script = scripts(tenant, allowed=(tmp_path / "cert.pfx",))
        script.run(seed(tenant, "broken"))
        assert '"Cannot find the requested object."' in script.said("error")[0]
        assert "neither PEM nor PFX (PKCS #12), or damaged; export it again." in script.said("warning")[0]

    def test_nothing_of_it_is_shown_or_on_record(self, tenant: House, scripts: MakeScript, pfx: Path):
        script = scripts(tenant, allowed=(pfx,))
        for line in seed(tenant, "secret", PASSWORD).splitlines():
            script.run(line)
        script.run("$pfxBytes.Count; $X509Cert; $X509Cert | ConvertTo-Json -Depth 5; $smtp; $smtp | fl *")
        assert script.records[0].outcome is AuditOutcome.FAILED
        shown = script.paper.text + repr(script.records)
        assert PASSWORD not in shown
        assert PFX_PASSWORD not in shown
        assert "PrivateKey " not in shown


class TestTls:
    def test_without_a_certificate_the_refusal_is_explained(self, tenant: House, scripts: MakeScript):
        script = scripts(tenant)
        script.run(f"{CLIENT}{MESSAGE}$smtp.EnableSsl = $true; $mail.To.Add('x@fabrikam.com'); $smtp.Send($mail)")
        (error,) = script.said("error")
        assert 'Exception calling "Send" with "1" argument(s): "Mailbox unavailable. The server response was' in error
        assert "FullyQualifiedErrorId : SmtpFailedRecipientException" in error
        assert "What to do: " in script.said("warning")[-1]

    def test_a_certificate_without_tls(self, relay: House, scripts: MakeScript, peer: Peer, pfx: Path):
        shown = scripts(relay, folder=pfx.parent).to(peer).run(f"{WITH_CERTIFICATE}$smtp.Send($mail)")
        assert shown == (
            "WARNING: The certificate in ClientCertificates isn't used without TLS; set EnableSsl to $true.\n"
        )

    def test_a_certificate_that_was_not_asked_for(self, relay: House, scripts: MakeScript, tls_peer: Peer, pfx: Path):
        script = scripts(relay, folder=pfx.parent).to(tls_peer)
        script.run(f"{WITH_CERTIFICATE}$smtp.EnableSsl = $true; $smtp.Send($mail)")
        assert len(tls_peer.messages) == 1
        assert "The server did not ask for a client certificate, so 'CN=relay.contoso.com" in script.said("warning")[1]

    def test_a_server_on_this_machine_may_have_any_certificate(self, relay: House, scripts: MakeScript, tls_peer: Peer):
        script = scripts(relay).to(tls_peer)
        script.run(f"{CLIENT}{MESSAGE}$smtp.EnableSsl = 1; $smtp.Send($mail)")
        (warning,) = script.said("warning")
        assert "is not trusted: UnknownIssuer. Windows would send nothing; it is sent here" in warning
        assert len(tls_peer.messages) == 1

    def test_a_server_that_has_not_proved_its_name_hears_no_more(
        self, relay: House, scripts: MakeScript, tls_peer: Peer
    ):
        script = scripts(relay).to(tls_peer)
        script.session.set("server", ELSEWHERE)
        script.run(
            f"{CLIENT}{MESSAGE}$smtp.EnableSsl = 1; $smtp.Credentials = New-Object Net.NetworkCredential('a', 'b')\n"
            "$smtp.Send($mail)"
        )
        (error,) = script.said("error")
        assert '"The remote certificate is invalid according to the validation procedure."' in error
        (warning,) = script.said("warning")
        assert "is not trusted: UnknownIssuer. Have one issued for '0x7f000001', or put its CA into the" in warning
        script.run(
            "try { Send-MailMessage a@contoso.com Hi -From s@contoso.com -Smtp $server -Port $port -UseSsl -EA Stop }"
            " catch [System.Security.Authentication.AuthenticationException] { 'caught' }"
        )
        assert script.said("output") == ["caught"]
        assert tls_peer.messages == []
        assert {command.split()[0] for one in tls_peer.sessions for command in one.commands} == {
            *("EHLO", "STARTTLS", "TLS", "QUIT")
        }

    def test_a_server_whose_authority_the_organization_trusts(
        self, relay: House, scripts: MakeScript, authority: trustme.CA, tmp_path: Path
    ):
        with Peer(tls=context_for(ELSEWHERE, authority, tmp_path)) as peer:
            script = scripts(relay, Role.MAIL_FLOW_OPERATOR).to(peer)
            script.session.set("server", ELSEWHERE)
            script.run(f"{CLIENT}{MESSAGE}$smtp.EnableSsl = 1; $smtp.Send($mail)")
            assert script.paper.text == ""
            assert len(peer.messages) == 1

    def test_a_server_without_tls(self, relay: House, scripts: MakeScript, peer: Peer):
        script = scripts(relay).to(peer)
        script.run(f"{CLIENT}{MESSAGE}$smtp.EnableSsl = $true; $smtp.Send($mail)")
        assert '"Server does not support secure connections."' in script.said("error")[0]

    def test_a_certificate_that_is_not_for_clients(
        self, tenant: House, scripts: MakeScript, authority: trustme.CA, tmp_path: Path
    ):
        identity = issue(authority, names=["relay.contoso.com"], usages=[ExtendedKeyUsageOID.SERVER_AUTH])
        (tmp_path / "cert.pfx").write_bytes(identity.to_pfx(PFX_PASSWORD))
        script = scripts(tenant, folder=tmp_path)
        script.run(f"{WITH_CERTIFICATE}$smtp.EnableSsl = $true; $smtp.Send($mail)")
        assert "Windows would not send this certificate" in script.said("warning")[0]

    def test_a_certificate_without_its_key(
        self, tenant: House, scripts: MakeScript, authority: trustme.CA, tmp_path: Path
    ):
        (tmp_path / "cert.pfx").write_bytes(authority.cert_pem.bytes())
        script = scripts(tenant, folder=tmp_path)
        script.run(f"{WITH_CERTIFICATE}$smtp.EnableSsl = $true; $smtp.Send($mail); $pfx.HasPrivateKey")
        assert "has no private key, so it can't be sent" in script.said("warning")[0]
        assert script.said("output") == ["False"]


class TestClient:
    def test_by_its_properties(self, relay: House, scripts: MakeScript, peer: Peer):
        script = scripts(relay).to(peer)
        script.run(
            '$smtp = New-Object System.Net.Mail.SmtpClient; $smtp.Host = $server; $smtp.Port = "$port"\n'
            "$smtp.Timeout = 5000; $smtp.Send('s@contoso.com', 'a@contoso.com, b@contoso.com', 'Hi', 'There')"
        )
        assert script.paper.text == ""
        assert peer.messages[0].recipients == ["RCPT TO:<a@contoso.com>", "RCPT TO:<b@contoso.com>"]

    def test_made_with_new(self, relay: House, scripts: MakeScript, peer: Peer):
        script = scripts(relay).to(peer)
        script.run(
            "$smtp = [System.Net.Mail.SmtpClient]::new($server, $port)\n"
            "$mail = [Net.Mail.MailMessage]::new('s@contoso.com', 'a@contoso.com', 'Hi', 'There'); $smtp.Send($mail)"
        )
        assert script.paper.text == ""
        assert len(peer.messages) == 1

    def test_made_with_properties(self, relay: House, scripts: MakeScript, peer: Peer):
        script = scripts(relay).to(peer)
        script.run(
            '$smtp = New-Object Net.Mail.SmtpClient -Property @{ Host = $server; Port = "$port"; EnableSsl = $false }\n'
            "$smtp.Send('s@contoso.com', 'a@contoso.com', 'Hi', 'There'); $smtp.Dispose()"
        )
        assert script.paper.text == ""
        assert len(peer.messages) == 1

    @pytest.mark.parametrize(
        "credentials",
        [
            f"New-Object System.Net.NetworkCredential('scanner-2', '{PASSWORD}')",
            f"New-Object PSCredential('scanner-2', (ConvertTo-SecureString '{PASSWORD}' -AsPlainText -Force))",
            f"(New-Object Net.NetworkCredential 'scanner-2', (ConvertTo-SecureString '{PASSWORD}' -A -F))",
        ],
    )
    def test_credentials(self, tenant: House, scripts: MakeScript, credentials: str):
        script = scripts(tenant)
        script.run(f"{CLIENT}{MESSAGE}$smtp.EnableSsl = $true; $smtp.Credentials = {credentials}")
        script.run(
            "$mail.To.Add('signed@fabrikam.com'); $smtp.Send($mail); $smtp.Credentials; $smtp.Credentials.Password"
        )
        assert script.said("error") == []
        assert PASSWORD not in script.paper.text
        assert tenant.trace("--to", "signed@fabrikam.com", until=bool)[0]["login"] == "scanner-2"

    def test_default_credentials_forget_the_others(self, relay: House, scripts: MakeScript):
        script = scripts(relay)
        script.run(f"{CLIENT}$smtp.Credentials = New-Object Net.NetworkCredential('a', 'b')")
        assert script.run("$smtp.UseDefaultCredentials = $false; $null -eq $smtp.Credentials") == "True\n"

    def test_nobody_answers(self, relay: House, scripts: MakeScript):
        with Peer(CONNECT=SILENCE) as peer:
            script = scripts(relay).to(peer)
            script.run(f"{CLIENT}{MESSAGE}$smtp.Timeout = 200; $smtp.Send($mail)")
        assert 'argument(s): "The operation has timed out."' in script.said("error")[0]
        assert "is a firewall in the way?" in script.said("warning")[0]

    def test_nobody_listens(self, relay: House, scripts: MakeScript):
        with Peer() as gone:
            script = scripts(relay).to(gone)
        script.run(f"{CLIENT}{MESSAGE}$smtp.Send($mail)")
        assert 'Exception calling "Send" with "1" argument(s): "Failure sending mail."' in script.said("error")[0]
        assert script.said("warning")[0].endswith("refused the connection; does a server listen there?")

    def test_it_is_caught_by_its_type(self, relay: House, scripts: MakeScript):
        with Peer(RCPT="550 5.1.1 unknown") as peer:
            script = scripts(relay).to(peer)
            script.run(f"{CLIENT}{MESSAGE}try {{ $smtp.Send($mail) }} catch [Net.Mail.SmtpException] {{ 'caught' }}")
        assert script.said("output") == ["caught"]

    def test_roles(self, relay: House, scripts: MakeScript, peer: Peer):
        script = scripts(relay, Role.VIEW_ONLY).to(peer)
        assert "anna may not Send-MailMessage" in script.run(f"{CLIENT}{MESSAGE}$smtp.Send($mail)")
        assert peer.sessions == []

    @pytest.mark.parametrize(
        ("line", "text"),
        [
            ("$smtp.Port = 'smtp'", 'Exception setting "Port": "Cannot convert value "smtp" to type "System.Int32"'),
            ("$smtp.Port = 0", "Specified argument was out of the range of valid values."),
            ("$smtp.Timeout = -1", "The timeout is 0 or more."),
            ("[void]$smtp.ClientCertificates.Add('a.pfx'); $smtp.Send($mail)", "takes X509Certificate2 objects only."),
            ("$smtp.EnableTls = $true", "The property 'EnableTls' cannot be found on this object."),
            ("$smtp.ClientCertificates = $null", "'ClientCertificates' is a ReadOnly property."),
            ("$smtp.Credentials = 'me'", "Credentials are a PSCredential or a System.Net.NetworkCredential."),
            ("$smtp.Send($null)", "Value cannot be null. Parameter name: message"),
            ("$smtp.SendAsync($mail)", "The method 'SendAsync' is not known here."),
            (
                "New-Object Net.Mail.SmtpClient(1,2,3)",
                "Cannot find an appropriate constructor for type System.Net.Mail",
            ),
            ("New-Object Net.Mail.SmtpClient('a', 'b')", 'Cannot convert value "b" to type "System.Int32"'),
            ("New-Object Net.Mail.MailMessage('a@contoso.com')", "Cannot find an overload for 'MailMessage'"),
            ("New-Object Net.Mail.SmtpServer", "Cannot find type [Net.Mail.SmtpServer]"),
            ("$mail.From = ''", "The parameter 'address' cannot be an empty string."),
            ("$mail.To = 'a@contoso.com'", "'To' is a ReadOnly property."),
            ("$mail.To.Add('')", "The parameter 'addresses' cannot be an empty string."),
            ("$mail.To.Add('nobody')", "The specified string is not in the form required for an e-mail address."),
            ("$mail.Priority = 'Urgent'", "Specify one of the following enumerator names and try again: Normal, Low,"),
            ("$mail.To.Clear(); $smtp.Send($mail)", "A recipient must be specified."),
            ("$smtp.Send((New-Object Net.Mail.MailMessage))", "A from address must be specified."),
            ("$smtp.Host = ''; $smtp.Send($mail)", "The SMTP host was not specified."),
            ("$mail.Headers.Add('X A', 'b'); $smtp.Send($mail)", "An invalid character was found in header name."),
            ("$mail.Headers.Add('X-A', \"b`nBcc: c@d\"); $smtp.Send($mail)", "was found in the mail header: 'X-A'."),
            ("$mail.Attachments.Add('/etc/hostname')", "Access to the path '/etc/hostname' is denied"),
        ],
    )
    def test_what_is_wrong_is_said_as_windows_does(
        self, relay: House, scripts: MakeScript, peer: Peer, line: str, text: str
    ):
        script = scripts(relay).to(peer)
        script.run(CLIENT + MESSAGE)
        assert text in script.run(line)
        assert peer.sessions == []


class TestMessage:
    def test_all_of_it(self, relay: House, scripts: MakeScript, peer: Peer, tmp_path: Path):
        (tmp_path / "scan.pdf").write_bytes(b"%PDF")
        script = scripts(relay, folder=tmp_path).to(peer)
        script.run(
            CLIENT
            + """
            $mail = New-Object System.Net.Mail.MailMessage
            $mail.From = New-Object System.Net.Mail.MailAddress('scan@contoso.com', 'The scanner')
            $mail.To.Add('Ann <ann@contoso.com>, bob@contoso.com')
            $mail.CC.Add('carl@contoso.com'); $mail.Bcc.Add('eve@contoso.com')
            $mail.ReplyToList.Add('box@contoso.com')
            $mail.Subject = 'Grüße'; $mail.Body = '<b>Hallo</b>'; $mail.IsBodyHtml = $true
            $mail.BodyEncoding = [System.Text.Encoding]::UTF8; $mail.SubjectEncoding = 'UTF8'
            $mail.Priority = 'High'
            $mail.Headers.Add('X-Device', 'MFP 7')
            $mail.DeliveryNotificationOptions = 'OnFailure, OnSuccess'
            $mail.Attachments.Add((New-Object Net.Mail.Attachment('scan.pdf')))
            "$($mail.To.Count): $($mail.To)"
            $smtp.Send($mail); $mail.Dispose()
            """
        )
        assert script.paper.text == '2: "Ann" <ann@contoso.com>, bob@contoso.com\n'
        (received,) = peer.messages
        assert received.recipients == [
            f"RCPT TO:<{name}@contoso.com> NOTIFY=SUCCESS,FAILURE" for name in ("ann", "bob", "carl", "eve")
        ]
        mail = email.message_from_bytes(received.content, policy=email.policy.default)
        assert mail["From"] == "The scanner <scan@contoso.com>"
        assert (mail["Cc"], mail["Bcc"], mail["Reply-To"]) == ("carl@contoso.com", None, "box@contoso.com")
        assert (mail["Subject"], mail["X-Device"], mail["Importance"]) == ("Grüße", "MFP 7", "high")
        body, scan = mail.iter_parts()
        assert body.get_content_charset() == "utf-8"
        assert (body.get_content_type(), body.get_content().strip()) == ("text/html", "<b>Hallo</b>")
        assert (scan.get_filename(), scan.get_content()) == ("scan.pdf", b"%PDF")


class TestCertificate:
    def test_what_it_says(self, relay: House, scripts: MakeScript, pfx: Path, authority: trustme.CA):
        script = scripts(relay, folder=pfx.parent)
        script.run(CERTIFICATE + '$pfx.Thumbprint.Length; $pfx.HasPrivateKey; $pfx.NotAfter -gt (Get-Date); "$pfx"')
        assert script.said("output")[:3] == ["40", "True", "True"]
        assert script.said("output")[3].startswith("CN=relay.contoso.com")

    def test_of_bytes(self, relay: House, scripts: MakeScript, pfx: Path):
        shown = scripts(relay, folder=pfx.parent).run(
            "$bytes = [byte[]](Get-Content cert.pfx -Encoding Byte)\n"
            f"$c = [Security.Cryptography.X509Certificates.X509Certificate2]::new($bytes, '{PFX_PASSWORD}')\n"
            "$c.HasPrivateKey"
        )
        assert shown == "True\n"
