"""The first start: who looks after the relay, its domain, its devices, and where their mail goes, in one form."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from posthouse.admin import Actor, AdminError, Administration, Face, Role
from posthouse.web.access import TheDesk, origin_of
from posthouse.web.pages.entrance import with_session
from posthouse.web.pages.forms import NOWHERE, Errors, Form, errors_of, query_form
from posthouse.web.pages.rendering import redirect, render, texts_of
from posthouse.web.pages.texts import Texts
from posthouse.web.pages.visitor import same_origin_form

router = APIRouter()


@router.get("/setup")
def setup_page(request: Request) -> Response:
    return render(request, "setup.html", form=query_form(request), errors={})


@router.post("/setup")
def set_up(request: Request, desk: TheDesk, form: Annotated[Form, Depends(same_origin_form)]) -> Response:
    """The answers are checked before the link is used up, since that is good for once."""
    text, origin = texts_of(request), origin_of(request)
    name, password = form.text("administrator"), form.secret("password")
    admin = Administration(desk.store, {}, actor=Actor(name, (Role.ORGANIZATION_MANAGEMENT,), Face.WEB, origin))
    if admin.administrators.list():
        return _again(request, form, {"": [text("There is an administrator already: the link is used up. Sign in.")]})
    if errors := _missing(form, text) or _wrong(admin, form):
        return _again(request, form, errors)
    try:
        desk.authentication.set_up(form.secret("secret"), name, password, face=Face.WEB, origin=origin)
    except AdminError as error:
        return _again(request, form, {"": error.lines})
    session = desk.authentication.sign_in(name, password, face=Face.WEB, origin=origin)
    admin.change(lambda document: _with_answers(document, form), NOWHERE)
    return with_session(request, redirect("/", text("Your relay is set up.")), session)


def _again(request: Request, form: Form, errors: Errors) -> Response:
    return render(request, "setup.html", HTTPStatus.UNPROCESSABLE_ENTITY, form=form, errors=errors)


def _missing(form: Form, text: Texts) -> Errors:
    needed = ["administrator", "password", "domain", *(["smart_host"] if _by_smart_host(form) else [])]
    return {name: [text("Fill this in.")] for name in needed if not form.secret(name).strip()}


def _wrong(admin: Administration, form: Form) -> Errors:
    try:
        admin.change(lambda document: _with_answers(document, form), NOWHERE, dry_run=True)
    except AdminError as error:
        errors = errors_of(error)
        renamed = {"name": "domain", "smart_hosts": "smart_host"}
        return {renamed.get(key, key): texts for key, texts in errors.items()}
    return {}


def _with_answers(document: dict[str, Any], form: Form) -> dict[str, Any]:
    """Beside what there is already, where somebody has applied a file before."""
    way_out = {"smart_hosts": [form.text("smart_host")]} if _by_smart_host(form) else {"use_mx_record": True}
    added: dict[str, list[dict[str, Any]]] = {
        "accepted_domain": [{"name": form.text("domain")}],
        "outbound_connector": [{"name": "Mail out", "recipient_domains": ["*"], **way_out}],
    }
    if addresses := form.several("sender_ip_addresses"):
        devices = {"name": "Devices", "connector_type": "OnPremises", "sender_ip_addresses": list(addresses)}
        added["inbound_connector"] = [devices]
    return {**document, **{key: _beside(document.get(key, []), items) for key, items in added.items()}}


def _beside(there: list[dict[str, Any]], items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = {item["name"].casefold() for item in there}
    return [*there, *(item for item in items if item["name"].casefold() not in names)]


def _by_smart_host(form: Form) -> bool:
    return form.text("route", "smart_host") == "smart_host"
