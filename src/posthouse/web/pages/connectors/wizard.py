"""The wizard of inbound connectors: a page with an address for each step, for a new one and for changing one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from posthouse.admin import AdminError, Administration, NotFound, Outdated
from posthouse.admin.references import written
from posthouse.admin.roles import change_of
from posthouse.organization import to_document
from posthouse.web.access import desk_of
from posthouse.web.conditions import tag_of
from posthouse.web.pages import shown
from posthouse.web.pages.connectors.draft import Draft
from posthouse.web.pages.connectors.powershell import new_inbound_connector
from posthouse.web.pages.forms import NOWHERE, Errors, Form, errors_of, query_form
from posthouse.web.pages.rendering import redirect, render, texts_of
from posthouse.web.pages.visitor import Acting, Visiting

router = APIRouter()

Document = dict[str, Any]
_KIND, _NOUN = "inbound_connector", "InboundConnector"


@dataclass(frozen=True, slots=True)
class Step:
    """`fields` are those of the draft that its page asks for."""

    key: str
    text: str
    fields: tuple[str, ...] = ()


STEPS = (
    Step("scope", "From and to", ("origin",)),
    Step("name", "Name", ("name", "comment", "enabled", "cloud_services_mail_enabled")),
    Step("identify", "How to identify", ("by", "sender_ip_addresses", "tls_sender_certificate_name", "logins")),
    Step(
        "restrictions",
        "Restrictions",
        (
            "sender_domains",
            "require_tls",
            "restrict_domains_to_ip_addresses",
            "restrict_domains_to_certificate",
            "treat_messages_as_internal",
            "rate_limit",
        ),
    ),
    Step("summary", "Summary"),
)


@router.get("/connectors/new")
def new_connector() -> RedirectResponse:
    return redirect("/connectors/new/inbound/scope")


@router.get("/connectors/new/inbound/{step}")
def new_step(request: Request, admin: Acting, _: Visiting, step: str) -> Response:
    return Wizard(request, admin).step(step, query_form(request))


@router.post("/connectors/new/inbound/summary")
def save_new(request: Request, admin: Acting, visitor: Visiting) -> Response:
    return Wizard(request, admin).save(visitor.form)


@router.get("/connectors/inbound/{name:path}/edit/{step}")
def edit_step(request: Request, admin: Acting, _: Visiting, name: str, step: str) -> Response:
    return Wizard(request, admin, name).step(step, query_form(request))


@router.post("/connectors/inbound/{name:path}/edit/summary")
def save_changed(request: Request, admin: Acting, visitor: Visiting, name: str) -> Response:
    return Wizard(request, admin, name).save(visitor.form)


class Wizard:
    """For one request. `name` is the connector that is changed, empty for a new one."""

    def __init__(self, request: Request, admin: Administration, name: str = "") -> None:
        self._request = request
        self._admin = admin
        self._text = texts_of(request)
        self._name = name
        self._is_check = request.query_params.get("go") == "check"
        self._act = change_of("Set" if name else "New", _NOUN)
        admin.ledger.check(self._act, name)
        self._existing = stored_connector(admin, name) if name else {}
        self._start = Draft.of_document(self._existing) if name else Draft()
        self._path = f"/connectors/inbound/{shown.segment(name)}/edit" if name else "/connectors/new/inbound"

    def step(self, key: str, form: Form) -> Response:
        """`go` says which button was pressed: `next`, `check`, or one about the list of addresses."""
        number = next((number for number, step in enumerate(STEPS) if step.key == key), None)
        if number is None:
            raise NotFound("the wizard has no such step; begin at the first")
        draft = self._start.filled_in(form)
        go, _, place = form.text("go").partition(":")
        if go == "put" or (go == "next" and form.text("address")):
            return self._put(number, draft, form)
        if go == "drop":
            kept = tuple(each for each in draft.sender_ip_addresses if each != place)
            return self._to(number, dataclasses.replace(draft, sender_ip_addresses=kept))
        if go in ("add", "edit"):
            return self._page(number, draft, dialogue={"address": place, "replaces": place, "errors": ()})
        if go == "check" and "address" in form:
            errors = self._errors_of_address(draft, form)
            return self._page(number, draft, dialogue=_dialogue(form, errors))
        errors = self._errors(draft, number) if go in ("next", "check") else {}
        if go == "next" and not errors:
            return self._to(number + 1, draft)
        return self._page(number, draft, errors)

    def save(self, form: Form) -> Response:
        draft = self._start.filled_in(form)
        known = {login["user"] for login in self._existing.get("sender_credentials", ())}
        passwords = {user: form.secret(f"password-{number}") for number, user in enumerate(draft.users)}
        errors: Errors = {
            f"password-{number}": [self._text("Fill this in.")]
            for number, user in enumerate(draft.users)
            if user not in known and not passwords[user]
        }
        logins = [{"user": user} | ({"password": given} if given else {}) for user, given in passwords.items()]
        if errors := errors or draft.gaps(self._text) or self._change(draft, draft.values(logins)):
            return self._page(len(STEPS) - 1, draft, errors)
        notice = self._text("{name} is saved, and in force.", name=draft.name)
        return redirect(f"/connectors/inbound/{shown.segment(draft.name)}", notice)

    def _change(self, draft: Draft, values: Mapping[str, Any], *, dry_run: bool = False) -> Errors:
        try:
            self._admin.change(
                lambda document: self._edited(document, {"name": draft.name, **values}, draft.seen),
                NOWHERE,
                dry_run=dry_run,
                act=self._act,
                target=draft.name,
            )
        except AdminError as error:
            if isinstance(error, Outdated):
                return {"": error.lines}
            return errors_of(error)
        return {}

    def _edited(self, document: Document, values: Mapping[str, Any], seen: str) -> Document:
        """The organization with this connector in it, where nobody has changed that since it was seen."""
        items: list[Document] = document.get(_KIND, [])
        item = next((each for each in items if self._name and each["name"] == self._name), {})
        if self._name and tag_of(item) != seen:
            raise Outdated(self._text("Somebody has changed this connector since. Open it again."))
        merged = {key: value for key, value in {**item, **values}.items() if value is not None}
        changed = [merged if each is item else each for each in items] if item else [*items, merged]
        return {**document, _KIND: changed}

    def _errors(self, draft: Draft, number: int) -> Errors:
        """Those of this step's fields; of the last step, all."""
        errors = {**draft.gaps(self._text), **self._change(draft, draft.values_to_check(), dry_run=True)}
        fields = STEPS[number].fields
        return {key: texts for key, texts in errors.items() if not fields or key in fields}

    def _put(self, number: int, draft: Draft, form: Form) -> Response:
        """Take an address from the dialogue into the list."""
        if errors := self._errors_of_address(draft, form):
            return self._page(number, draft, dialogue=_dialogue(form, errors))
        return self._to(number, _with_address(draft, form))

    def _errors_of_address(self, draft: Draft, form: Form) -> list[str]:
        address = form.text("address")
        if not address:
            return [self._text("Fill this in.")]
        alone = dataclasses.replace(draft, sender_ip_addresses=(address,), by=("addresses",))
        errors = self._change(alone, alone.values_to_check(), dry_run=True)
        return list(errors.get("sender_ip_addresses", ()))

    def _to(self, number: int, draft: Draft) -> RedirectResponse:
        return redirect(self._address(number, draft))

    def _address(self, number: int, draft: Draft) -> str:
        return f"{self._path}/{STEPS[number].key}?{urlencode(dict(draft.fields()))}"

    def _page(
        self, number: int, draft: Draft, errors: Errors | None = None, *, dialogue: Mapping[str, Any] | None = None
    ) -> Response:
        step = STEPS[number]
        is_last = number == len(STEPS) - 1
        passwordless = [{"user": user} for user in draft.users]
        wrong = errors or (dialogue and dialogue["errors"])
        status = HTTPStatus.UNPROCESSABLE_ENTITY if wrong and not self._is_check else HTTPStatus.OK
        return render(
            self._request,
            f"connectors/{step.key}.html",
            status,
            draft=draft,
            errors=errors or {},
            dialogue=dialogue,
            heading=self._text("Edit {name}", name=self._name) if self._name else self._text("New connector"),
            is_new=not self._name,
            step=step,
            number=number,
            steps=[(self._text(each.text), self._address(at, draft)) for at, each in enumerate(STEPS)],
            back=self._address(number - 1, draft) if number else None,
            powershell=new_inbound_connector(draft.name, draft.values(passwordless)) if is_last else "",
            problems=[text for texts in self._errors(draft, number).values() for text in texts] if is_last else [],
            kept={login["user"] for login in self._existing.get("sender_credentials", ())},
            settings=desk_of(self._request).settings,
        )


def stored_connector(admin: Administration, name: str) -> Document:
    """As the organization's file has it. Raises `NotFound`."""
    items: list[Document] = written(to_document(admin.organization())).get(_KIND, [])
    found = next((item for item in items if item["name"].casefold() == name.casefold()), None)
    if found is None:
        raise NotFound(f'there is no inbound connector "{name}"; the list shows what there is')
    return found


def _with_address(draft: Draft, form: Form) -> Draft:
    """In the place of the one that is edited, or at the end."""
    address, replaces = form.text("address"), form.text("replaces")
    addresses = [address if each == replaces else each for each in draft.sender_ip_addresses]
    if address not in addresses:
        addresses.append(address)
    return dataclasses.replace(draft, sender_ip_addresses=tuple(dict.fromkeys(addresses)))


def _dialogue(form: Form, errors: list[str]) -> Mapping[str, Any]:
    return {"address": form.text("address"), "replaces": form.text("replaces"), "errors": errors}
