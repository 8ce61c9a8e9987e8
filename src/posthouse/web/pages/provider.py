"""Signing in with Microsoft Entra ID, or another OpenID Connect provider.

What belongs to an attempt is in a cookie of its own until the browser comes back: whoever began it elsewhere, or has
another answer put into this browser, has another one or none.
"""

from __future__ import annotations

import os
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from posthouse.admin import Administration, Face, LockedOut, SignInRefused
from posthouse.net.oidc import Attempt, Client, IdentityError, Provider
from posthouse.web.access import Desk, TheDesk, origin_of
from posthouse.web.pages import shown
from posthouse.web.pages.entrance import shown_lock_out, shown_sign_in, with_session
from posthouse.web.pages.forms import Form, query_form
from posthouse.web.pages.rendering import redirect
from posthouse.web.problems import Refusal

router = APIRouter()

CALLBACK = "/sign-in/oidc/callback"
_COOKIE = "posthouse_attempt"
_SECONDS = 600
_LONGEST_NEXT = 1000
_ANSWER = ("state", "iss", "code", "error", "error_description")


@router.get("/sign-in/oidc")
def begin(request: Request, desk: TheDesk) -> Response:
    attempt = Attempt.new()
    to = shown.local_path(query_form(request).text("next"))
    try:
        address = _provider_of(desk).authorization_url(attempt, _callback(request))
    except IdentityError as error:
        return shown_sign_in(request, Form([]), str(error), status=HTTPStatus.BAD_GATEWAY)
    response = RedirectResponse(address, HTTPStatus.SEE_OTHER)
    kept = {"state": attempt.state, "nonce": attempt.nonce, "verifier": attempt.verifier}
    response.set_cookie(
        _COOKIE,
        urlencode({**kept, "next": to if len(to) <= _LONGEST_NEXT else "/"}),
        max_age=_SECONDS,
        path=CALLBACK,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


@router.get(CALLBACK)
def come_back(request: Request, desk: TheDesk) -> Response:
    kept, answer = Form(parse_qsl(request.cookies.get(_COOKIE, ""))), query_form(request)
    attempt = Attempt(kept.text("state"), kept.text("nonce"), kept.text("verifier"))
    given = {name: answer.text(name) for name in _ANSWER if name in answer}
    provider = _provider_of(desk)
    try:
        session = desk.authentication.sign_in_vouched(
            lambda: provider.identify(attempt, given, _callback(request)), face=Face.WEB, origin=origin_of(request)
        )
    except LockedOut as error:
        response = shown_lock_out(request, Form([]), error)
    except SignInRefused as error:
        response = shown_sign_in(request, Form([]), str(error), status=HTTPStatus.UNAUTHORIZED)
    else:
        response = with_session(request, redirect(shown.local_path(kept.text("next"))), session)
    response.delete_cookie(_COOKIE, path=CALLBACK, httponly=True, samesite="lax")
    return response


def _callback(request: Request) -> str:
    return str(request.url.replace(path=CALLBACK, query="", fragment=""))


def _provider_of(desk: Desk) -> Provider:
    admin = desk.settings.admin
    if not admin.oidc_issuer:
        raise Refusal(HTTPStatus.NOT_FOUND, "no provider is set up here; sign in by password")
    secret = os.environ.get(admin.oidc_client_secret_env, "") if admin.oidc_client_secret_env else ""
    client = Client(admin.oidc_issuer, admin.oidc_client_id, secret, admin.oidc_claim)
    return _provider(client, tuple(Administration(desk.store, {}).organization().trusted_roots))


@lru_cache(maxsize=2)
def _provider(client: Client, own_roots: tuple[str, ...]) -> Provider:
    return Provider(client, own_roots)
