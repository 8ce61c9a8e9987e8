"""Organization > Administrators and roles: who may sign in, and what each role may do."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response

from posthouse.admin import Acts, AdminError, Administration, NotFound, Permission, Role
from posthouse.admin.actors import VOUCHED
from posthouse.admin.roles import PERMISSIONS
from posthouse.spool import Administrator
from posthouse.web.access import TheDesk
from posthouse.web.pages import shown
from posthouse.web.pages.forms import Errors, Form, query_form
from posthouse.web.pages.rendering import redirect, render, texts_of
from posthouse.web.pages.visitor import Acting, Visiting

router = APIRouter()

BY_LINK, BY_PASSWORD = "link", "password"


@router.get("/administrators")
def list_administrators(request: Request, admin: Acting, _: Visiting, desk: TheDesk) -> Response:
    everyone = admin.administrators.list()
    query = query_form(request).text("q")
    found = [who for who in everyone if query.casefold() in f"{who.name}\n{' '.join(who.roles)}".casefold()]
    elsewhere = sorted({each.name for each in desk.authentication.sessions("") if each.name.startswith(VOUCHED)})
    return render(
        request,
        "organization/administrators.html",
        administrators=found,
        query=query,
        elsewhere=elsewhere,
        granted=desk.settings.admin.oidc_roles if desk.settings.admin.oidc_issuer else {},
        claim=desk.settings.admin.oidc_claim,
        roles=list(Role),
        permissions=PERMISSIONS,
        all_permissions=list(Permission),
    )


@router.get("/administrators/new")
def new_administrator(request: Request, admin: Acting, _: Visiting) -> Response:
    admin.ledger.check(Acts.NEW_ADMINISTRATOR)
    return _new_page(request, query_form(request), {})


@router.post("/administrators/new")
def make_administrator(request: Request, admin: Acting, visitor: Visiting) -> Response:
    """Its link is shown in the answer, and never again."""
    admin.ledger.check(Acts.NEW_ADMINISTRATOR)
    form, text = visitor.form, texts_of(request)
    name, roles = form.text("name"), _roles(form)
    if errors := _missing(request, form, roles):
        return _new_page(request, form, errors)
    try:
        if form.text("by") == BY_PASSWORD:
            admin.administrators.new(name, form.secret("password"), roles)
            return redirect(_path(name), text("{name} is saved.", name=name))
        link = admin.administrators.new_invited(name, roles, str(request.base_url))
    except AdminError as error:
        return _new_page(request, form, {_field_of(error): error.lines})
    return _link_page(request, name, link)


@router.get("/administrators/by-name/{name}")
def show_administrator(request: Request, admin: Acting, _: Visiting, desk: TheDesk, name: str) -> Response:
    return _page(request, admin, desk, name, {})


@router.post("/administrators/by-name/{name}/roles")
def change_roles(request: Request, admin: Acting, visitor: Visiting, desk: TheDesk, name: str) -> Response:
    admin.ledger.check(Acts.SET_ADMINISTRATOR, name)
    try:
        admin.administrators.set(name, roles=_roles(visitor.form))
    except AdminError as error:
        return _page(request, admin, desk, name, {"roles": error.lines}, HTTPStatus.UNPROCESSABLE_ENTITY)
    return redirect(_path(name), texts_of(request)("{name} is saved.", name=name))


@router.post("/administrators/by-name/{name}/enabled")
def switch(request: Request, admin: Acting, visitor: Visiting, name: str) -> Response:
    text, enabled = texts_of(request), visitor.form.flag("enabled")
    admin.administrators.set(name, enabled=enabled)
    return redirect(_path(name), text("{name} is on.", name=name) if enabled else text("{name} is off.", name=name))


@router.post("/administrators/by-name/{name}/link")
def invite(request: Request, admin: Acting, _: Visiting, name: str) -> Response:
    return _link_page(request, name, admin.administrators.invite(name, str(request.base_url)))


@router.post("/administrators/by-name/{name}/reset-codes")
def reset_codes(request: Request, admin: Acting, _: Visiting, name: str) -> Response:
    admin.administrators.set(name, totp=b"")
    return redirect(_path(name), texts_of(request)("{name} signs in without codes of an app now.", name=name))


@router.post("/administrators/end-sessions")
def end_sessions(request: Request, admin: Acting, visitor: Visiting) -> Response:
    name = visitor.form.text("name")
    admin.administrators.end_sessions(name)
    to = "/administrators" if name.startswith(VOUCHED) else _path(name)
    return redirect(to, texts_of(request)("{name} is signed out everywhere.", name=name))


@router.post("/administrators/by-name/{name}/remove")
def remove(request: Request, admin: Acting, _: Visiting, name: str) -> Response:
    admin.administrators.remove(name)
    return redirect("/administrators", texts_of(request)("{name} is removed.", name=name))


def _page(
    request: Request, admin: Administration, desk: TheDesk, name: str, errors: Errors, status: int = HTTPStatus.OK
) -> Response:
    who = _found(admin, name)
    return render(
        request,
        "organization/administrator.html",
        status,
        who=who,
        roles=list(Role),
        chosen=set(who.roles),
        is_oneself=who.name == admin.ledger.actor.name,
        sessions=desk.authentication.sessions(who.name),
        path_of=_path(who.name),
        errors=errors,
    )


def _new_page(request: Request, form: Form, errors: Errors) -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK
    chosen = form.several("roles", () if "roles" in form else (Role.ORGANIZATION_MANAGEMENT,))
    return render(
        request,
        "organization/new_administrator.html",
        status,
        form=form,
        errors=errors,
        roles=list(Role),
        chosen=set(chosen),
        by=form.text("by", BY_LINK),
    )


def _link_page(request: Request, name: str, link: str) -> Response:
    return render(request, "organization/link.html", name=name, link=link, path_of=_path(name))


def _missing(request: Request, form: Form, roles: Sequence[Role]) -> Errors:
    text = texts_of(request)
    errors: dict[str, list[str]] = {}
    if not form.text("name"):
        errors["name"] = [text("Fill this in.")]
    if not roles:
        errors["roles"] = [text("Choose at least one role.")]
    if form.text("by") == BY_PASSWORD and not form.secret("password"):
        errors["password"] = [text("Fill this in.")]
    return errors


def _field_of(error: AdminError) -> str:
    return "password" if str(error).startswith("the password") else "name"


def _roles(form: Form) -> list[Role]:
    return [Role.named(text) for text in form.several("roles")]


def _found(admin: Administration, name: str) -> Administrator:
    for who in admin.administrators.list():
        if who.name == name.lower():
            return who
    raise NotFound(f'there is no administrator "{name}"')


def _path(name: str) -> str:
    return f"/administrators/by-name/{shown.segment(name.lower())}"
