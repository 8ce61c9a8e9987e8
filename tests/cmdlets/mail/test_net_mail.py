from __future__ import annotations

from support.house import House

SEED = """
# specify the full path of your PFX certificate
$pfxFile = "C:\\Certificate\\cert.pfx"
$pfxPass = 'battery-Staple-9'
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
$emailMessage.To.Add('ann@contoso.com')
$emailMessage.To.Add('someone@fabrikam.com')
$emailMessage.Subject = ('SMTP Relay (TLS) - ' + (Get-Date -Format g))
$emailMessage.Body = 'This is a test email using SMTP Relay (TLS)'

# Send the message
$smtp.Send($emailMessage)
"""


def test_the_script_by_certificate_runs_word_for_word(tenant: House, scripts, elsewhere, pfx):
    script = scripts(tenant, allowed=(pfx,))
    shown = script.run(SEED % (tenant.address, tenant.port))
    print(shown)
    assert script.status == 0
    tenant.await_mail("ann@contoso.com")
