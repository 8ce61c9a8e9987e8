"""Get-ManagementRoleAssignment: what each role group may do.

https://learn.microsoft.com/powershell/module/exchangepowershell/get-managementroleassignment
"""

from __future__ import annotations

from collections.abc import Iterator

from posthouse.admin import Administration, Role
from posthouse.cmdlets.conversion import BOOLEAN, STRING, STRINGS, SWITCH
from posthouse.cmdlets.exchange.changes import not_found, told
from posthouse.cmdlets.exchange.management_roles import management_roles
from posthouse.cmdlets.exchange.parameters import ANY_IDENTITY, DOMAIN_CONTROLLER, refused
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Library, Parameter, View
from posthouse.cmdlets.patterns import like
from posthouse.cmdlets.values import PSObject, Value
from posthouse.spool import Administrator

TYPE = "Microsoft.Exchange.Data.Directory.Management.ManagementRoleAssignmentPresentation"
_GROUP = "RoleGroup"


def get(context: Context, bound: Bound) -> Iterator[Value]:
    """An administrator as assignee stands for all groups that he is in."""
    identity = bound.get("Identity", "")
    with told(context, identity):
        everyone = context.service(Administration).administrators.list()
        assignments = list(_assignments(everyone, bound))
        wanted = [
            one for one in assignments if not identity or one.properties["Name"].casefold() == identity.casefold()
        ]
        if identity and not wanted:
            raise not_found(identity, (one.properties["Name"] for one in assignments))
    yield from wanted


def _assignments(everyone: tuple[Administrator, ...], bound: Bound) -> Iterator[PSObject]:
    for role in Role:
        members = [who.name for who in everyone if role in who.roles]
        if not _is_assignee(bound.get("RoleAssignee", "*"), role, members):
            continue
        for name in management_roles(role):
            if like(name, bound.get("Role", "*")) and _is_of_the_kind(bound):
                yield from _shown(name, role, members if bound.get("GetEffectiveUsers") else ["All Group Members"])


def _is_assignee(wanted: str, role: Role, members: list[str]) -> bool:
    return any(like(name, wanted) for name in (role.value, *members))


def _is_of_the_kind(bound: Bound) -> bool:
    """All assignments are enabled, regular ones, of role groups."""
    return (
        bound.get("Enabled", True)
        and not bound.get("Delegating", False)
        and not bound.get("Exclusive", False)
        and bound.get("RoleAssigneeType", _GROUP) == _GROUP
        and _GROUP in bound.get("AssignmentMethod", [_GROUP])
    )


def _shown(name: str, role: Role, users: list[str]) -> Iterator[PSObject]:
    for user in users:
        properties = {
            "Role": name,
            "RoleAssignee": role.value,
            "RoleAssigneeName": role.value,
            "RoleAssigneeType": _GROUP,
            "AssignmentMethod": "Direct" if user == "All Group Members" else _GROUP,
            "EffectiveUserName": user,
            "Enabled": True,
            "Name": f"{name}-{role}",
            "Identity": f"{name}-{role}",
        }
        yield PSObject.of(TYPE, properties, properties["Name"])


_SCOPES = "a role reaches all of the organization: there are no scopes"
MANAGEMENT_ROLE_ASSIGNMENT_CMDLETS = Library(
    cmdlets=(
        Cmdlet(
            "Get-ManagementRoleAssignment",
            (
                ANY_IDENTITY,
                Parameter(name="Role", type=STRING, help="A management role, with * as wildcard."),
                Parameter(
                    name="RoleAssignee", type=STRING, help="A role group or an administrator, with * as wildcard."
                ),
                Parameter(
                    name="AssignmentMethod",
                    type=STRINGS,
                    values=("Direct", "SecurityGroup", "RoleGroup", "RoleAssignmentPolicy"),
                ),
                Parameter(
                    name="RoleAssigneeType",
                    type=STRING,
                    values=("User", "SecurityGroup", "RoleAssignmentPolicy", "ForeignSecurityPrincipal", "RoleGroup"),
                ),
                Parameter(name="Enabled", type=BOOLEAN),
                Parameter(name="Delegating", type=BOOLEAN),
                Parameter(name="Exclusive", type=BOOLEAN),
                Parameter(name="GetEffectiveUsers", type=SWITCH, help="A row for each administrator."),
                *DOMAIN_CONTROLLER,
                *refused(
                    _SCOPES,
                    "ConfigWriteScope CustomConfigWriteScope CustomRecipientWriteScope ExclusiveConfigWriteScope "
                    "ExclusiveRecipientWriteScope RecipientAdministrativeUnitScope RecipientGroupScope "
                    "RecipientOrganizationalUnitScope RecipientWriteScope WritableDatabase WritableRecipient "
                    "WritableServer",
                ),
            ),
            get,
            synopsis="Shows what each role group may do.",
        ),
    ),
    views={TYPE: View(("Role", "RoleAssigneeName", "RoleAssigneeType", "EffectiveUserName"))},
)
