"""What Exchange Online says at client submission when it refuses, word for word; knowledge.toml names the pages."""

from __future__ import annotations

NAME = "AM0PR04CA0012.eurprd04.prod.outlook.com"

STARTTLS_FIRST = f"451 5.7.3 STARTTLS is required to send mail [{NAME}]"
NO_MECHANISM = f"504 5.7.4 Unrecognized authentication type [{NAME}]"
NOT_SIGNED_IN = f"530 5.7.57 Client not authenticated to send mail. [{NAME}]"
UNSUCCESSFUL = f"535 5.7.3 Authentication unsuccessful [{NAME}]"
WRONG_PASSWORD = f"535 5.7.139 Authentication unsuccessful, the user credentials were incorrect. [{NAME}]"
OFF_FOR_TENANT = (
    "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. "
    f"Visit https://aka.ms/smtp_auth_disabled for more information. [{NAME}]"
)
OFF_FOR_MAILBOX = OFF_FOR_TENANT.replace("Tenant", "Mailbox")
SECURITY_DEFAULTS = (
    "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy. "
    f"Contact your administrator. [{NAME}]"
)
CONDITIONAL_ACCESS = (
    "535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated successfully. "
    f"Contact your administrator. [{NAME}]"
)
BASIC_IS_OVER = "550 5.7.30 Basic authentication is not supported for Client Submission."
TOO_MANY_CONNECTIONS = (
    "432 4.3.2 Concurrent connections limit exceeded. "
    f"Visit https://aka.ms/concurrent_sending for more information. [Hostname={NAME}]"
)
TOO_FAST = f"451 4.7.500 Server busy. Please try again later from [127.0.0.1]. (S77719) [{NAME}]"
_EXCEPTION = (
    "Failed to process message due to a permanent exception with message [BeginDiagnosticData]Cannot submit message."
)
QUOTA_EXCEEDED = (
    f"554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; {_EXCEPTION} [Hostname={NAME}]"
)
TOO_MANY_RECIPIENTS = f"452 4.5.3 Too many recipients [{NAME}]"
MAY_NOT_SEND_AS = f"550 5.7.60 SMTP; Client does not have permissions to send as this sender [Hostname={NAME}]"


def send_as_denied(mailbox: str, sender: str) -> str:
    return (
        f"554 5.2.252 SendAsDenied; {mailbox} not allowed to send as {sender}; "
        "STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; "
        f"{_EXCEPTION} [Hostname={NAME}]"
    )
