"""Access tokens from Microsoft Entra ID, by OAuth2's client credentials grant (RFC 6749 4.4). Got with msal; blocking.

Those of a user come from `oauth_user`, those of an Azure machine from `oauth_machine`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msal
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from posthouse.net.certificates import Identity
from posthouse.net.oauth_scopes import GRAPH, OUTLOOK
from posthouse.net.oauth_wire import (
    TIMEOUT,
    Token,
    TokenError,
    TokenRefused,
    TokenUnavailable,
    asking,
    secure_session,
    token_in,
)

__all__ = [
    "GRAPH",
    "OUTLOOK",
    "Application",
    "Token",
    "TokenError",
    "TokenRefused",
    "TokenUnavailable",
    "acquire_token",
]


@dataclass(frozen=True, slots=True)
class Application:
    """What is registered in a tenant for this relay. `proof` is a client secret, or a certificate with its key."""

    tenant: str
    client_id: str
    proof: str | Identity = field(repr=False)
    authority: str = "https://login.microsoftonline.com"


def acquire_token(
    application: Application, scope: str = OUTLOOK, *, own_roots: Sequence[str] = (), timeout: float = TIMEOUT
) -> Token:
    """A fresh token. `own_roots` are trusted besides the public ones; `timeout` is for each request.

    Raises `TokenError`.
    """
    proof = _proof(application.proof)
    asked_at = time.time()
    with asking(application.authority), secure_session(own_roots, timeout) as session:
        client = msal.ConfidentialClientApplication(
            application.client_id,
            client_credential=proof,
            authority=f"{application.authority.rstrip('/')}/{application.tenant}",
            instance_discovery=False,  # the administrator's word is enough: a national cloud, or a stand-in
            http_client=session,
        )
        answer: dict[str, Any] = client.acquire_token_for_client([scope]) or {}
    return token_in(answer, application.authority, asked_at)


def _proof(proof: str | Identity) -> str | dict[str, str]:
    """As msal wants it. The certificate goes along (x5c), so that one renewed by the same CA is known by its name."""
    if isinstance(proof, str):
        return proof
    if not isinstance(proof.key, RSAPrivateKey):
        raise TokenRefused("the certificate's key is not RSA, and Entra takes no other", "make one with an RSA key")
    return {
        "private_key": proof.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "public_certificate": proof.certificate.public_bytes(Encoding.PEM).decode(),
    }
