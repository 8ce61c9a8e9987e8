"""Settings > Apply a file: first what it would change, then the change, if that is what was shown."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from posthouse.admin import Acts, AdminError, Administration, Applied
from posthouse.web.conditions import Condition, tag_of
from posthouse.web.pages.forms import Errors, Form
from posthouse.web.pages.rendering import redirect, render, texts_of
from posthouse.web.pages.visitor import Acting, Visiting
from posthouse.web.uploads import uploads

router = APIRouter()

Document = dict[str, Any]


@router.get("/settings/apply")
def choose(request: Request, admin: Acting, _: Visiting) -> Response:
    admin.ledger.check(Acts.SET_ORGANIZATION)
    return _page(request, Form([]), {})


@router.post("/settings/apply")
def apply(request: Request, admin: Acting, visitor: Visiting) -> Response:
    form, text = visitor.form, texts_of(request)
    admin.ledger.check(Acts.SET_ORGANIZATION)
    try:
        document = tomllib.loads(form.secret("toml"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return _page(request, form, {"toml": [text("It is not TOML: {error}", error=error)]})
    try:
        if form.text("go") != "apply":
            planned, seen = _planned(admin, document)
            return _page(request, form, {}, planned, seen)
        applied = _applied(admin, document, form.text("seen"))
    except AdminError as error:
        return _page(request, form, {"": error.lines})
    done = text.count("{count} change is in force.", "{count} changes are in force.", len(applied.changes))
    return redirect("/settings", done)


def _planned(admin: Administration, document: Mapping[str, Any]) -> tuple[Applied, str]:
    tags: list[str] = []
    with uploads() as files:

        def edit(before: Document) -> Document:
            tags.append(tag_of(before))
            return files.organization(document)

        return admin.change(edit, files.folder, dry_run=True), tags[-1]


def _applied(admin: Administration, document: Mapping[str, Any], seen: str) -> Applied:
    """Raises `Outdated` where what was shown would not be what it changes."""
    with uploads() as files:

        def edit(before: Document) -> Document:
            Condition(seen).check(before)
            return files.organization(document)

        return admin.change(edit, files.folder)


def _page(request: Request, form: Form, errors: Errors, planned: Applied | None = None, seen: str = "") -> Response:
    return render(
        request,
        "organization/apply.html",
        HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK,
        toml=form.secret("toml"),
        errors=errors,
        planned=planned,
        seen=seen,
    )
