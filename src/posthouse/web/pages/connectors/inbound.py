"""The wizard of inbound connectors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from posthouse.admin import Administration
from posthouse.organization import ConnectorType
from posthouse.organization.connectors import ANY
from posthouse.web.pages.connectors.draft import DEVICE, PARTNER, SERVER, Draft, number_of
from posthouse.web.pages.connectors.outbound_draft import OutboundDraft
from posthouse.web.pages.connectors.powershell import new_connector
from posthouse.web.pages.connectors.ways import shown_ways
from posthouse.web.pages.connectors.wizard import NAME, SCOPE, Step, Wizard
from posthouse.web.pages.forms import Errors, Form, query_form
from posthouse.web.pages.rendering import redirect
from posthouse.web.pages.texts import Texts
from posthouse.web.pages.visitor import Acting, Visiting

router = APIRouter()

ADDRESSES, CERTIFICATE, LOGIN = "addresses", "certificate", "login"
_HASH_TO_COME = "$argon2id$"
"""Stands for a password that nobody has been asked for yet, so that the rest can be checked."""

IDENTIFY = Step(
    "identify",
    "How to identify",
    "connectors/identify.html",
    ("by", "sender_ip_addresses", "tls_sender_certificate_name", "logins"),
)
RESTRICTIONS = Step(
    "restrictions",
    "Restrictions",
    "connectors/restrictions.html",
    (
        "sender_domains",
        "require_tls",
        "restrict_domains_to_ip_addresses",
        "restrict_domains_to_certificate",
        "treat_messages_as_internal",
        "rate_limit",
    ),
)
SUMMARY = Step("summary", "Summary", "connectors/summary.html", posts=True)


@router.get("/connectors/new")
def new_connector_of_any_kind() -> RedirectResponse:
    return redirect("/connectors/new/inbound/scope")


@router.get("/connectors/new/inbound/{step}")
def new_step(request: Request, admin: Acting, _: Visiting, step: str) -> Response:
    return InboundWizard(request, admin).step(step, query_form(request))


@router.post("/connectors/new/inbound/summary")
def save_new(request: Request, admin: Acting, visitor: Visiting) -> Response:
    return InboundWizard(request, admin).save(visitor.form)


@router.get("/connectors/inbound/{name:path}/edit/{step}")
def edit_step(request: Request, admin: Acting, _: Visiting, name: str, step: str) -> Response:
    return InboundWizard(request, admin, name).step(step, query_form(request))


@router.post("/connectors/inbound/{name:path}/edit/summary")
def save_changed(request: Request, admin: Acting, visitor: Visiting, name: str) -> Response:
    return InboundWizard(request, admin, name).save(visitor.form)


@dataclass(frozen=True, slots=True)
class InboundDraft(Draft):
    """`origin` is who sends, `by` how it is known, `logins` are their users."""

    origin: str = SERVER
    cloud_services_mail_enabled: bool = False
    by: tuple[str, ...] = ()
    sender_ip_addresses: tuple[str, ...] = ()
    tls_sender_certificate_name: str = ""
    logins: tuple[str, ...] = ()
    sender_domains: tuple[str, ...] = (ANY,)
    require_tls: bool = False
    restrict_domains_to_ip_addresses: bool = False
    restrict_domains_to_certificate: bool = False
    treat_messages_as_internal: bool = False
    rate_limit: str = ""

    @classmethod
    def read(cls, item: Mapping[str, Any]) -> dict[str, Any]:
        logins = tuple(login["user"] for login in item.get("sender_credentials", ()))
        proofs = ((ADDRESSES, "sender_ip_addresses"), (CERTIFICATE, "tls_sender_certificate_name"))
        by = [proof for proof, key in proofs if item.get(key)] + ([LOGIN] if logins else [])
        is_partner = item.get("connector_type") != ConnectorType.ON_PREMISES
        return {
            "origin": PARTNER if is_partner else DEVICE if logins else SERVER,
            "by": tuple(by),
            "logins": logins,
            "rate_limit": str(item.get("rate_limit", "")),
        }

    def values(self, sender_credentials: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        """For `Items`: None is the default."""
        return {
            "connector_type": (ConnectorType.PARTNER if self.origin == PARTNER else ConnectorType.ON_PREMISES).value,
            "comment": self.comment or None,
            "enabled": self.enabled,
            "cloud_services_mail_enabled": self.cloud_services_mail_enabled,
            "sender_ip_addresses": list(self.sender_ip_addresses) if ADDRESSES in self.by else None,
            "tls_sender_certificate_name": self.tls_sender_certificate_name if CERTIFICATE in self.by else None,
            "sender_credentials": [dict(each) for each in sender_credentials] or None,
            "sender_domains": list(self.sender_domains),
            "require_tls": self.require_tls,
            "restrict_domains_to_ip_addresses": self.restrict_domains_to_ip_addresses,
            "restrict_domains_to_certificate": self.restrict_domains_to_certificate,
            "treat_messages_as_internal": self.treat_messages_as_internal,
            "rate_limit": number_of(self.rate_limit),
        }

    @property
    def users(self) -> tuple[str, ...]:
        return self.logins if LOGIN in self.by else ()

    @property
    def script(self) -> str:
        return new_connector("New-InboundConnector", self.name, self.values([{"user": user} for user in self.users]))

    def values_to_check(self) -> dict[str, Any]:
        return self.values([{"user": user, "password_hash": _HASH_TO_COME} for user in self.users])

    def gaps(self, text: Texts) -> Errors:
        """A connector that knows no client."""
        if not self.by:
            return {"by": [text("Choose at least one way, or the connector matches nobody.")]}
        gaps: dict[str, list[str]] = {}
        if ADDRESSES in self.by and not self.sender_ip_addresses:
            gaps["sender_ip_addresses"] = [text("Add at least one address.")]
        if CERTIFICATE in self.by and not self.tls_sender_certificate_name:
            gaps["tls_sender_certificate_name"] = [text("Fill this in.")]
        if LOGIN in self.by and not self.logins:
            gaps["logins"] = [text("Name at least one login.")]
        return gaps


class InboundWizard(Wizard[InboundDraft]):
    direction = "inbound"
    steps = (SCOPE, NAME, IDENTIFY, RESTRICTIONS, SUMMARY)

    def __init__(self, request: Request, admin: Administration, name: str = "") -> None:
        super().__init__(request, admin, InboundDraft, name)
        self._dialogue: Mapping[str, Any] | None = None
        self._kept = {login["user"] for login in self._existing.get("sender_credentials", ())}

    def pressed(self, step: Step, draft: InboundDraft, form: Form) -> Response:
        """Some buttons are about the list of addresses."""
        go, _, place = form.text("go").partition(":")
        if go == "put" or (go == "next" and form.text("address")):
            return self._put(step, draft, form)
        if go == "drop":
            kept = tuple(each for each in draft.sender_ip_addresses if each != place)
            return redirect(self.address(step, dataclasses.replace(draft, sender_ip_addresses=kept)))
        if go in ("add", "edit"):
            return self._with_dialogue(step, draft, place, place, [])
        if go == "check" and "address" in form:
            return self._typed(step, draft, form, self._errors_of_address(draft, form))
        return super().pressed(step, draft, form)

    def also(self, step: Step, draft: InboundDraft) -> dict[str, Any]:
        """The page that both begin with shows where else mail may go."""
        more = {"out": OutboundDraft(), **shown_ways(self._text)} if step is SCOPE else {}
        return {"dialogue": self._dialogue, "kept": self._kept, **more}

    def script(self, draft: InboundDraft) -> str:
        return draft.script

    def save(self, form: Form) -> Response:
        draft = self._start.filled_in(form)
        passwords = {user: form.secret(f"password-{number}") for number, user in enumerate(draft.users)}
        errors: Errors = {
            f"password-{number}": [self._text("Fill this in.")]
            for number, user in enumerate(draft.users)
            if user not in self._kept and not passwords[user]
        }
        if errors:
            return self.page(SUMMARY, draft, errors)
        logins = [{"user": user} | ({"password": given} if given else {}) for user, given in passwords.items()]
        return self.saved(draft, draft.values(logins))

    def _put(self, step: Step, draft: InboundDraft, form: Form) -> Response:
        """Take an address from the dialogue into the list."""
        if errors := self._errors_of_address(draft, form):
            return self._typed(step, draft, form, errors)
        return redirect(self.address(step, _with_address(draft, form)))

    def _errors_of_address(self, draft: InboundDraft, form: Form) -> list[str]:
        address = form.text("address")
        if not address:
            return [self._text("Fill this in.")]
        alone = dataclasses.replace(draft, sender_ip_addresses=(address,), by=("addresses",))
        errors = self.change(alone, alone.values_to_check(), dry_run=True)
        return list(errors.get("sender_ip_addresses", ()))

    def _typed(self, step: Step, draft: InboundDraft, form: Form, errors: list[str]) -> Response:
        return self._with_dialogue(step, draft, form.text("address"), form.text("replaces"), errors)

    def _with_dialogue(
        self, step: Step, draft: InboundDraft, address: str, replaces: str, errors: list[str]
    ) -> Response:
        self._dialogue = {"address": address, "replaces": replaces, "errors": errors}
        return self.page(step, draft, is_wrong=bool(errors))


def _with_address(draft: InboundDraft, form: Form) -> InboundDraft:
    """In the place of the one that is edited, or at the end."""
    address, replaces = form.text("address"), form.text("replaces")
    addresses = [address if each == replaces else each for each in draft.sender_ip_addresses]
    if address not in addresses:
        addresses.append(address)
    return dataclasses.replace(draft, sender_ip_addresses=tuple(dict.fromkeys(addresses)))
