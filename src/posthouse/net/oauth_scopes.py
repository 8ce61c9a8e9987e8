"""What a token is for: the resources of Microsoft's clouds, and the permissions that a user gives for each.

https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud
https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

OUTLOOK: Final = "https://outlook.office365.com/.default"
"""For SMTP AUTH, with the application permission SMTP.SendAsApp."""
GRAPH: Final = "https://graph.microsoft.com/.default"

_OUTLOOK_BY_AUTHORITY: Final = {
    "login.microsoftonline.us": "https://outlook.office365.us/.default",
    "login.partner.microsoftonline.cn": "https://partner.outlook.cn/.default",
    "login.chinacloudapi.cn": "https://partner.outlook.cn/.default",
}


def outlook_scope(authority: str) -> str:
    """For SMTP AUTH in the cloud that an authority belongs to: the world's, US Government's or 21Vianet's."""
    return _OUTLOOK_BY_AUTHORITY.get(urlsplit(authority).hostname or "", OUTLOOK)


def resource_of(scope: str) -> str:
    """`https://outlook.office365.com/.default` without its end."""
    return scope.removesuffix("/.default")


def delegated(scope: str) -> list[str]:
    """The permissions that a user is asked for. Entra knows Exchange's of the world under another name."""
    resource = resource_of(scope)
    if (urlsplit(resource).hostname or "").startswith(("graph.", "microsoftgraph.", "dod-graph.")):
        return [f"{resource}/Mail.Send", f"{resource}/Mail.ReadWrite"]
    return [f"{'https://outlook.office.com' if scope == OUTLOOK else resource}/SMTP.Send"]
