"""Signing in to a next hop: what a transport needs of whoever keeps the access tokens."""

from __future__ import annotations

from typing import Protocol

from posthouse.organization import Credential
from posthouse.transports.connection import SessionFailed


class SignInFailed(SessionFailed):
    """Nobody is signed in. The mail isn't at fault, so `reply` defers it; its text says what to do."""


class Tokens(Protocol):
    """Access tokens of credentials, kept until shortly before they expire and shared by all workers.

    `scope` is always `https://<resource>/.default`, like `https://graph.microsoft.com/.default`, whatever the kind of
    the credential: the delegated permissions of a device code follow from the resource.
    """

    async def get(self, credential: Credential, scope: str) -> str:
        """A token that is still good for a while. Raises `SignInFailed`."""
        ...

    async def forget(self, credential: Credential, scope: str, token: str) -> None:
        """The resource refused this token (401, or 535 after XOAUTH2): the next `get` brings another one.

        Names the token, so that of many who were refused at once none throws away what another has just got.
        """
        ...
