"""Get-RoleGroup and the cmdlets of its members: administrators, and what they may do.

https://learn.microsoft.com/powershell/module/exchangepowershell/get-rolegroup
https://learn.microsoft.com/powershell/module/exchangepowershell/update-rolegroupmember
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from posthouse.admin import Acts, AdminError, Administration, Outdated, Role
from posthouse.cmdlets.conversion import STRING, SWITCH
from posthouse.cmdlets.exchange.changes import not_found, told
from posthouse.cmdlets.exchange.management_roles import management_roles
from posthouse.cmdlets.exchange.parameters import (
    ANY_IDENTITY,
    DOMAIN_CONTROLLER,
    ON_PREMISES,
    RESULT_SIZE,
    limited,
    refused,
)
from posthouse.cmdlets.exchange.types import MULTI, Changes
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Library, Parameter, View
from posthouse.cmdlets.values import PSObject, Value
from posthouse.spool import Administrator

GROUP_TYPE = "Microsoft.Exchange.Data.Directory.Management.RoleGroup"
MEMBER_TYPE = "Microsoft.Exchange.Data.Directory.Management.ReducedRecipient"


def get_groups(context: Context, bound: Bound) -> Iterator[Value]:
    with told(context, bound.get("Identity", "")):
        administrators = context.service(Administration).administrators.list()
        groups = [_group(role, administrators) for role in _meant(bound.get("Identity", ""))]
    yield from limited(
        sorted(groups, key=lambda group: group.properties["Name"]) if "SortBy" in bound else groups, bound
    )


def get_members(context: Context, bound: Bound) -> Iterator[Value]:
    with told(context, bound["Identity"]):
        [role] = _meant(bound["Identity"])
        administrators = context.service(Administration).administrators.list()
    yield from limited((_member(who) for who in administrators if role in who.roles), bound)


def add_member(context: Context, bound: Bound) -> Iterator[Value]:
    _change(context, bound, Changes(add=(bound["Member"],)))
    yield from ()


def remove_member(context: Context, bound: Bound) -> Iterator[Value]:
    _change(context, bound, Changes(remove=(bound["Member"],)))
    yield from ()


def update_members(context: Context, bound: Bound) -> Iterator[Value]:
    _change(context, bound, bound.get("Members", Changes()))
    yield from ()


def _change(context: Context, bound: Bound, wanted: list[str] | Changes) -> None:
    """All of it is looked at before the first administrator is changed."""
    administration = context.service(Administration)
    administrators = administration.administrators
    with told(context, bound["Identity"]):
        administration.ledger.check(Acts.SET_ADMINISTRATOR, bound["Identity"])
        [role] = _meant(bound["Identity"])
        everyone = {who.name: who for who in administrators.list()}
        before = {name for name, who in everyone.items() if role in who.roles}
        after = _members(before, wanted, everyone)
        _check(role, before, after, everyone)
        if context.should_process(f"{', '.join(sorted(before ^ after)) or 'nobody'} in {role}"):
            for name in [*sorted(after - before), *sorted(before - after)]:
                seen = everyone[name]
                roles = _roles(seen, role, belongs=name in after)
                administrators.set(name, roles=roles, approve=partial(_approve, seen))


def _approve(seen: Administrator, now: Administrator) -> None:
    if now.roles != seen.roles:
        raise Outdated(f'the roles of "{now.name}" were changed meanwhile; look at them, and try again')


def _members(before: set[str], wanted: list[str] | Changes, everyone: dict[str, Administrator]) -> set[str]:
    changes = wanted if isinstance(wanted, Changes) else Changes(tuple(wanted), tuple(before))
    add, remove = ({_known(name, everyone) for name in names} for names in (changes.add, changes.remove))
    return (before - remove) | add


def _known(name: str, everyone: dict[str, Administrator]) -> str:
    if name.lower() not in everyone:
        raise not_found(name, iter(everyone))
    return name.lower()


def _check(role: Role, before: set[str], after: set[str], everyone: dict[str, Administrator]) -> None:
    """What `admin` would refuse in the middle of several changes."""
    for name in sorted(before - after):
        if len(everyone[name].roles) == 1:
            raise AdminError(
                f'"{name}" would be left without a role; posthouse admin remove takes away who is to have none'
            )
    if role is Role.ORGANIZATION_MANAGEMENT and before and not any(everyone[name].enabled for name in after):
        raise AdminError(f"nobody would be left in {role}; add another member first")


def _roles(who: Administrator, role: Role, *, belongs: bool) -> Sequence[Role]:
    others = [Role(name) for name in who.roles if name != role]
    return [*others, role] if belongs else others


def _meant(identity: str) -> list[Role]:
    roles = [role for role in Role if not identity or role.casefold() == identity.casefold()]
    if not roles:
        raise not_found(identity, iter(Role))
    return roles


def _group(role: Role, administrators: Sequence[Administrator]) -> PSObject:
    roles = management_roles(role)
    properties = {
        "ManagedBy": [],
        "RoleAssignments": [f"{name}-{role}" for name in roles],
        "Roles": roles,
        "DisplayName": role.value,
        "Members": [who.name for who in administrators if role in who.roles],
        "RoleGroupType": "Standard",
        "Name": role.value,
        "Identity": role.value,
    }
    return PSObject.of(GROUP_TYPE, properties, role.value)


def _member(who: Administrator) -> PSObject:
    properties = {"Name": who.name, "RecipientType": "User", "Enabled": who.enabled, "Identity": who.name}
    return PSObject.of(MEMBER_TYPE, properties, who.name)


_GROUP = Parameter(
    name="Identity", type=STRING, position=0, mandatory=True, from_pipeline_by_name=True, help="The Name of the group."
)
_PIPED_GROUP = replace(_GROUP, from_pipeline=True)
_MEMBER = Parameter(
    name="Member",
    type=STRING,
    mandatory=True,
    from_pipeline=True,
    from_pipeline_by_name=True,
    help="The name of an administrator.",
)
_BYPASS = Parameter(
    name="BypassSecurityGroupManagerCheck", type=SWITCH, help="Taken: role groups have no managers here."
)
ROLE_GROUP_CMDLETS = Library(
    cmdlets=(
        Cmdlet(
            "Get-RoleGroup",
            (
                ANY_IDENTITY,
                RESULT_SIZE,
                Parameter(name="SortBy", type=STRING, values=("Name", "DisplayName")),
                *refused("pipe to Where-Object", "Filter"),
                *refused("there are no partners here", "", switches="ShowPartnerLinked"),
                *refused(ON_PREMISES, "", switches="ReadFromDomainController"),
                *DOMAIN_CONTROLLER,
            ),
            get_groups,
            synopsis="Shows the role groups.",
        ),
        Cmdlet(
            "Get-RoleGroupMember",
            (
                _PIPED_GROUP,
                RESULT_SIZE,
                *refused(ON_PREMISES, "", switches="ReadFromDomainController"),
                *DOMAIN_CONTROLLER,
            ),
            get_members,
            synopsis="Shows the administrators in a role group.",
        ),
        Cmdlet(
            "Add-RoleGroupMember",
            (_GROUP, _MEMBER, _BYPASS, *DOMAIN_CONTROLLER),
            add_member,
            synopsis="Adds an administrator to a role group.",
            should_process=True,
        ),
        Cmdlet(
            "Remove-RoleGroupMember",
            (_GROUP, _MEMBER, _BYPASS, *DOMAIN_CONTROLLER),
            remove_member,
            synopsis="Removes an administrator from a role group.",
            should_process=True,
            confirm=True,
        ),
        Cmdlet(
            "Update-RoleGroupMember",
            (
                _PIPED_GROUP,
                Parameter(name="Members", type=MULTI, help="All members, or @{Add=…; Remove=…}."),
                _BYPASS,
                *DOMAIN_CONTROLLER,
            ),
            update_members,
            synopsis="Changes who is in a role group.",
            should_process=True,
        ),
    ),
    views={
        GROUP_TYPE: View(("Name", "Roles", "Members", "ManagedBy")),
        MEMBER_TYPE: View(("Name", "RecipientType", "Enabled")),
    },
)
