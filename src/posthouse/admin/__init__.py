"""The one place where an administrator's act happens: validation, write, and the wait until it is in force.

Every face (commands, cmdlets, pages) calls this and nothing below it.
"""

from posthouse.admin.administration import Administration, Applied
from posthouse.admin.difference import Change
from posthouse.admin.errors import AdminError
from posthouse.admin.in_force import SettingInForce, settings_in_force
from posthouse.admin.items import ItemKind, Items
from posthouse.admin.mail import Mail, QueueAct
from posthouse.admin.spelling import cmdlet_spelling, to_json

__all__ = [
    "AdminError",
    "Administration",
    "Applied",
    "Change",
    "ItemKind",
    "Items",
    "Mail",
    "QueueAct",
    "SettingInForce",
    "cmdlet_spelling",
    "settings_in_force",
    "to_json",
]
