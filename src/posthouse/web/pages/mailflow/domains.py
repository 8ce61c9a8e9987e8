"""Accepted domains: the list, a new one, and one to look at, with its type and what speaks of it."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response

from posthouse.admin import AdminError, Forbidden, Items, NotFound, cmdlet_spelling
from posthouse.admin.domains import mentions
from posthouse.admin.roles import change_of
from posthouse.organization import AcceptedDomain, DomainType, Organization, route
from posthouse.web.pages import shown
from posthouse.web.pages.forms import NOWHERE, Errors, Form, errors_of, query_form
from posthouse.web.pages.rendering import redirect, render, texts_of
from posthouse.web.pages.visitor import Acting, Visiting

router = APIRouter()

_KIND, _NOUN = "accepted_domain", "AcceptedDomain"


@router.get("/domains")
def list_domains(request: Request, admin: Acting, _: Visiting) -> Response:
    query = query_form(request).text("q")
    organization = admin.organization()
    domains = organization.accepted_domains
    rows = [
        (domain, _connector(organization, domain), sum(1 for _ in mentions(organization, domain.name)))
        for domain in domains
        if query.casefold() in domain.name
    ]
    return render(request, "domains/list.html", rows=rows, any_at_all=bool(domains), query=query)


@router.get("/domains/new")
def new_domain(request: Request, admin: Acting, _: Visiting) -> Response:
    admin.ledger.check(change_of("New", _NOUN))
    return _form(request, query_form(request))


@router.post("/domains/new")
def save_new(request: Request, admin: Acting, visitor: Visiting) -> Response:
    text, form = texts_of(request), visitor.form
    name = form.text("name").lower()
    if not name:
        return _form(request, form, {"name": [text("Fill this in.")]})
    try:
        Items(admin, _KIND, NOWHERE).new(name, {"type": form.text("type", DomainType.AUTHORITATIVE.value)})
    except (Forbidden, NotFound):
        raise
    except AdminError as error:
        return _form(request, form, errors_of(error))
    return redirect("/domains", text("{name} is accepted from now on.", name=name))


@router.get("/domains/{name}")
def show_domain(request: Request, admin: Acting, _: Visiting, name: str) -> Response:
    return _domain(request, admin.organization(), name)


@router.post("/domains/{name}/type")
def change_type(request: Request, admin: Acting, visitor: Visiting, name: str) -> Response:
    try:
        Items(admin, _KIND, NOWHERE).set(name, {"type": visitor.form.text("type")})
    except (Forbidden, NotFound):
        raise
    except AdminError as error:
        return _domain(request, admin.organization(), name, error)
    return redirect(f"/domains/{shown.segment(name)}", texts_of(request)("{name} is saved, and in force.", name=name))


@router.post("/domains/{name}/remove")
def remove(request: Request, admin: Acting, _: Visiting, name: str) -> Response:
    try:
        Items(admin, _KIND, NOWHERE).remove(name)
    except (Forbidden, NotFound):
        raise
    except AdminError as error:
        return _domain(request, admin.organization(), name, error)
    return redirect("/domains", texts_of(request)("{name} is removed.", name=name))


def _form(request: Request, form: Form, errors: Errors | None = None) -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK
    return render(request, "domains/new.html", status, form=form, errors=errors or {}, types=_types(request))


def _domain(request: Request, organization: Organization, name: str, error: AdminError | None = None) -> Response:
    found = next((each for each in organization.accepted_domains if each.name == name.lower()), None)
    if found is None:
        raise NotFound(f'there is no accepted domain "{name}"; the list shows what there is')
    return render(
        request,
        "domains/domain.html",
        HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK,
        domain=found,
        types=_types(request),
        spelled=cmdlet_spelling,
        mentions=list(mentions(organization, found.name)),
        route=route(organization, f"postmaster@{found.name}"),
        alerts=error.lines if error else (),
    )


def _connector(organization: Organization, domain: AcceptedDomain) -> str:
    """The outbound one that mail for the domain leaves by; empty where there is none."""
    connector = route(organization, f"postmaster@{domain.name}").connector
    return connector.name if connector else ""


def _types(request: Request) -> list[tuple[str, str, str]]:
    text = texts_of(request)
    return [
        (
            DomainType.AUTHORITATIVE.value,
            text("Authoritative"),
            text("All its mailboxes are in your organization."),
        ),
        (
            DomainType.INTERNAL_RELAY.value,
            text("Internal relay"),
            text("Some of its mailboxes are on another server of yours, such as in Microsoft 365."),
        ),
        (
            DomainType.EXTERNAL_RELAY.value,
            text("External relay"),
            text("All its mailboxes are elsewhere, and this relay passes its mail on."),
        ),
    ]
