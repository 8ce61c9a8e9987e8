"""What leaves the code around it: `break`, `continue`, `return` and `exit` (about_Break, about_Return)."""

from __future__ import annotations


class Break(Exception):
    """To the loop around it."""


class Continue(Exception):
    """To the loop around it."""


class Return(Exception):
    """To the function or script block around it."""


class ScriptExit(Exception):
    """Out of the script."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status
