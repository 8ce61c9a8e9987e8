"""Access tokens of a user who signed in once by a device code (RFC 8628), and of the refresh token from then on.

The application is a public client: it has no secret. https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import msal

from posthouse.mail.text import one_line
from posthouse.net.oauth_scopes import delegated
from posthouse.net.oauth_wire import (
    TIMEOUT,
    Token,
    TokenRefused,
    TokenUnavailable,
    asking,
    refusal,
    secure_session,
    token_in,
)

_STILL_WAITING: Final = ("authorization_pending", "slow_down")
_ENDED: Final = {
    "authorization_declined": "sign in again, and accept the permissions",
    "access_denied": "sign in again, and accept the permissions",
    "expired_token": "the code was not entered in time; ask for another one",
}
_LONGEST_INTERVAL: Final = 60
"""Seconds between two questions whether the user is done."""


@dataclass(frozen=True, slots=True)
class PublicClient:
    """What is registered in a tenant for this relay, with public client flows allowed."""

    tenant: str
    client_id: str
    authority: str = "https://login.microsoftonline.com"


@dataclass(frozen=True, slots=True)
class UserToken:
    """`refresh_token` gives the next one. `user` is who signed in, as far as Entra says."""

    token: Token
    refresh_token: str = field(repr=False)
    user: str = ""


class DeviceCode:
    """A sign-in on its way: the user opens `page` on any device and enters `code`, before `expires_at`."""

    def __init__(self, client: msal.PublicClientApplication, authority: str, flow: dict[str, Any]) -> None:
        self._client = client
        self._authority = authority
        self._flow = flow
        self.page = one_line(str(flow["verification_uri"]))
        self.code = one_line(str(flow["user_code"]))
        self.expires_at = float(flow["expires_at"])

    def wait(self, pause: Callable[[float], object] = time.sleep, clock: Callable[[], float] = time.time) -> UserToken:
        """Until the user has signed in. Raises `TokenError` when he declines, or the code expires."""
        interval = _within(self._flow["interval"])
        while clock() < self.expires_at:
            asked_at = time.time()
            answer, interval = self._asked(interval)
            if answer.get("error") not in _STILL_WAITING:
                return _user_token(answer, self._authority, asked_at)
            pause(interval)
        raise TokenRefused("nobody signed in", _ENDED["expired_token"])

    def _asked(self, interval: int) -> tuple[dict[str, Any], int]:
        """The answer, and the seconds until the next question; more after trouble on the way (RFC 8628 3.5)."""
        attempt = self._flow | {"interval": interval}  # msal writes into it
        try:
            with asking(self._authority):
                answer = self._client.acquire_token_by_device_flow(attempt, exit_condition=lambda _: True)
        except TokenUnavailable:
            return {"error": _STILL_WAITING[0]}, _within(2 * interval)
        return answer, _within(attempt["interval"])


@contextmanager
def device_code(
    application: PublicClient, scope: str, *, own_roots: Sequence[str] = (), timeout: float = TIMEOUT
) -> Iterator[DeviceCode]:
    """A fresh code. Raises `TokenError`."""
    with secure_session(own_roots, timeout) as session:
        with asking(application.authority):
            client = _client(application, session)
            flow = client.initiate_device_flow(delegated(scope))
        if not all(isinstance(flow.get(key), str) for key in ("user_code", "device_code", "verification_uri")):
            said = str(flow.get("error_description", ""))
            raise refusal(said, said or f"{application.authority} gives no device code that makes sense")
        yield DeviceCode(client, application.authority, flow)


def refreshed(
    application: PublicClient,
    refresh_token: str,
    scope: str,
    *,
    own_roots: Sequence[str] = (),
    timeout: float = TIMEOUT,
) -> UserToken:
    """A fresh token, and the refresh token to use from now on. Raises `TokenError`."""
    asked_at = time.time()
    with asking(application.authority), secure_session(own_roots, timeout) as session:
        client = _client(application, session)
        answer = client.acquire_token_by_refresh_token(refresh_token, delegated(scope))
    fresh = _user_token(answer, application.authority, asked_at)
    return fresh if fresh.refresh_token else UserToken(fresh.token, refresh_token, fresh.user)


def _within(interval: int) -> int:
    return max(1, min(interval, _LONGEST_INTERVAL))


def _client(application: PublicClient, session: Any) -> msal.PublicClientApplication:
    return msal.PublicClientApplication(
        application.client_id,
        authority=f"{application.authority.rstrip('/')}/{application.tenant}",
        instance_discovery=False,  # the administrator's word is enough: a national cloud, or a stand-in
        http_client=session,
    )


def _user_token(answer: dict[str, Any], authority: str, asked_at: float) -> UserToken:
    if remedy := _ENDED.get(str(answer.get("error"))):
        said = str(answer.get("error_description", ""))
        raise refusal(said, str(answer["error"]), remedy)
    token = token_in(answer, authority, asked_at)
    refresh_token, claims = answer.get("refresh_token"), answer.get("id_token_claims")
    user = claims.get("preferred_username") if isinstance(claims, dict) else None
    return UserToken(
        token,
        refresh_token if isinstance(refresh_token, str) else "",
        one_line(user) if isinstance(user, str) else "",
    )
