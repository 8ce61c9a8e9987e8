"""Send-MailMessage: what it shows, what is said on the wire, what arrives, what is on record.

Its texts are those of Windows PowerShell 5.1, whose source is on
https://github.com/PowerShell/PowerShell/blob/v6.0.0/src/Microsoft.PowerShell.Commands.Utility/commands/utility/Send-MailMessage.cs
"""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from cmdlets.mail.conftest import SHORT, MakeScript
from support.house import House
from support.peers import Peer

SEED = """
$mailParams = @{
    SmtpServer                 = '%s'
    Port                       = '%s'
    From                       = 'scanner@contoso.com'
    To                         = 'seed@contoso.com','seed@fabrikam.com'
    Subject                    = ('SMTP Relay - ' + (Get-Date -Format g))
    Body                       = 'This is a test email using SMTP Relay'
    DeliveryNotificationOption = 'OnFailure','OnSuccess'
}

Send-MailMessage @mailParams
"""


def parsed(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=email.policy.default)


def text(mail: EmailMessage) -> str:
    return "\n".join(mail.get_content().splitlines())


def only(peer: Peer) -> EmailMessage:
    """The one mail that it got."""
    (received,) = peer.messages
    return parsed(received.content)


class TestTheScriptByAddress:
    def test_it_runs_word_for_word(self, relay: House, scripts: MakeScript, elsewhere: Peer):
        script = scripts(relay)
        assert script.run(SEED % (relay.address, relay.port)) == ""
        assert script.status == 0
        (mail,) = relay.await_mail("seed@contoso.com")
        assert parsed(mail)["Subject"].startswith("SMTP Relay - ")
        assert text(parsed(mail)) == "This is a test email using SMTP Relay"

    def test_its_notification_options_reach_the_wire(self, relay: House, scripts: MakeScript, elsewhere: Peer):
        scripts(relay).run(SEED.replace("seed@", "dsn@") % (relay.address, relay.port))
        relay.trace("--to", "dsn@fabrikam.com", until=lambda found: found and found[0]["status"] == "delivered")
        (said,) = [line for mail in elsewhere.messages for line in mail.recipients if "dsn@fabrikam.com" in line]
        assert "NOTIFY=SUCCESS,FAILURE" in said

    def test_it_is_told_why_it_may_not_relay(self, tenant: House, scripts: MakeScript):
        script = scripts(tenant)
        script.run(SEED % (tenant.address, tenant.port))
        (error,) = script.said("error")
        assert "Mailbox unavailable. The server response was: 5.7.64 TenantAttribution; Relay Access Denied" in error
        assert "FullyQualifiedErrorId : SmtpFailedRecipientException,Microsoft.PowerShell.Commands.SendMailM" in error
        (warning,) = script.said("warning")
        assert "What to do: " in warning
        assert "\n" not in warning


class TestNotification:
    @pytest.mark.parametrize(
        ("option", "said"),
        [
            ("OnFailure", " NOTIFY=FAILURE"),
            ("OnSuccess,OnFailure", " NOTIFY=SUCCESS,FAILURE"),
            ("'OnSuccess, Delay'", " NOTIFY=SUCCESS,DELAY"),
            ("@('delay')", " NOTIFY=DELAY"),
            ("Never", " NOTIFY=NEVER"),
            ("None", ""),
        ],
    )
    def test_each_option(self, relay: House, scripts: MakeScript, peer: Peer, option: str, said: str):
        assert scripts(relay).to(peer).run(f"{SHORT} -To ann@contoso.com -DeliveryNotificationOption {option}") == ""
        assert peer.messages[0].recipients == [f"RCPT TO:<ann@contoso.com>{said}"]

    def test_never_stands_alone(self, relay: House, scripts: MakeScript, peer: Peer):
        shown = scripts(relay).to(peer).run(f"{SHORT} -To ann@contoso.com -DNO Never,OnFailure")
        assert "Specified argument was out of the range of valid values. Never stands alone." in shown
        assert peer.messages == []

    def test_an_unknown_option(self, relay: House, scripts: MakeScript):
        shown = scripts(relay).run(f"{SHORT} -To ann@contoso.com -DeliveryNotificationOption Always")
        assert "Specify one of the following enumerator names and try again: None, OnSuccess, OnFailure" in shown

    def test_a_server_without_dsn_is_told_of(self, relay: House, scripts: MakeScript):
        with Peer(extensions=()) as peer:
            shown = scripts(relay).to(peer).run(f"{SHORT} -To ann@contoso.com -DNO OnSuccess")
            assert shown.startswith("WARNING: The server does not offer DSN: NOTIFY, RET and ENVID are not sent")
            assert peer.messages[0].recipients == ["RCPT TO:<ann@contoso.com>"]


