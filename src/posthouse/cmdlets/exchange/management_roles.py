"""Permissions by the names of the management roles that are nearest to them in Exchange.

https://learn.microsoft.com/exchange/built-in-management-roles-exchange-2013-help
"""

from __future__ import annotations

from collections.abc import Mapping

from posthouse.admin import Permission, Role
from posthouse.admin.roles import PERMISSIONS

NAMES: Mapping[Permission, str] = {
    Permission.VIEW_ORGANIZATION: "View-Only Configuration",
    Permission.CHANGE_ORGANIZATION: "Organization Configuration",
    Permission.VIEW_MAIL: "Message Tracking",
    Permission.CHANGE_QUEUE: "Transport Queues",
    Permission.READ_CONTENT: "Message Content",
    Permission.SEND_TEST: "Test Mail",
    Permission.VIEW_ADMINISTRATORS: "View-Only Role Management",
    Permission.CHANGE_ADMINISTRATORS: "Role Management",
    Permission.VIEW_AUDIT: "View-Only Audit Logs",
    Permission.ROTATE_KEY: "Secrets Key",
}


def management_roles(role: Role) -> list[str]:
    """Of a role group."""
    return [name for permission, name in NAMES.items() if permission in PERMISSIONS[role]]
