"""The whole organization at once: exported, applied, and taken over from other products."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, Field

from posthouse.admin import Acts, Administration
from posthouse.admin.migration import File, Findings, Format, merged, read_files
from posthouse.admin.migration import decoded as text_of
from posthouse.web.access import Acting
from posthouse.web.api.items import Change, Changed, told
from posthouse.web.conditions import Plan, Planned, answer, tag_of
from posthouse.web.problems import Refusal
from posthouse.web.shapes import Given
from posthouse.web.uploads import Content, Uploads, decoded, uploads

router = APIRouter(tags=["Organization"])

_TOML = {"application/toml": {"schema": {"type": "string"}}}


class ImportedFile(Given):
    name: Annotated[str, Field(min_length=1, max_length=255, description="Without its folder.", examples=["main.cf"])]
    content: str = Field(description="In Base64.")


class Import(Given):
    """Exports of a tenant, Postfix's main.cf with its tables, emailrelay.conf, MetaBase.xml."""

    files: list[ImportedFile] = Field(min_length=1, max_length=200)
    beside: list[ImportedFile] = Field([], max_length=200, description="What these refer to, like Postfix's tables.")
    format: Literal["auto", "json", "csv", "clixml", "postfix", "emailrelay", "iis"] = Field(
        "auto", description="What the files are; auto looks into them."
    )
    replace: bool = Field(False, description="Remove the connectors and domains that the files don't have.")


class Line(BaseModel):
    where: str = Field(description="File and line.", examples=["main.cf:12"])
    setting: str
    value: str


class Understood(Line):
    becomes: str


class NotTaken(Line):
    reason: str = Field(description="Why not, or what is different here.")


class Imported(BaseModel):
    """What was made of the files."""

    understood: list[Understood]
    not_taken: list[NotTaken]
    changes: list[Change]
    notices: list[str]


@router.get(
    "/organization.toml",
    summary="Export the organization as a file",
    response_class=PlainTextResponse,
    description="What `posthouse export` prints, and `posthouse apply` reads. Secrets are left out.",
)
def export_organization(request: Request, admin: Acting) -> Response:
    document = admin.read()[1]  # before the text: a change between the two makes the tag old, not the text
    return answer(request, admin.export(), tagged=document)


@router.put(
    "/organization.toml",
    summary="Apply an organization file",
    response_model=Changed,
    openapi_extra={"requestBody": {"required": True, "content": _TOML}},
)
def apply_organization(admin: Acting, plan: Planned, content: Content) -> Response:
    """What isn't in it is removed; secrets that it leaves out are kept. It names no files: a root is there in PEM, a
    certificate's `pfx` in Base64."""
    admin.ledger.check(Acts.SET_ORGANIZATION)
    document = _parsed(content)
    with uploads() as files:
        return _changed(admin, plan, files, lambda _: files.organization(document))


@router.post("/import", summary="Take over the configuration of another product", response_model=Imported)
def import_files(admin: Acting, plan: Planned, body: Import) -> Response:
    """What it would change, with `dry_run`: look at that first."""
    admin.ledger.check(Acts.SET_ORGANIZATION)
    findings = read_files(_files(body), Format(body.format))
    edit = partial(merged, understood=findings.document, replace=body.replace)
    with uploads() as files:
        return _changed(admin, plan, files, edit, findings)


def _changed(
    admin: Administration,
    plan: Plan,
    files: Uploads,
    edit: Callable[[dict[str, Any]], dict[str, Any]],
    findings: Findings | None = None,
) -> Response:
    """What changed; or would, with the ETag of the organization that it would change."""
    headers = {}

    def approved(document: dict[str, Any]) -> dict[str, Any]:
        plan.condition.check(document)
        headers["ETag"] = tag_of(document)
        return edit(document)

    applied = admin.change(approved, files.folder, dry_run=plan.dry_run)
    body = told(applied)
    if findings is not None:
        body["understood"] = [asdict(line) for line in findings.understood]
        body["not_taken"] = [asdict(line) for line in findings.not_taken]
    return JSONResponse(body, headers=headers if plan.dry_run else {})


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, f"it is not TOML: {error}") from None
    except RecursionError:
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "its tables are too deep; write fewer levels") from None


class _Beside:
    """The other files of a request."""

    def __init__(self, files: Iterable[ImportedFile]) -> None:
        self._texts = {file.name: _text(file) for file in files}

    def text(self, name: str) -> str | None:
        return self._texts.get(name.replace("\\", "/").rpartition("/")[2])


def _files(given: Import) -> list[File]:
    beside = _Beside(given.beside)
    return [File(file.name, _text(file), beside) for file in given.files]


def _text(file: ImportedFile) -> str:
    return text_of(decoded(file.content, file.name))
