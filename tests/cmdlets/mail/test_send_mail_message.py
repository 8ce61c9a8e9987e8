"""Send-MailMessage: what it shows, what is said on the wire, what arrives."""

from __future__ import annotations

from support.house import House

SEED = """
$mailParams = @{
    SmtpServer                 = '%s'
    Port                       = '%s'
    From                       = 'scanner@contoso.com'
    To                         = 'ann@contoso.com','someone@fabrikam.com'
    Subject                    = ('SMTP Relay - ' + (Get-Date -Format g))
    Body                       = 'This is a test email using SMTP Relay'
    DeliveryNotificationOption = 'OnFailure','OnSuccess'
}

Send-MailMessage @mailParams
"""


def test_the_script_by_address_runs_word_for_word(relay: House, scripts, elsewhere):
    script = scripts(relay)
    assert script.run(SEED % (relay.address, relay.port)) == ""
    relay.await_mail("ann@contoso.com")
