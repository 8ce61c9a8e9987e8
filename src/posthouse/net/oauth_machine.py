"""Access tokens of the managed identity that an Azure machine, App Service or Arc server has. Got with msal; blocking.

Where to ask is said by the environment, as Azure sets it: `IDENTITY_ENDPOINT` with `IDENTITY_HEADER` (App Service,
Functions) or with `IMDS_ENDPOINT` (Arc); else it is the metadata service of virtual machines.
https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
"""

from __future__ import annotations

import os
import time
from http.client import GONE, NOT_FOUND, TOO_MANY_REQUESTS
from typing import Any, Final

import msal
import requests

from posthouse.net.oauth_scopes import resource_of
from posthouse.net.oauth_wire import Token, TokenRefused, TokenUnavailable, asking, local_session, refusal, token_in

_TIMEOUT: Final = 10.0
_PASSING: Final = (NOT_FOUND, GONE, TOO_MANY_REQUESTS)
"""The metadata service being updated, restarted or asked too often: the page on errors says to try again."""
_REMEDY: Final = "give this machine a managed identity; with client_id, the user-assigned one of that id"


def machine_token(scope: str, client_id: str = "", *, timeout: float = _TIMEOUT) -> Token:
    """A fresh token of the user-assigned identity `client_id`, else of the machine's own. Raises `TokenError`."""
    identity = (
        msal.UserAssignedManagedIdentity(client_id=client_id) if client_id else msal.SystemAssignedManagedIdentity()
    )
    asked_at = time.time()
    where = _where()
    with asking(where, _REMEDY), local_session(timeout, _PASSING) as session:
        try:
            client = msal.ManagedIdentityClient(identity, http_client=session)
            answer: dict[str, Any] = client.acquire_token_for_client(resource=resource_of(scope)) or {}
        except requests.RequestException:
            raise TokenUnavailable(
                f"{where} doesn't answer: this is no machine with a managed identity", _REMEDY
            ) from None
        except PermissionError as error:
            raise TokenRefused(
                f"{error.filename} can't be read", "add the user that posthouse runs as to the group himds"
            ) from None
    if "access_token" not in answer:
        said = str(answer.get("error_description") or answer.get("error") or "")
        raise refusal(said, said or f"{where} gives no token that makes sense", _REMEDY)
    return token_in(answer, where, asked_at)


def _where() -> str:
    """As errors name it."""
    imds = os.environ.get("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://169.254.169.254")
    return os.environ.get("IDENTITY_ENDPOINT", imds)
