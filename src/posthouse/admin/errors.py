"""Why an administrator's act was refused.

AdminError           it can't be done
├── NotFound         there is nothing of that name
├── AlreadyThere     the name is taken
├── Outdated         somebody changed it since it was looked at
├── Forbidden        the actor's roles don't allow it
└── SignInRefused    whoever asks is not who they say
    └── LockedOut    too many tries: wait
"""

from __future__ import annotations


class AdminError(Exception):
    """Nothing was changed. Each of `lines` says what is wrong and what to do."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class NotFound(AdminError):
    """Names what there is."""


class AlreadyThere(AdminError):
    """Names what is there already."""


class Outdated(AdminError):
    """The change was made for another state than that which is there now."""


class Forbidden(AdminError):
    """Names who, the act, and the roles that may do it."""


class SignInRefused(AdminError):
    """Does not say which of name, password and code was wrong."""


class LockedOut(SignInRefused):
    """Nothing was looked at. `seconds`: how long to wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"too many failed sign-ins; try again in {int(seconds) + 1} seconds")
        self.seconds = seconds