class TestServer:
    def test_by_the_preference_variable(self, relay: House, scripts: MakeScript, peer: Peer):
        script = scripts(relay).to(peer)
        line = "$PSEmailServer = $server; Send-MailMessage ann@contoso.com Hi -Port $port -From scan@contoso.com"
        assert script.run(line) == ""
        assert only(peer)["Subject"] == "Hi"

    def test_none_at_all(self, relay: House, scripts: MakeScript):
        shown = scripts(relay).run("Send-MailMessage a@contoso.com Hi -From s@contoso.com; 'goes on'")
        assert "Send-MailMessage : The email cannot be sent because no SMTP server was specified." in shown
        assert shown.endswith("goes on\n")

    def test_by_position(self, relay: House, scripts: MakeScript, peer: Peer):
        line = (
            "send-mailmessage 'a@contoso.com','b@contoso.com' 'The subject' `\n 'The body' $server -From s@contoso.com"
        )
        scripts(relay).to(peer).run(f"{line} -Port:$port")
        assert (only(peer)["To"], only(peer)["Subject"]) == ("a@contoso.com, b@contoso.com", "The subject")
        assert text(only(peer)) == "The body"

    def test_nobody_listens(self, relay: House, scripts: MakeScript):
        with Peer() as gone:
            script = scripts(relay).to(gone)
        shown = script.run(f"{SHORT} -To ann@contoso.com")
        assert "Send-MailMessage : Unable to connect to the remote server" in shown
        assert "refused the connection; does a server listen there?" in script.said("warning")[0]

    def test_it_has_no_address(self, relay: House, scripts: MakeScript):
        shown = scripts(relay).run("Send-MailMessage a@contoso.com Hi -From s@contoso.com -SmtpServer 'a..b'")
        assert "Send-MailMessage : The remote name could not be resolved." in shown
        assert "WARNING: a..b has no address" in shown

    def test_the_port_is_no_number(self, relay: House, scripts: MakeScript):
        shown = scripts(relay).run("Send-MailMessage a@contoso.com Hi -From s@contoso.com -Port smtp")
        assert "Cannot process argument transformation on parameter 'Port'." in shown

    def test_tls_where_the_server_has_none(self, relay: House, scripts: MakeScript, peer: Peer):
        shown = scripts(relay).to(peer).run(f"{SHORT} -To ann@contoso.com -UseSsl")
        assert "Send-MailMessage : Server does not support secure connections." in shown
        assert "does not offer STARTTLS; send without TLS, or find its TLS port." in shown


