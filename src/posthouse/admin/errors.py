"""Why an administrator's act was refused."""

from __future__ import annotations


class AdminError(Exception):
    """Nothing was changed. Each of `lines` says what is wrong and what to do."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines
