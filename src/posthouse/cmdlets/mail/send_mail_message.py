"""Send-MailMessage, as Windows PowerShell 5.1 has it.

https://learn.microsoft.com/powershell/module/microsoft.powershell.utility/send-mailmessage
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from posthouse.cmdlets.conversion import INT, STRING, STRINGS, SWITCH
from posthouse.cmdlets.encodings import CHARSET
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Parameter
from posthouse.cmdlets.mail.credentials import CREDENTIAL, Credential
from posthouse.cmdlets.mail.letters import ASCII, FormatException, Letter, mailbox
from posthouse.cmdlets.mail.net_mail import DELIVERY_NOTIFICATION, PRIORITY, attachment, notify_of
from posthouse.cmdlets.mail.sending import Server, send_letter
from posthouse.cmdlets.mail.smtp_words import SmtpFailure
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import Value
from posthouse.probe.compose import Mailbox

_CLASS: Final = "Microsoft.PowerShell.Commands.SendMailMessage"


def send_mail_message(context: Context, bound: Bound) -> Iterator[Value]:
    try:
        send_letter(_letter(context, bound), _server(context, bound), context.services, context.warning)
    except SmtpFailure as failed:
        raise PSError(
            failed.inner or failed.text,
            error_id=f"{failed.kind},{_CLASS}",
            exception=failed.exception,
        ) from None
    except ValueError as error:
        raise PSError(str(error), category="InvalidArgument", error_id=f"ArgumentException,{_CLASS}") from None
    yield from ()


def _letter(context: Context, bound: Bound) -> Letter:
    charset = bound.get("Encoding", ASCII)
    try:
        sender = mailbox(bound["From"])
    except FormatException as error:
        raise _format_error(error, bound["From"]) from None
    return Letter(
        sender=sender,
        to=_mailboxes(context, bound, "To"),
        cc=_mailboxes(context, bound, "Cc"),
        bcc=_mailboxes(context, bound, "Bcc"),
        reply_to=_mailboxes(context, bound, "ReplyTo"),
        subject=bound["Subject"],
        body=bound.get("Body", ""),
        is_html=bound.get("BodyAsHtml", False),
        charset=charset,
        subject_charset=charset,
        priority=bound.get("Priority", "Normal"),
        attachments=[attachment(context.services, path) for path in _paths(bound)],
        notify=notify_of(bound.get("DeliveryNotificationOption", "")),
    )


def _mailboxes(context: Context, bound: Bound, name: str) -> list[Mailbox]:
    """One that is none is reported, and the mail goes to the others."""
    found: list[Mailbox] = []
    for text in bound.get(name, ()):
        try:
            found.append(mailbox(text))
        except FormatException as error:
            context.error(_format_error(error, None))
            if any(separator in text for separator in ",;"):
                context.warning(f"Several addresses in one text; write -{name} 'a@contoso.com', 'b@contoso.com'.")
    return found


def _format_error(error: FormatException, target: Value) -> PSError:
    return PSError(
        str(error),
        category="InvalidType",
        error_id=f"FormatException,{_CLASS}",
        exception="System.FormatException",
        target=target,
    )


def _paths(bound: Bound) -> list[str]:
    """What -Attachments names, or what came through the pipeline."""
    return bound["Attachments"] if "Attachments" in bound else [to_text(path) for path in bound.pipeline]


def _server(context: Context, bound: Bound) -> Server:
    host = bound.get("SmtpServer") or to_text(context.variable("PSEmailServer"))
    if not host:
        text = (
            "The email cannot be sent because no SMTP server was specified. You must specify an SMTP server by using "
            "either the SmtpServer parameter or the $PSEmailServer variable."
        )
        raise PSError(text, category="InvalidArgument", error_id=_CLASS)
    credential: Credential | None = bound.get("Credential")
    return Server(
        host=host,
        port=bound.get("Port") or 25,
        is_secure=bound.get("UseSsl", False),
        user=credential.user if credential else "",
        password=credential.password if credential else "",
    )


SEND_MAIL_MESSAGE = Cmdlet(
    "Send-MailMessage",
    (
        Parameter(name="To", type=STRINGS, position=0, mandatory=True),
        Parameter(name="Subject", type=STRING, aliases=("sub",), position=1, mandatory=True),
        Parameter(name="Body", type=STRING, position=2),
        Parameter(
            name="SmtpServer",
            type=STRING,
            aliases=("ComputerName",),
            position=3,
            help="Without it, $PSEmailServer.",
        ),
        Parameter(name="From", type=STRING, mandatory=True),
        Parameter(name="Cc", type=STRINGS),
        Parameter(name="Bcc", type=STRINGS),
        Parameter(name="ReplyTo", type=STRINGS, help="Of PowerShell 6.2 and later."),
        Parameter(name="Attachments", type=STRINGS, aliases=("PsPath",), from_pipeline=True),
        Parameter(name="BodyAsHtml", type=SWITCH, aliases=("BAH",)),
        Parameter(name="Encoding", type=CHARSET, aliases=("BE",), help="ASCII, unless one is named."),
        Parameter(name="Priority", type=PRIORITY),
        Parameter(name="DeliveryNotificationOption", type=DELIVERY_NOTIFICATION, aliases=("DNO",)),
        Parameter(name="Port", type=INT),
        Parameter(name="Credential", type=CREDENTIAL),
        Parameter(name="UseSsl", type=SWITCH, help="STARTTLS."),
    ),
    send_mail_message,
    synopsis="Sends a mail with the test sender, and says what a refusal means.",
    whole=True,
)
