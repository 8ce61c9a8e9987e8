"""Organization > Settings: what holds for the whole organization, and where each value comes from."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from cryptography.x509 import Certificate, load_pem_x509_certificates
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from posthouse.admin import Acts, AdminError, Administration, SettingInForce, settings_in_force
from posthouse.admin.migration import tenant_script
from posthouse.net.certificates import thumbprint
from posthouse.settings import Settings
from posthouse.web.access import TheDesk
from posthouse.web.conditions import Condition, tag_of
from posthouse.web.pages.forms import NOWHERE, Errors, Form
from posthouse.web.pages.rendering import redirect, render, texts_of
from posthouse.web.pages.visitor import Acting, Visiting
from posthouse.web.problems import Refusal

router = APIRouter()

Document = dict[str, Any]
DELIVERY = ("retry_after", "warn_after", "give_up_after")
LIMITS = ("message_size", "recipients", "sessions", "sessions_per_client", "min_free", "trace_keep")
_SIZES = ("message_size", "min_free")
_COUNTS = ("recipients", "sessions", "sessions_per_client")
_SHOWN = {"delivery": DELIVERY, "limits": (*LIMITS, "audit_keep")}
_SOON = 30 * 86400.0
_ATTACHED = 'attachment; filename="{}"'


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """`where` it is used, its subject, and its time. `fingerprint` is what it is told by."""

    where: str
    subject: str
    not_after: float
    fingerprint: str


@router.get("/settings")
def settings(request: Request, admin: Acting, _: Visiting, desk: TheDesk) -> Response:
    document = admin.read()[1]
    now = time.time()
    in_force = settings_in_force(desk.config)
    return render(
        request,
        "organization/settings.html",
        document=document,
        rows={section: _rows(in_force, section, keys) for section, keys in _SHOWN.items()},
        node=[row for row in in_force if not row.key.startswith(("delivery.", "limits."))],
        roots=list(_roots(document)),
        certificates=list(_in_use(admin, desk.settings)),
        now=now,
        soon=now + _SOON,
        written=_written,
    )


@router.get("/settings/edit")
def edit(request: Request, admin: Acting, _: Visiting, desk: TheDesk) -> Response:
    admin.ledger.check(Acts.SET_ORGANIZATION)
    document = admin.read()[1]
    return _edit_page(request, desk.settings, Form(list(_fields(document))), {})


@router.post("/settings/edit")
def save(request: Request, admin: Acting, visitor: Visiting, desk: TheDesk) -> Response:
    admin.ledger.check(Acts.SET_ORGANIZATION)
    form = visitor.form

    def changed(document: Document) -> Document:
        Condition(form.text("seen")).check(_own(document))
        return _merged(document, form)

    try:
        admin.change(changed, NOWHERE, act=Acts.SET_ORGANIZATION)
    except AdminError as error:
        return _edit_page(request, desk.settings, form, _errors(error))
    return redirect("/settings", texts_of(request)("The settings are saved, and in force."))


@router.get("/settings/roots/new")
def new_root(request: Request, admin: Acting, _: Visiting) -> Response:
    admin.ledger.check(Acts.SET_ORGANIZATION)
    return _root_page(request, Form([]), {})


@router.post("/settings/roots/new")
def add_root(request: Request, admin: Acting, visitor: Visiting) -> Response:
    admin.ledger.check(Acts.SET_ORGANIZATION)
    form, text = visitor.form, texts_of(request)
    pem = form.text("pem")
    if not pem.startswith("-----BEGIN CERTIFICATE-----"):
        return _root_page(request, form, {"pem": [text("This is no certificate in PEM.")]})

    def changed(document: Document) -> Document:
        return {**document, "trusted_roots": [*document.get("trusted_roots", []), pem]}

    try:
        admin.change(changed, NOWHERE, act=Acts.SET_ORGANIZATION)
    except AdminError as error:
        return _root_page(request, form, {"pem": error.lines})
    return redirect("/settings#roots", text("The root is trusted now."))


@router.post("/settings/roots/{fingerprint}/remove")
def remove_root(request: Request, admin: Acting, _: Visiting, fingerprint: str) -> Response:
    def changed(document: Document) -> Document:
        kept = [pem for pem in document.get("trusted_roots", []) if fingerprint not in _fingerprints(pem)]
        return {**document, "trusted_roots": kept}

    admin.change(changed, NOWHERE, act=Acts.SET_ORGANIZATION)
    return redirect("/settings#roots", texts_of(request)("The root is not trusted any more."))


@router.get("/settings/organization.toml")
def as_toml(admin: Acting, _: Visiting) -> Response:
    headers = {"Content-Disposition": _ATTACHED.format("organization.toml")}
    return PlainTextResponse(admin.export(), media_type="application/toml", headers=headers)


@router.get("/settings/organization.ps1")
def as_powershell(admin: Acting, _: Visiting) -> Response:
    headers = {"Content-Disposition": _ATTACHED.format("organization.ps1")}
    script = tenant_script(admin.organization())
    return Response(script.encode(), media_type="text/plain; charset=utf-8", headers=headers)


def _edit_page(request: Request, settings: Settings, form: Form, errors: Errors) -> Response:
    node = {key: _written(key, getattr(settings.delivery, key)) for key in DELIVERY}
    node |= {key: _written(key, getattr(settings.limits, key)) for key in LIMITS}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK
    return render(request, "organization/edit_settings.html", status, form=form, errors=errors, node=node)


def _root_page(request: Request, form: Form, errors: Errors) -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK
    return render(request, "organization/new_root.html", status, form=form, errors=errors)


def _own(document: Mapping[str, Any]) -> Document:
    """What the form is about."""
    return {key: document.get(key) for key in ("reject_direct_send", "postmaster_address", "delivery", "limits")}


def _fields(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "seen", tag_of(_own(document))
    yield "reject_direct_send", str(int(document.get("reject_direct_send", False)))
    yield "postmaster_address", document.get("postmaster_address", "")
    for section, keys in (("delivery", DELIVERY), ("limits", LIMITS)):
        for key in keys:
            value = document.get(section, {}).get(key)
            yield key, "" if value is None else _written(key, value)


def _merged(document: Document, form: Form) -> Document:
    """An empty field is one that the organization leaves to the node."""
    merged = dict(document)
    merged["reject_direct_send"] = form.flag("reject_direct_send")
    merged["postmaster_address"] = form.text("postmaster_address")
    for section, keys in (("delivery", DELIVERY), ("limits", LIMITS)):
        typed = {key: _typed(key, form.text(key)) for key in keys if form.text(key)}
        if typed or section in merged:
            merged[section] = typed
    return merged


def _typed(key: str, text: str) -> Any:
    if key == "retry_after":
        return [part.strip() for part in text.split(",")]
    return int(text) if key in _COUNTS and text.isdecimal() else text


def _errors(error: AdminError) -> Errors:
    errors: dict[str, list[str]] = {}
    for line in error.lines:
        rest = line.removeprefix("delivery: ").removeprefix("limits: ")
        key, colon, told = rest.partition(": ")
        is_field = bool(colon) and key in (*DELIVERY, *LIMITS, "postmaster_address", "reject_direct_send")
        errors.setdefault(key if is_field else "", []).append(told if is_field else line)
    return errors


def _rows(in_force: tuple[SettingInForce, ...], section: str, keys: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """Key, value, and where it is from."""
    found = {row.key: row for row in in_force}
    rows = [found[f"{section}.{key}"] for key in keys]
    return [(key, _written(key, row.value), row.origin) for key, row in zip(keys, rows, strict=True)]


def _written(key: str, value: Any) -> str:
    """As a file has it."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return ", ".join(_written(key, each) for each in value)
    if isinstance(value, bool) or value is None or not isinstance(value, int | float) or key in _COUNTS:
        return str(value)
    if key in _SIZES:
        return _in_units(value, (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)), " ")
    if key.endswith(("_after", "_keep")):
        return _in_units(value, (("d", 86400), ("h", 3600), ("m", 60)), "") + ("s" if value % 60 else "")
    return str(value)


def _in_units(value: float, units: tuple[tuple[str, int], ...], space: str) -> str:
    """In the largest unit that tells it exactly."""
    for unit, size in units:
        if value and value % size == 0:
            return f"{value / size:g}{space}{unit}"
    return f"{value:g}"


def _roots(document: Mapping[str, Any]) -> Iterator[ShownCertificate]:
    for pem in document.get("trusted_roots", []):
        for certificate in load_pem_x509_certificates(pem.encode()):
            yield _shown("", certificate)


def _in_use(admin: Administration, settings: Settings) -> Iterator[ShownCertificate]:
    try:
        yield from (_shown(where, identity.certificate) for where, identity in admin.health.certificates(settings))
    except AdminError as error:
        raise Refusal(HTTPStatus.FORBIDDEN, str(error)) from None


def _shown(where: str, certificate: Certificate) -> ShownCertificate:
    return ShownCertificate(
        where,
        certificate.subject.rfc4514_string(),
        certificate.not_valid_after_utc.timestamp(),
        thumbprint(certificate),
    )


def _fingerprints(pem: str) -> set[str]:
    return {thumbprint(certificate) for certificate in load_pem_x509_certificates(pem.encode())}
