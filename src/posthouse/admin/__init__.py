"""The one place where an administrator's act happens: role, validation, write with the audit record, and the
wait until it is in force.

Every face (commands, cmdlets, pages) calls this and nothing below it.
"""

from posthouse.admin.actors import Actor, Face, local_actor
from posthouse.admin.administration import Administration, Applied
from posthouse.admin.attention import Concern, Condition, Gravity
from posthouse.admin.attention import Kind as ConcernKind
from posthouse.admin.authentication import Authentication
from posthouse.admin.difference import Change
from posthouse.admin.errors import (
    AdminError,
    AlreadyThere,
    Forbidden,
    LockedOut,
    NotFound,
    Outdated,
    SignInRefused,
)
from posthouse.admin.in_force import SettingInForce, settings_in_force
from posthouse.admin.items import ItemKind, Items
from posthouse.admin.mail import Mail, QueueAct
from posthouse.admin.roles import Act, Acts, Permission, Role
from posthouse.admin.spelling import cmdlet_spelling, to_json
from posthouse.admin.traffic import Period, Point, Recently, Traffic, Trouble, quantile

__all__ = [
    "Act",
    "Actor",
    "Acts",
    "AdminError",
    "Administration",
    "AlreadyThere",
    "Applied",
    "Authentication",
    "Change",
    "Concern",
    "ConcernKind",
    "Condition",
    "Face",
    "Forbidden",
    "Gravity",
    "ItemKind",
    "Items",
    "LockedOut",
    "Mail",
    "NotFound",
    "Outdated",
    "Period",
    "Permission",
    "Point",
    "QueueAct",
    "Recently",
    "Role",
    "SettingInForce",
    "SignInRefused",
    "Traffic",
    "Trouble",
    "cmdlet_spelling",
    "local_actor",
    "quantile",
    "settings_in_force",
    "to_json",
]
