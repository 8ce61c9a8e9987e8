"""What System.Net.Mail says of an answer or a failure, since that is what administrators search for.

https://learn.microsoft.com/dotnet/api/system.net.mail.smtpstatuscode
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from posthouse.probe.send import SendResult

_UNAUTHENTICATED: Final = "The SMTP server requires a secure connection or the client was not authenticated."
_UNAVAILABLE: Final = "Mailbox unavailable."
_UNKNOWN: Final = "Syntax error, command unrecognized."
_STATUSES: Final = {
    421: "Service not available, closing transmission channel.",
    450: _UNAVAILABLE,
    451: "Error in processing.",
    452: "Insufficient system storage.",
    454: "Client does not have permission to submit mail to this server.",
    501: "Syntax error in parameters or arguments.",
    502: "Command not implemented.",
    503: "Bad sequence of commands.",
    504: "Command parameter not implemented.",
    530: _UNAUTHENTICATED,
    535: _UNAUTHENTICATED,  # .NET goes on without having signed in, and the server refuses MAIL
    550: _UNAVAILABLE,
    551: "User not local; please try a different path.",
    552: "Exceeded storage allocation.",
    553: "Mailbox name not allowed.",
    554: "Transaction failed.",
}
_FAILURE: Final = "Failure sending mail."
UNTRUSTED: Final = "The remote certificate is invalid according to the validation procedure."
_BROKEN: Final = (
    ("does not offer STARTTLS", "Server does not support secure connections.", ""),
    ("no name server answered", _FAILURE, "The remote name could not be resolved."),
    ("has no address", _FAILURE, "The remote name could not be resolved."),
    ("refused the connection", _FAILURE, "Unable to connect to the remote server"),
    ("no answer within", "The operation has timed out.", ""),
    ("said nothing for", "The operation has timed out.", ""),
)
"""Of our own sentences, what is in each; what .NET says then, and what Send-MailMessage digs out of it."""


_NAMESPACES: Final = {
    "SmtpException": "Net.Mail.",
    "SmtpFailedRecipientException": "Net.Mail.",
    "SmtpFailedRecipientsException": "Net.Mail.",
    "AuthenticationException": "Security.Authentication.",
}


class SmtpFailure(Exception):
    """`kind` is the name of the exception; `inner` the message of the one within, where there is one."""

    def __init__(self, text: str, kind: str = "SmtpException", inner: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.kind = kind
        self.inner = inner

    @property
    def exception(self) -> str:
        """The full name of its type."""
        return f"System.{_NAMESPACES.get(self.kind, '')}{self.kind}"


def failure(result: SendResult) -> SmtpFailure | None:
    """What .NET would raise. Several recipients that got the same answer are as one."""
    if result.error is None:
        return None
    if result.error == UNTRUSTED:
        return SmtpFailure(UNTRUSTED, "AuthenticationException")
    refused = [one.reply for one in result.replies if not one.reply.is_positive and one.reply.text != result.error]
    if len(set(refused)) > 1:
        everybody = len(refused) == len(result.replies)
        text = "Unable to send to all recipients." if everybody else "Unable to send to a recipient."
        return SmtpFailure(text, "SmtpFailedRecipientsException")
    if refused:
        kind = "SmtpFailedRecipientException" if len(refused) < len(result.replies) else "SmtpException"
        return SmtpFailure(_words(str(refused[0])), kind)
    if result.explanations:
        return SmtpFailure(_words(result.explanations[0].reply))
    for part, text, inner in _BROKEN:
        if part in result.error:
            return SmtpFailure(text, inner=inner)
    return SmtpFailure(_FAILURE)


def _words(reply: str) -> str:
    code, _, text = reply.partition(" ")
    status = _STATUSES.get(int(code) if code.isdecimal() else 0, _UNKNOWN)
    return f"{status} The server response was: {' '.join(text.split())}"
