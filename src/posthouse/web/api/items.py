"""Accepted domains, inbound and outbound connectors, credentials."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from posthouse.admin import Administration, AlreadyThere, Applied, ItemKind, Items, NotFound, to_json
from posthouse.mail.address import normalize_domain
from posthouse.organization import Organization
from posthouse.web import shapes
from posthouse.web.access import Acting
from posthouse.web.conditions import Condition, IfMatch, answer, tag_of
from posthouse.web.paging import Listed
from posthouse.web.shapes import Shapes
from posthouse.web.uploads import NOWHERE, uploads

Document = Mapping[str, Any]
Endpoint = TypeVar("Endpoint", bound=Callable[..., Response])


class Change(BaseModel):
    """One key that differs. `item` is like `accepted_domain "contoso.com"`, empty for the organization's own keys."""

    act: str = Field(description="`add`, `change` or `remove`.")
    item: str
    key: str
    before: Any
    after: Any


class Changed(BaseModel):
    """What a change changed, and what to know about it. It is in force."""

    changes: list[Change]
    notices: list[str]


def told(applied: Applied) -> dict[str, Any]:
    return {"changes": [asdict(change) for change in applied.changes], "notices": list(applied.notices)}


class Collection:
    """The items of one kind, as a collection of resources under their names."""

    def __init__(
        self,
        kind: ItemKind,
        shape: Shapes,
        shown: Callable[[Organization], Iterable[Any]],
        normal: Callable[[str], str] = str.casefold,
    ) -> None:
        """`normal` is what makes two names the same."""
        self._kind: ItemKind = kind
        self._shape = shape
        self._shown = shown
        self._normal = normal

    def router(self, prefix: str, words: str) -> APIRouter:
        """`words` are what the documentation calls one of them."""
        router = APIRouter(prefix=prefix, tags=[f"{words}s"])
        one, path = f"{_article(words)} {words}", words.replace(" ", "_")
        changed = self._changed_model()

        @router.get("", name=f"list_{path}s", summary=f"List the {words}s", response_model=self._page_model())
        def list_items(request: Request, admin: Acting, listed: Listed) -> Response:
            rows = [to_json(item) for item in self._shown(admin.organization())]
            return answer(request, listed.page(rows, "Name"))

        @router.post("", name=f"make_{path}", summary=f"Make {one}", status_code=201, response_model=changed)
        @_taking(self._shape.new)
        def make_item(admin: Acting, body: Any) -> Response:
            values = body.values_given()
            name = values.pop("name")
            with uploads() as files:
                applied = Items(admin, self._kind, files.folder, self._must_be_new(name)).new(name, files.item(values))
            return self._after(admin, applied, name, HTTPStatus.CREATED, f"/api/v1{prefix}/")

        @router.get("/{name:path}", name=f"show_{path}", summary=f"Show {one}", response_model=self._shape.shown)
        def show_item(request: Request, admin: Acting, name: str) -> Response:
            organization, document = admin.read()
            return answer(request, self._row(organization, name), tagged=self._seen(document, name))

        @router.patch("/{name:path}", name=f"change_{path}", summary=f"Change {one}", response_model=changed)
        @_taking(self._shape.change)
        def change_item(admin: Acting, name: str, condition: IfMatch, body: Any) -> Response:
            """What is not given stays; null is the default."""
            values = body.values_given()
            with uploads() as files:
                items = self._items(admin, files.folder, name, condition)
                applied = items.set(self._normal(name), files.item(values))
            return self._after(admin, applied, values.get("name") or name)

        @router.delete("/{name:path}", name=f"remove_{path}", summary=f"Remove {one}", response_model=Changed)
        def remove_item(admin: Acting, name: str, condition: IfMatch) -> Response:
            applied = self._items(admin, NOWHERE, name, condition).remove(self._normal(name))
            return JSONResponse(told(applied))

        return router

    def _after(
        self,
        admin: Administration,
        applied: Applied,
        name: str,
        status: HTTPStatus = HTTPStatus.OK,
        place: str | None = None,
    ) -> Response:
        """What is there now, with its ETag."""
        organization, document = admin.read()
        headers = {"ETag": tag_of(self._seen(document, name))}
        if place:
            headers["Location"] = place + quote(name, safe="")
        return JSONResponse({"value": self._row(organization, name), **told(applied)}, status, headers)

    def _row(self, organization: Organization, name: str) -> dict[str, Any]:
        items = [*self._shown(organization)]
        for item in items:
            if self._normal(item.name) == self._normal(name):
                return to_json(item)
        raise self._not_found((item.name for item in items), name)

    def _must_be_new(self, name: str) -> Callable[[Document], None]:
        def approve(document: Document) -> None:
            if any(self._normal(item["name"]) == self._normal(name) for item in document.get(self._kind, ())):
                text = f'there is {_article(self._words)} {self._words} "{name}" already'
                raise AlreadyThere(f"{text}; take another name, or change that one")

        return approve

    def _items(self, admin: Administration, folder: Path, name: str, condition: Condition) -> Items:
        """For a change of the one that was seen."""
        return Items(admin, self._kind, folder, lambda document: condition.check(self._seen(document, name)))

    def _seen(self, document: Document, name: str) -> Document:
        for item in document.get(self._kind, ()):
            if self._normal(item["name"]) == self._normal(name):
                return item
        raise self._not_found((item["name"] for item in document.get(self._kind, ())), name)

    def _not_found(self, names: Iterable[str], name: str) -> NotFound:
        return NotFound(f'there is no {self._words} "{name}"; there are: {", ".join(names) or "none"}')

    @property
    def _words(self) -> str:
        return self._kind.replace("_", " ")

    def _page_model(self) -> Any:
        return _model(f"{self._shape.shown.__name__}Page", value=list[self._shape.shown], next=str | None)

    def _changed_model(self) -> Any:
        model = self._shape.shown
        return _model(f"Changed{model.__name__}", value=model, changes=list[Change], notices=list[str])


def _article(words: str) -> str:
    return "an" if words[0] in "aeiou" else "a"


def _taking(model: Any) -> Callable[[Endpoint], Endpoint]:
    """Have an endpoint take a body of a model that is known only when the router is made."""

    def taking(endpoint: Endpoint) -> Endpoint:
        endpoint.__annotations__["body"] = model
        return endpoint

    return taking


def _model(name: str, **fields: Any) -> Any:
    return type(name, (BaseModel,), {"__annotations__": fields, "__module__": __name__})


DOMAINS = Collection("accepted_domain", shapes.ACCEPTED_DOMAIN, lambda one: one.accepted_domains, normalize_domain)
INBOUND = Collection("inbound_connector", shapes.INBOUND_CONNECTOR, lambda one: one.inbound)
OUTBOUND = Collection("outbound_connector", shapes.OUTBOUND_CONNECTOR, lambda one: one.outbound)
CREDENTIALS = Collection("credential", shapes.CREDENTIAL, lambda one: one.credentials)

ROUTERS = (
    DOMAINS.router("/domains", "accepted domain"),
    INBOUND.router("/connectors/inbound", "inbound connector"),
    OUTBOUND.router("/connectors/outbound", "outbound connector"),
    CREDENTIALS.router("/credentials", "credential"),
)
