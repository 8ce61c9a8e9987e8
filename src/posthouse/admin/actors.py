"""Who asks, by which face, from where."""

from __future__ import annotations

import enum
import getpass
import os
import sys
from dataclasses import dataclass

from posthouse.admin.roles import PERMISSIONS, Permission, Role

LOCAL = "local"
VOUCHED = "oidc:"
"""What the name of whom an identity provider vouches for begins with. No administrator's name has a colon."""


class Face(enum.StrEnum):
    CLI = "cli"
    POWERSHELL = "powershell"
    REST = "rest"
    WEB = "web"


@dataclass(frozen=True, slots=True)
class Actor:
    """`name` is an administrator's, `oidc:NAME`, `token:NAME`, or `local:USER`; `origin` an IP address, or `local`."""

    name: str
    roles: tuple[Role, ...]
    face: Face
    origin: str = LOCAL

    @property
    def is_administrator(self) -> bool:
        """One with a password: no administrator's name has a colon."""
        return ":" not in self.name

    def may(self, permission: Permission) -> bool:
        return any(permission in PERMISSIONS[role] for role in self.roles)


def local_actor(face: Face = Face.CLI) -> Actor:
    """The user of this process. Who may write the data directory may do everything: it is his anyway."""
    return Actor(f"{LOCAL}:{_user()}", (Role.ORGANIZATION_MANAGEMENT,), face)


def anonymous(face: Face, origin: str) -> Actor:
    """Somebody who has not signed in."""
    return Actor("anonymous", (), face, origin)


def _user() -> str:
    """From the process itself, since the environment's USER says whatever one likes."""
    if sys.platform == "win32":
        return getpass.getuser()
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container runs as any number
        return str(os.geteuid())
