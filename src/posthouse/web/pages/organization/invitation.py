"""The link by which somebody sets a password: the first one, or another where it is forgotten."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from posthouse.admin import AdminError, Face, SignInRefused
from posthouse.web.access import TheDesk, origin_of
from posthouse.web.pages.forms import Errors, Form, query_form, with_query
from posthouse.web.pages.rendering import redirect, render, texts_of
from posthouse.web.pages.visitor import same_origin_form

router = APIRouter()


@router.get("/invitation")
def invitation(request: Request, desk: TheDesk) -> Response:
    return _page(request, desk, query_form(request).secret("secret"), {})


@router.post("/invitation")
def accept(request: Request, desk: TheDesk, form: Annotated[Form, Depends(same_origin_form)]) -> Response:
    """He signs in then, with a code where one is asked for."""
    secret = form.secret("secret")
    try:
        name = desk.authentication.accept_invitation(
            secret, form.secret("password"), face=Face.WEB, origin=origin_of(request)
        )
    except SignInRefused as error:
        return _page(request, desk, secret, {"": error.lines})
    except AdminError as error:
        return _page(request, desk, secret, {"password": error.lines})
    return redirect(with_query("/sign-in", name=name), texts_of(request)("Your password is set. Sign in with it."))


def _page(request: Request, desk: TheDesk, secret: str, errors: Errors) -> Response:
    name = desk.authentication.invited(secret) or ""
    status = HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK if name else HTTPStatus.NOT_FOUND
    return render(request, "organization/invitation.html", status, name=name, secret=secret, errors=errors)