class TestMail:
    def test_recipients_of_each_kind(self, relay: House, scripts: MakeScript, peer: Peer):
        line = f"{SHORT} -To 'Ann <ann@contoso.com>' -Cc bob@contoso.com -Bcc eve@contoso.com -ReplyTo box@contoso.com"
        assert scripts(relay).to(peer).run(line) == ""
        mail = only(peer)
        assert (mail["To"], mail["Cc"]) == ("Ann <ann@contoso.com>", "bob@contoso.com")
        assert (mail["Reply-To"], mail["Bcc"]) == ("box@contoso.com", None)
        assert peer.messages[0].recipients == [f"RCPT TO:<{name}@contoso.com>" for name in ("ann", "bob", "eve")]

    def test_html(self, relay: House, scripts: MakeScript, peer: Peer):
        scripts(relay).to(peer).run("$b = '<p>Hi</p>'; " + SHORT.replace("Hello", "$b") + " -To a@contoso.com -BAH")
        assert only(peer).get_content_type() == "text/html"
        assert text(only(peer)) == "<p>Hi</p>"

    def test_in_ascii_what_it_lacks_becomes_a_question_mark(self, relay: House, scripts: MakeScript, peer: Peer):
        shown = scripts(relay).to(peer).run(SHORT.replace("Hello", "'Grüße'") + " -To a@contoso.com")
        assert shown == (
            "WARNING: Characters that the encoding lacks are sent as question marks; add -Encoding UTF8.\n"
        )
        assert text(only(peer)) == "Gr??e"

    @pytest.mark.parametrize(
        ("encoding", "charset"),
        [
            ("UTF8", "utf-8"),
            ("Unicode", "utf-16"),
            ("utf32", "utf-32"),
            ("Default", "windows-1252"),
            ("([System.Text.Encoding]::UTF8)", "utf-8"),
        ],
    )
    def test_other_encodings(self, relay: House, scripts: MakeScript, peer: Peer, encoding: str, charset: str):
        line = "Send-MailMessage a@contoso.com 'Schöne Grüße' \"Für`nSie\" $server -Port $port -From s@contoso.com"
        assert scripts(relay).to(peer).run(f"{line} -Encoding {encoding}") == ""
        mail = only(peer)
        assert mail["Subject"] == "Schöne Grüße"
        assert mail.get_content_charset() == charset
        assert text(mail) == "Für\nSie"

    def test_priority(self, relay: House, scripts: MakeScript, peer: Peer):
        script = scripts(relay).to(peer)
        for priority in ("High", "Low", "Normal"):
            script.run(f"{SHORT} -To a@contoso.com -Priority {priority}")
        told = [
            [parsed(mail.content)[name] for name in ("X-Priority", "Priority", "Importance")] for mail in peer.messages
        ]
        assert told == [["1", "urgent", "high"], ["5", "non-urgent", "low"], [None, None, None]]

    def test_attachments_of_the_scripts_own_folder(self, relay: House, scripts: MakeScript, peer: Peer, tmp_path: Path):
        (tmp_path / "scan.pdf").write_bytes(b"%PDF")
        (tmp_path / "log.txt").write_bytes(b"one\n")
        script = scripts(relay, folder=tmp_path).to(peer)
        assert script.run(f"'scan.pdf', 'log.txt' | {SHORT} -To a@contoso.com") == ""
        names = [(part.get_filename(), part.get_content_type()) for part in only(peer).iter_attachments()]
        assert names == [("scan.pdf", "application/pdf"), ("log.txt", "text/plain")]

    def test_other_files_stay_where_they_are(self, relay: House, scripts: MakeScript, peer: Peer, tmp_path: Path):
        shown = scripts(relay, folder=tmp_path).to(peer).run(f"{SHORT} -To a@contoso.com -Attachments /etc/hostname")
        assert "Access to the path '/etc/hostname' is denied: name it with --allow-file" in shown
        assert peer.sessions == []

    def test_a_subject_of_two_lines(self, relay: House, scripts: MakeScript, peer: Peer):
        shown = (
            scripts(relay).to(peer).run(SHORT.replace("Test", '"One`r`nBcc: eve@contoso.com"') + " -To a@contoso.com")
        )
        assert "The specified string is not in the form required for a subject." in shown
        assert peer.sessions == []


class TestAddresses:
    def test_a_sender_that_is_none_ends_it(self, relay: House, scripts: MakeScript, peer: Peer):
        shown = scripts(relay).to(peer).run(SHORT.replace("scan@contoso.com", "scanner") + " -To a@contoso.com")
        assert "The specified string is not in the form required for an e-mail address." in shown
        assert peer.sessions == []

    def test_the_mail_goes_to_those_that_are(self, relay: House, scripts: MakeScript, peer: Peer):
        script = scripts(relay).to(peer)
        script.run(f"{SHORT} -To 'nobody', 'ann@contoso.com'")
        assert "is not in the form required for an e-mail address." in script.said("error")[0]
        assert peer.messages[0].recipients == ["RCPT TO:<ann@contoso.com>"]

    def test_two_in_one_text(self, relay: House, scripts: MakeScript, peer: Peer):
        script = scripts(relay).to(peer)
        script.run(f"{SHORT} -To 'ann@contoso.com;bob@contoso.com'")
        assert "An invalid character was found in the mail header: ';'." in script.said("error")[0]
        assert script.said("warning") == [
            "WARNING: Several addresses in one text; write -To 'a@contoso.com', 'b@contoso.com'."
        ]
        assert "A recipient must be specified." in script.said("error")[1]


