"""Organization > API tokens: what programs sign in with."""

from __future__ import annotations

import time
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response

from posthouse.admin import Acts, AdminError, Role
from posthouse.settings import parse_duration
from posthouse.web.pages.forms import Errors, Form, query_form
from posthouse.web.pages.rendering import redirect, render, texts_of
from posthouse.web.pages.visitor import Acting, Visiting

router = APIRouter()

LIFETIMES = ("30d", "90d", "180d", "365d", "730d")
_USUAL = "90d"
_SOON = 14 * 86400.0


@router.get("/tokens")
def list_tokens(request: Request, admin: Acting, _: Visiting) -> Response:
    now = time.time()
    return render(request, "organization/tokens.html", tokens=admin.tokens.list(), now=now, soon=now + _SOON)


@router.get("/tokens/new")
def new_token(request: Request, admin: Acting, _: Visiting) -> Response:
    admin.ledger.check(Acts.NEW_TOKEN)
    return _new_page(request, query_form(request), {})


@router.post("/tokens/new")
def make_token(request: Request, admin: Acting, visitor: Visiting) -> Response:
    """It is shown in the answer, and never again."""
    admin.ledger.check(Acts.NEW_TOKEN)
    form, text = visitor.form, texts_of(request)
    name = form.text("name")
    if not name:
        return _new_page(request, form, {"name": [text("Fill this in.")]})
    try:
        lifetime = parse_duration(form.text("expires", _USUAL))
    except ValueError as error:
        return _new_page(request, form, {"expires": [str(error)]})
    try:
        token = admin.tokens.new(name, Role.named(form.text("role", Role.VIEW_ONLY)), lifetime)
    except AdminError as error:
        return _new_page(request, form, {"expires" if "the token would" in str(error) else "name": error.lines})
    return render(request, "organization/made_token.html", name=name, token=token, base=str(request.base_url))


@router.post("/tokens/by-name/{name}/remove")
def remove(request: Request, admin: Acting, _: Visiting, name: str) -> Response:
    admin.tokens.remove(name)
    return redirect("/tokens", texts_of(request)("{name} is revoked.", name=name))


def _new_page(request: Request, form: Form, errors: Errors) -> Response:
    return render(
        request,
        "organization/new_token.html",
        HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK,
        form=form,
        errors=errors,
        roles=list(Role),
        role=form.text("role", Role.VIEW_ONLY),
        lifetimes=LIFETIMES,
        expires=form.text("expires", _USUAL),
    )
