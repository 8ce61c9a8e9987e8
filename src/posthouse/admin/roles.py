"""Who may do what: roles, as Exchange Online names its role groups, the permissions of each, and what each act needs.

The built-in role groups, of which the first two are taken over and the third is our own, are described on
https://learn.microsoft.com/exchange/permissions-exo/permissions-exo. As there, viewing the organization doesn't
include the audit log: the role "View-Only Audit Logs" belongs to Organization Management
(https://learn.microsoft.com/exchange/view-only-audit-logs-role-exchange-2013-help).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from posthouse.admin.errors import AdminError


class Role(enum.StrEnum):
    ORGANIZATION_MANAGEMENT = "Organization Management"
    VIEW_ONLY = "View-Only Organization Management"
    MAIL_FLOW_OPERATOR = "Recipient and Mail Flow Operator"

    @classmethod
    def named(cls, text: str) -> Role:
        """Without regard to case. Raises `AdminError`."""
        for role in cls:
            if role.casefold() == text.strip().casefold():
                return role
        raise AdminError(f'there is no role "{text}"; write one of: {", ".join(cls)}')


class Permission(enum.Enum):
    VIEW_ORGANIZATION = enum.auto()
    CHANGE_ORGANIZATION = enum.auto()
    VIEW_MAIL = enum.auto()
    """Queue and message trace, but not what is in the messages."""
    CHANGE_QUEUE = enum.auto()
    READ_CONTENT = enum.auto()
    SEND_TEST = enum.auto()
    VIEW_ADMINISTRATORS = enum.auto()
    CHANGE_ADMINISTRATORS = enum.auto()
    VIEW_AUDIT = enum.auto()
    ROTATE_KEY = enum.auto()


PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.ORGANIZATION_MANAGEMENT: frozenset(Permission),
    Role.VIEW_ONLY: frozenset({Permission.VIEW_ORGANIZATION, Permission.VIEW_MAIL, Permission.VIEW_ADMINISTRATORS}),
    Role.MAIL_FLOW_OPERATOR: frozenset({Permission.VIEW_MAIL, Permission.CHANGE_QUEUE, Permission.SEND_TEST}),
}


@dataclass(frozen=True, slots=True)
class Act:
    """What an administrator does, by the name of its cmdlet; Exchange's own where there is one."""

    name: str
    needs: Permission

    @property
    def roles(self) -> tuple[Role, ...]:
        """Those that may."""
        return tuple(role for role, permissions in PERMISSIONS.items() if self.needs in permissions)


class Acts:
    """All of them, but for the changes of items: see `change_of`."""

    GET_ORGANIZATION = Act("Get-OrganizationConfig", Permission.VIEW_ORGANIZATION)
    SET_ORGANIZATION = Act("Set-OrganizationConfig", Permission.CHANGE_ORGANIZATION)
    SET_TRANSPORT = Act("Set-TransportConfig", Permission.CHANGE_ORGANIZATION)
    LOGIN_CREDENTIAL = Act("Connect-Credential", Permission.CHANGE_ORGANIZATION)
    GET_TENANT = Act("Get-Tenant", Permission.VIEW_ORGANIZATION)
    CONNECT_TENANT = Act("Connect-Tenant", Permission.CHANGE_ORGANIZATION)
    GET_TRACE = Act("Get-MessageTrace", Permission.VIEW_MAIL)
    GET_QUEUE = Act("Get-Message", Permission.VIEW_MAIL)
    RETRY = Act("Retry-Queue", Permission.CHANGE_QUEUE)
    HOLD = Act("Suspend-Message", Permission.CHANGE_QUEUE)
    RELEASE = Act("Resume-Message", Permission.CHANGE_QUEUE)
    DROP = Act("Remove-Message", Permission.CHANGE_QUEUE)
    EXPORT_MESSAGE = Act("Export-Message", Permission.READ_CONTENT)
    SEND_TEST = Act("Send-MailMessage", Permission.SEND_TEST)
    GET_ADMINISTRATOR = Act("Get-Administrator", Permission.VIEW_ADMINISTRATORS)
    NEW_ADMINISTRATOR = Act("New-Administrator", Permission.CHANGE_ADMINISTRATORS)
    SET_ADMINISTRATOR = Act("Set-Administrator", Permission.CHANGE_ADMINISTRATORS)
    REMOVE_ADMINISTRATOR = Act("Remove-Administrator", Permission.CHANGE_ADMINISTRATORS)
    NEW_SETUP_LINK = Act("New-SetupLink", Permission.CHANGE_ADMINISTRATORS)
    GET_TOKEN = Act("Get-ApiToken", Permission.VIEW_ADMINISTRATORS)
    NEW_TOKEN = Act("New-ApiToken", Permission.CHANGE_ADMINISTRATORS)
    REMOVE_TOKEN = Act("Remove-ApiToken", Permission.CHANGE_ADMINISTRATORS)
    SEARCH_AUDIT = Act("Search-AdminAuditLog", Permission.VIEW_AUDIT)
    ROTATE_KEY = Act("Update-SecretsKey", Permission.ROTATE_KEY)


def change_of(verb: str, noun: str) -> Act:
    """`Set`, `InboundConnector`: the change of an item of the organization."""
    return Act(f"{verb}-{noun}", Permission.CHANGE_ORGANIZATION)
