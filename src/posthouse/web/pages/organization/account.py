"""Everybody's own account: password, codes of an app, recovery codes, sessions."""

from __future__ import annotations

import base64
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response

from posthouse.admin import AdminError, Face, SignInRefused, totp
from posthouse.admin.actors import VOUCHED
from posthouse.admin.administrators import token_hash
from posthouse.web.access import SESSION_COOKIE, TheDesk, origin_of
from posthouse.web.pages.entrance import with_session
from posthouse.web.pages.forms import Errors, Form
from posthouse.web.pages.organization import qr
from posthouse.web.pages.rendering import redirect, render, texts_of
from posthouse.web.pages.visitor import Visiting, Visitor
from posthouse.web.problems import Refusal

router = APIRouter()

_GROUP = 4


@router.get("/account")
def account(request: Request, visitor: Visiting, desk: TheDesk) -> Response:
    return _page(request, visitor, desk, {})


@router.post("/account/password")
def change_password(request: Request, visitor: Visiting, desk: TheDesk) -> Response:
    form, text = visitor.form, texts_of(request)
    _require_password(visitor)
    try:
        session = desk.authentication.change_password(
            visitor.actor.name,
            form.secret("password"),
            form.secret("new"),
            form.text("code"),
            face=Face.WEB,
            origin=origin_of(request),
        )
    except SignInRefused as error:
        return _page(request, visitor, desk, {"password": [_refused(request, error)]})
    except AdminError as error:
        return _page(request, visitor, desk, {"new": error.lines})
    to = redirect("/account", text("Your password is changed. Your other sessions have ended."))
    return with_session(request, to, session)


@router.get("/account/app")
def app(request: Request, visitor: Visiting, desk: TheDesk) -> Response:
    _require_password(visitor)
    return _app_page(request, visitor, desk, totp.new_secret(), {})


@router.post("/account/app")
def set_app(request: Request, visitor: Visiting, desk: TheDesk) -> Response:
    """The new secret comes back with the form: it is the owner's until then, and nobody has to keep it."""
    form = visitor.form
    _require_password(visitor)
    secret = _secret(form)
    try:
        session = desk.authentication.change_totp(
            visitor.actor.name,
            form.secret("password"),
            form.text("code"),
            secret,
            form.text("first"),
            face=Face.WEB,
            origin=origin_of(request),
        )
    except SignInRefused as error:
        return _app_page(request, visitor, desk, secret, {"password": [_refused(request, error)]})
    except AdminError:
        wrong = texts_of(request)("This is not the code that the app shows. Is the clock of your phone right?")
        return _app_page(request, visitor, desk, secret, {"first": [wrong]})
    return _codes_page(request, desk, session)


@router.post("/account/app/off")
def end_app(request: Request, visitor: Visiting, desk: TheDesk) -> Response:
    form = visitor.form
    _require_password(visitor)
    try:
        session = desk.authentication.change_totp(
            visitor.actor.name,
            form.secret("password"),
            form.text("code"),
            b"",
            "",
            face=Face.WEB,
            origin=origin_of(request),
        )
    except SignInRefused as error:
        return _page(request, visitor, desk, {"off": [_refused(request, error)]})
    return with_session(request, redirect("/account", texts_of(request)("No code is asked for any more.")), session)


@router.post("/account/recovery-codes")
def new_recovery_codes(request: Request, visitor: Visiting, desk: TheDesk) -> Response:
    """Shown in the answer, and never again."""
    form, origin = visitor.form, origin_of(request)
    _require_password(visitor)
    try:
        session = desk.authentication.sign_in(
            visitor.actor.name, form.secret("password"), form.text("code"), face=Face.WEB, origin=origin
        )
    except SignInRefused as error:
        return _page(request, visitor, desk, {"recovery": [_refused(request, error)]})
    desk.authentication.sign_out(request.cookies[SESSION_COOKIE], face=Face.WEB, origin=origin)
    return _codes_page(request, desk, session)


@router.post("/account/sign-out-everywhere")
def sign_out_everywhere(request: Request, visitor: Visiting, desk: TheDesk) -> Response:
    desk.authentication.sign_out_everywhere(visitor.actor)
    response = redirect("/sign-in", texts_of(request)("You are signed out everywhere."))
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax")
    return response


def _page(request: Request, visitor: Visitor, desk: TheDesk, errors: Errors) -> Response:
    name = visitor.actor.name
    return render(
        request,
        "organization/account.html",
        HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK,
        errors=errors,
        is_vouched=name.startswith(VOUCHED),
        has_app=desk.authentication.asks_for_codes(name),
        recovery_codes=desk.authentication.recovery_codes_left(name),
        sessions=desk.authentication.sessions(name),
        this_session=token_hash(request.cookies[SESSION_COOKIE]),
    )


def _app_page(request: Request, visitor: Visitor, desk: TheDesk, secret: bytes, errors: Errors) -> Response:
    name, written = visitor.actor.name, base64.b32encode(secret).decode()
    side, path = qr.path(qr.encoded(totp.enrolment_uri(secret, name)))
    return render(
        request,
        "organization/app.html",
        HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK,
        errors=errors,
        secret=written,
        grouped=" ".join(written[start : start + _GROUP] for start in range(0, len(written), _GROUP)),
        side=side,
        path_of_code=path,
        has_app=desk.authentication.asks_for_codes(name),
    )


def _codes_page(request: Request, desk: TheDesk, session: str) -> Response:
    codes = desk.authentication.new_recovery_codes(session, face=Face.WEB, origin=origin_of(request))
    return with_session(request, render(request, "organization/recovery_codes.html", codes=codes), session)


def _secret(form: Form) -> bytes:
    """As the page before sent it along."""
    try:
        secret = base64.b32decode(form.text("secret"))
    except ValueError:
        secret = b""
    if len(secret) != len(totp.new_secret()):
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "the form has no secret; begin again at /account/app")
    return secret


def _refused(request: Request, error: SignInRefused) -> str:
    seconds = getattr(error, "seconds", None)
    text = texts_of(request)
    if seconds is not None:
        return text("Too many failed sign-ins. Try again in {seconds} seconds.", seconds=int(seconds) + 1)
    return text("Password or code is wrong. Try again.")


def _require_password(visitor: Visitor) -> None:
    if not visitor.actor.is_administrator:
        raise Refusal(HTTPStatus.FORBIDDEN, "your password and codes are those of the provider that signed you in")
