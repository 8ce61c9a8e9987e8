"""What Graph's refusals mean in SMTP, in one table.

The codes are those of Exchange, which Graph passes on, and Graph's own:
https://learn.microsoft.com/graph/errors
https://learn.microsoft.com/graph/resolve-auth-errors
https://learn.microsoft.com/exchange/client-developer/web-service-reference/responsecode
"""

from __future__ import annotations

import http
from typing import Final

from posthouse.mail import Reply
from posthouse.mail.text import one_line

_LONGEST: Final = 300

_BY_CODE: Final = {
    # The message: it would be refused again.
    "ErrorSendAsDenied": (550, "5.7.60"),
    "ErrorMimeContentInvalid": (554, "5.6.0"),
    "ErrorMimeContentInvalidBase64String": (554, "5.6.0"),
    "ErrorMimeContentConversionFailed": (554, "5.6.0"),
    "ErrorInvalidRecipients": (553, "5.1.3"),
    "ErrorExceededMaxRecipientLimit": (550, "5.5.3"),
    "ErrorMessageSizeExceeded": (552, "5.3.4"),
    "ErrorAttachmentSizeLimitExceeded": (552, "5.3.4"),
    # How things are set up: somebody can correct it before the mail is given up.
    "ErrorAccessDenied": (451, "4.7.1"),
    "Authorization_RequestDenied": (451, "4.7.1"),
    "InvalidAuthenticationToken": (454, "4.7.0"),
    "ErrorInvalidUser": (451, "4.3.5"),
    "ResourceNotFound": (451, "4.3.5"),
    "Request_ResourceNotFound": (451, "4.3.5"),
    "MailboxNotEnabledForRESTAPI": (451, "4.3.5"),
    "ErrorQuotaExceeded": (452, "4.2.2"),
    # What passes.
    "ErrorExceededMessageLimit": (450, "4.2.2"),
    "ErrorMessageSubmissionBlocked": (450, "4.7.1"),
}
_BY_STATUS: Final[dict[int, tuple[int, str]]] = {
    http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (552, "5.3.4"),
    http.HTTPStatus.TOO_MANY_REQUESTS: (450, "4.4.5"),
    http.HTTPStatus.SERVICE_UNAVAILABLE: (450, "4.3.2"),
}
_TRANSIENT: Final = (451, "4.3.0")
"""Whatever is in neither table costs no mail before its time is up."""


class GraphFailed(Exception):
    """A request came to nothing. `reply` is what that means for the mail, `status` the HTTP status, 0 for none.

    `is_doubtful`: it may have been done all the same.
    """

    def __init__(self, reply: Reply, *, status: int = 0, is_doubtful: bool = False) -> None:
        super().__init__(str(reply))
        self.reply = reply
        self.status = status
        self.is_doubtful = is_doubtful


def refusal(status: int, code: str, message: str) -> Reply:
    """The SMTP reply for an answer of Graph's. `code` and `message` are its own words."""
    reply_code, enhanced = _BY_CODE.get(code) or _BY_STATUS.get(status, _TRANSIENT)
    words = ": ".join(filter(None, (code, one_line(message[:_LONGEST]).strip())))
    return Reply(reply_code, enhanced, f"Microsoft Graph answered {status} {words}".strip())
