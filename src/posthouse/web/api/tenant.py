"""The Exchange Online tenant behind this relay: what it has, a plan for it, and having it carried out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from posthouse.admin.tenant import Tenant, Wish, shown_done, shown_plan, shown_state
from posthouse.web.access import Acting, TheDesk
from posthouse.web.conditions import IfMatch, answer, tag_of
from posthouse.web.shapes import Given, Text

router = APIRouter(tags=["Tenant"])


class GivenWish(Given):
    """What is to be planned for."""

    connectors: list[Text] = Field(
        [], max_length=100, alias="Connectors", description="Outbound connectors; else those that go to Microsoft 365."
    )
    addresses: list[Text] = Field(
        [],
        max_length=100,
        alias="Addresses",
        description="What the tenant sees this relay come from, if that isn't a public SourceAddress.",
        examples=[["110.0.0.7"]],
    )
    take: Text = Field("", alias="Take", description="A connector there that may be changed, though made elsewhere.")

    def wish(self) -> Wish:
        return Wish(tuple(self.connectors), tuple(self.addresses), self.take)


class TenantConnector(BaseModel):
    Name: str
    Enabled: bool
    ConnectorType: Literal["OnPremises", "Partner"]
    SenderIPAddresses: list[str]
    TlsSenderCertificateName: str
    SenderDomains: list[str]
    Comment: str


class ShownTenant(BaseModel):
    AcceptedDomains: list[str]
    RejectDirectSend: bool
    InboundConnectors: list[TenantConnector]
    OutboundConnectors: list[str]


class PlannedItem(BaseModel):
    act: Literal["create", "change", "advise", "fine"]
    about: str
    why: str
    cmdlet: str = Field(description="What would be run in the tenant; empty where nothing is.")
    parameters: dict[str, Any]


class TenantPlan(BaseModel):
    informed: bool = Field(description="Whether the tenant was looked at.")
    items: list[PlannedItem]


class DoneItem(PlannedItem):
    warnings: list[str]


class CarriedOut(BaseModel):
    done: list[DoneItem]


def tenant_of(admin: Acting, desk: TheDesk) -> Tenant:
    return Tenant(desk.store, admin, desk.settings)


TheTenant = Annotated[Tenant, Depends(tenant_of)]


@router.get("/tenant", summary="Show what the tenant has", response_model=ShownTenant)
def show_tenant(request: Request, tenant: TheTenant) -> Response:
    return answer(request, shown_state(tenant.show()))


@router.post(
    "/tenant/plan", summary="Compare what this relay needs with what the tenant has", response_model=TenantPlan
)
def plan_tenant(tenant: TheTenant, body: GivenWish) -> Response:
    """Changes nothing. The ETag is what carrying it out wants to see."""
    found = shown_plan(tenant.plan(body.wish()))
    return JSONResponse(found, headers={"ETag": tag_of(found)})


@router.post("/tenant/apply", summary="Carry out a plan in the tenant", response_model=CarriedOut)
def apply_tenant(tenant: TheTenant, condition: IfMatch, body: GivenWish) -> Response:
    """That which was seen: one step after another. A refusal ends it with 422, and says what has been done."""
    done = tenant.apply(body.wish(), lambda plan: condition.check(shown_plan(plan)))
    return JSONResponse({"done": list(map(shown_done, done))})
