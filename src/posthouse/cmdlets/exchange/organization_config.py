"""Get- and Set-OrganizationConfig: of the many settings of a tenant, those that a relay has.

https://learn.microsoft.com/powershell/module/exchangepowershell/set-organizationconfig
"""

from __future__ import annotations

from collections.abc import Iterator

from posthouse.admin import Acts
from posthouse.cmdlets.conversion import BOOLEAN
from posthouse.cmdlets.exchange.changes import Document, change, told
from posthouse.cmdlets.exchange.objects import organization
from posthouse.cmdlets.exchange.organization_elsewhere import ELSEWHERE
from posthouse.cmdlets.exchange.parameters import DOMAIN_CONTROLLER, FORCE
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Library, Parameter, View
from posthouse.cmdlets.values import PSObject, Value

TYPE = "Microsoft.Exchange.Data.Directory.Management.OrganizationConfig"


def get(context: Context, _bound: Bound) -> Iterator[Value]:
    """A relay has no name of its own; a tenant's is that of its first domain."""
    with told(context, ""):
        found = organization(context)
    name = found.accepted_domains[0].name if found.accepted_domains else "Organization"
    yield PSObject.of(TYPE, {"RejectDirectSend": found.reject_direct_send, "Name": name, "Identity": name}, name)


def set_(context: Context, bound: Bound) -> Iterator[Value]:
    def edit(document: Document) -> Document:
        if "RejectDirectSend" not in bound:
            return document
        return {**document, "reject_direct_send": bound["RejectDirectSend"]}

    change(context, edit, Acts.SET_ORGANIZATION, "Organization")
    yield from ()


ORGANIZATION_CONFIG_CMDLETS = Library(
    cmdlets=(
        Cmdlet("Get-OrganizationConfig", DOMAIN_CONTROLLER, get, synopsis="Shows the organization's settings."),
        Cmdlet(
            "Set-OrganizationConfig",
            (
                Parameter(
                    name="RejectDirectSend",
                    type=BOOLEAN,
                    help="Refuses mail from own domains that comes without a connector.",
                ),
                FORCE,
                *ELSEWHERE,
            ),
            set_,
            synopsis="Changes the organization's settings.",
            should_process=True,
        ),
    ),
    views={TYPE: View(("Name", "RejectDirectSend"), as_list=True)},
)