class TestRefusal:
    @pytest.mark.parametrize(
        ("script", "text"),
        [
            (
                {"MAIL": "530 5.7.57 Client not authenticated to send mail"},
                "secure connection or the client was not authenticated. The server response was: 5.7.57 Client not",
            ),
            (
                {"CONNECT": "421 4.3.2 busy"},
                "Service not available, closing transmission channel. The server response ",
            ),
            ({"RCPT": "550 5.1.1 unknown"}, "Mailbox unavailable. The server response was: 5.1.1 unknown"),
            ({"RCPT": "450 4.2.1 later"}, "Mailbox unavailable. The server response was: 4.2.1 later"),
            ({"RCPT": "452 4.5.3 full"}, "Insufficient system storage. The server response was: 4.5.3 full"),
            ({"CONTENT": "554 5.6.0 no"}, "Transaction failed. The server response was: 5.6.0 no"),
            ({"CONTENT": "552 5.3.4 big"}, "Exceeded storage allocation. The server response was: 5.3.4 big"),
            ({"MAIL": "501 5.1.7 eh"}, "Syntax error in parameters or arguments. The server response was: 5.1.7 eh"),
        ],
        ids=lambda value: "" if isinstance(value, str) else "".join(value),
    )
    def test_in_the_words_of_windows(self, relay: House, scripts: MakeScript, script: dict[str, str], text: str):
        with Peer(**script) as peer:
            runs = scripts(relay).to(peer)
            runs.run(f"{SHORT} -To ann@contoso.com")
        assert text in runs.said("error")[0]
        assert "FullyQualifiedErrorId : SmtpException,Microsoft.PowerShell" in runs.said("error")[0]
        assert len(runs.said("warning")) == 1

    def test_of_one_of_two(self, relay: House, scripts: MakeScript):
        with Peer(RCPT=["250 ok", "550 5.1.1 unknown"]) as peer:
            shown = scripts(relay).to(peer).run(f"{SHORT} -To ann@contoso.com,bob@contoso.com")
            assert peer.messages[0].recipients == ["RCPT TO:<ann@contoso.com>"]
        assert "Mailbox unavailable. The server response was: 5.1.1 unknown" in shown

    def test_of_both_for_different_reasons(self, relay: House, scripts: MakeScript):
        with Peer(RCPT=["550 5.1.1 unknown", "551 5.7.1 moved"]) as peer:
            shown = scripts(relay).to(peer).run(f"{SHORT} -To ann@contoso.com,bob@contoso.com")
        assert "Send-MailMessage : Unable to send to all recipients." in shown

    def test_caught_by_its_type(self, relay: House, scripts: MakeScript):
        with Peer(RCPT="550 5.1.1 unknown") as peer:
            shown = (
                scripts(relay)
                .to(peer)
                .run(
                    f"try {{ {SHORT} -To a@contoso.com -ErrorAction Stop -WarningAction SilentlyContinue }}"
                    ' catch [System.Net.Mail.SmtpException] { "caught: $($_.Exception.Message)" }'
                )
            )
        assert shown == "caught: Mailbox unavailable. The server response was: 5.1.1 unknown\n"

    def test_silently(self, relay: House, scripts: MakeScript):
        with Peer(RCPT="550 5.1.1 unknown") as peer:
            script = scripts(relay).to(peer)
            assert script.run(f"{SHORT} -To a@contoso.com -EA SilentlyContinue -WA SilentlyContinue; 'on'") == "on\n"
