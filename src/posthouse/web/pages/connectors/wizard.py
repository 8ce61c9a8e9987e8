"""What the wizards of inbound and outbound connectors share: a page with an address for each step, for a new connector
and for changing one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from posthouse.admin import AdminError, Administration, ItemKind, NotFound, Outdated, cmdlet_spelling
from posthouse.admin.references import written
from posthouse.admin.roles import change_of
from posthouse.organization import to_document
from posthouse.web.access import desk_of
from posthouse.web.conditions import tag_of
from posthouse.web.pages import shown
from posthouse.web.pages.connectors.draft import RELAY, Draft
from posthouse.web.pages.forms import NOWHERE, Errors, Form, errors_of
from posthouse.web.pages.rendering import redirect, render, texts_of

Document = dict[str, Any]
Direction = Literal["inbound", "outbound"]
KINDS: Mapping[str, ItemKind] = {"inbound": "inbound_connector", "outbound": "outbound_connector"}

D = TypeVar("D", bound=Draft)


@dataclass(frozen=True, slots=True)
class Step:
    """`fields` are those of the draft that its page asks for. It `posts` what no address may have: a password, a file,
    or the wish that something be done."""

    key: str
    text: str
    template: str
    fields: tuple[str, ...] = ()
    posts: bool = False


SCOPE = Step("scope", "From and to", "connectors/scope.html", ("origin", "to", "way"))
NAME = Step("name", "Name", "connectors/name.html", ("name", "comment", "enabled", "cloud_services_mail_enabled"))


class Wizard(ABC, Generic[D]):
    """For one request. `name` is the connector that is changed, empty for a new one."""

    direction: Direction
    steps: tuple[Step, ...]

    def __init__(self, request: Request, admin: Administration, kind: type[D], name: str = "") -> None:
        self._request = request
        self._admin = admin
        self._text = texts_of(request)
        self._name = name
        self._desk = desk_of(request)
        self._is_check = request.query_params.get("go") == "check"
        self._key = KINDS[self.direction]
        self._act = change_of("Set" if name else "New", cmdlet_spelling(self._key))
        admin.ledger.check(self._act, name)
        self._existing = stored_connector(admin, self.direction, name) if name else {}
        self._start = kind.of_document(self._existing) if name else kind()
        self._path = f"/connectors/{self.direction}/{shown.segment(name)}/edit" if name else self._new_path()

    def step(self, key: str, form: Form) -> Response:
        draft = self._start.filled_in(form)
        return self.pressed(self.found(key, draft), draft, form)

    def found(self, key: str, draft: D) -> Step:
        step = next((step for step in self.steps_of(draft) if step.key == key), None)
        if step is None:
            raise NotFound("the wizard has no such step; begin at the first")
        return step

    def pressed(self, step: Step, draft: D, form: Form) -> Response:
        """`go` says which button was: `next`, `check`, or one of the step's own."""
        go = form.text("go")
        if step is SCOPE and go == "next" and (draft.origin == RELAY) != (self.direction == "outbound"):
            other: Direction = "outbound" if self.direction == "inbound" else "inbound"
            return redirect(f"/connectors/new/{other}/scope?{self._request.url.query}")
        errors = self.errors(draft, step) if go in ("next", "check") else {}
        if go == "next" and not errors:
            return self.after(step, draft)
        return self.page(step, draft, errors)

    def steps_of(self, draft: D) -> Sequence[Step]:
        """Those that this one needs."""
        return self.steps

    @abstractmethod
    def script(self, draft: D) -> str:
        """The same in PowerShell."""

    def also(self, step: Step, draft: D) -> dict[str, Any]:
        """What a step's template wants besides."""
        return {}

    def errors(self, draft: D, step: Step) -> Errors:
        """Those of this step's fields; of one without any, all."""
        errors = {**self.change(draft, draft.values_to_check(), dry_run=True), **draft.gaps(self._text)}
        return {key: texts for key, texts in errors.items() if not step.fields or key in step.fields}

    def saved(self, draft: D, values: Mapping[str, Any], folder: Path = NOWHERE) -> Response:
        last = self.steps[-1]
        if errors := draft.gaps(self._text) or self.change(draft, values, folder):
            return self.page(last, draft, errors)
        notice = self._text("{name} is saved, and in force.", name=draft.name)
        return redirect(f"/connectors/{self.direction}/{shown.segment(draft.name)}", notice)

    def change(self, draft: D, values: Mapping[str, Any], folder: Path = NOWHERE, *, dry_run: bool = False) -> Errors:
        try:
            self._admin.change(
                lambda document: self.edited(document, draft, values),
                folder,
                dry_run=dry_run,
                act=self._act,
                target=draft.name,
            )
        except AdminError as error:
            if isinstance(error, Outdated):
                return {"": error.lines}
            return errors_of(error)
        return {}

    def edited(self, document: Document, draft: D, values: Mapping[str, Any]) -> Document:
        """The organization with this connector in it, where nobody has changed that since it was seen."""
        items: list[Document] = document.get(self._key, [])
        item = next((each for each in items if self._name and each["name"] == self._name), {})
        if self._name and tag_of(item) != draft.seen:
            raise Outdated(self._text("Somebody has changed this connector since. Open it again."))
        merged = {key: value for key, value in {**item, "name": draft.name, **values}.items() if value is not None}
        changed = [merged if each is item else each for each in items] if item else [*items, merged]
        return {**document, self._key: changed}

    def after(self, step: Step, draft: D) -> RedirectResponse:
        steps = self.steps_of(draft)
        return redirect(self.address(steps[min(steps.index(step) + 1, len(steps) - 1)], draft))

    def address(self, step: Step, draft: D) -> str:
        return f"{self._path}/{step.key}?{urlencode(dict(draft.fields()))}"

    def page(self, step: Step, draft: D, errors: Errors | None = None, *, is_wrong: bool = False) -> Response:
        steps = self.steps_of(draft)
        number = steps.index(step)
        is_last = number == len(steps) - 1
        is_wrong = (is_wrong or bool(errors)) and not self._is_check
        return render(
            self._request,
            step.template,
            HTTPStatus.UNPROCESSABLE_ENTITY if is_wrong else HTTPStatus.OK,
            **{
                "draft": draft,
                "errors": errors or {},
                "heading": self._text("Edit {name}", name=self._name) if self._name else self._text("New connector"),
                "direction": self.direction,
                "is_new": not self._name,
                "step": step,
                "number": number,
                "steps": [(self._text(each.text), self.address(each, draft)) for each in steps],
                "back": self.address(steps[number - 1], draft) if number else None,
                "powershell": self.script(draft) if is_last else "",
                "problems": [text for texts in self.errors(draft, step).values() for text in texts] if is_last else [],
                "settings": self._desk.settings,
                **self.also(step, draft),
            },
        )

    def _new_path(self) -> str:
        return f"/connectors/new/{self.direction}"


def stored_connector(admin: Administration, direction: Direction, name: str) -> Document:
    """As the organization's file has it. Raises `NotFound`."""
    items: list[Document] = written(to_document(admin.organization())).get(KINDS[direction], [])
    found = next((item for item in items if item["name"].casefold() == name.casefold()), None)
    if found is None:
        raise NotFound(f'there is no {direction} connector "{name}"; the list shows what there is')
    return found
