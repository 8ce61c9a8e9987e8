"""Signing in and out, and the theme."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from posthouse.admin import Face, LockedOut, SignInRefused
from posthouse.admin.authentication import SESSION_SECONDS
from posthouse.web.access import SESSION_COOKIE, TheDesk, desk_of, origin_of
from posthouse.web.pages import shown
from posthouse.web.pages.forms import Form, query_form, with_query
from posthouse.web.pages.rendering import THEME_COOKIE, THEMES, redirect, render, texts_of
from posthouse.web.pages.visitor import Visiting, same_origin_form

router = APIRouter()
_YEAR = 365 * 24 * 3600

SentHere = Annotated[Form, Depends(same_origin_form)]


@router.get("/sign-in")
def sign_in_page(request: Request) -> Response:
    return shown_sign_in(request, query_form(request))


@router.post("/sign-in")
def sign_in(request: Request, desk: TheDesk, form: SentHere) -> Response:
    try:
        session = desk.authentication.sign_in(
            form.text("name"), form.text("password"), form.text("code"), face=Face.WEB, origin=origin_of(request)
        )
    except LockedOut as error:
        return shown_lock_out(request, form, error)
    except SignInRefused:
        wrong = texts_of(request)("Name, password or code is wrong. Try again.")
        return shown_sign_in(request, form, wrong, status=HTTPStatus.UNAUTHORIZED)
    return with_session(request, redirect(shown.local_path(form.text("next"))), session)


@router.post("/sign-out")
def sign_out(request: Request, desk: TheDesk, _: Visiting) -> Response:
    session = request.cookies[SESSION_COOKIE]
    desk.authentication.sign_out(session, face=Face.WEB, origin=origin_of(request))
    response = redirect("/sign-in", texts_of(request)("You are signed out."))
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax")
    return response


@router.post("/theme")
def choose_theme(visitor: Visiting) -> Response:
    response = redirect(shown.local_path(visitor.form.text("back")))
    theme = visitor.form.text("theme")
    if theme in THEMES:
        response.set_cookie(THEME_COOKIE, theme, max_age=_YEAR, httponly=True, samesite="lax")
    return response


def with_session(request: Request, response: Response, session: str) -> Response:
    response.set_cookie(
        SESSION_COOKIE,
        session,
        max_age=int(SESSION_SECONDS),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


def shown_lock_out(request: Request, form: Form, error: LockedOut) -> Response:
    seconds = int(error.seconds) + 1
    wait = texts_of(request)("Too many failed sign-ins. Try again in {seconds} seconds.", seconds=seconds)
    return shown_sign_in(request, form, wait, status=HTTPStatus.TOO_MANY_REQUESTS)


def shown_sign_in(request: Request, form: Form, *alerts: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
    to = shown.local_path(form.text("next"))
    issuer = desk_of(request).settings.admin.oidc_issuer
    return render(
        request,
        "sign_in.html",
        status,
        alerts=alerts,
        name=form.text("name"),
        to=to,
        provider=_provider_name(issuer),
        by_provider=with_query("/sign-in/oidc", next=to),
    )


def _provider_name(issuer: str) -> str:
    """What people call it; empty where there is none."""
    host = urlsplit(issuer).hostname or ""
    return "Microsoft Entra ID" if host.startswith("login.microsoftonline.") else host
