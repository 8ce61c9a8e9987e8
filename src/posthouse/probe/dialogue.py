"""What was said in a session, secrets hidden."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from posthouse.smtp.replies import printable

_SECRET: Final = re.compile(r"^(AUTH \S+ )?(?!AUTH \S+$)(.+)")
"""All of a line but AUTH and its mechanism."""
_HIDDEN: Final = "[hidden]"
_SHORTEST_SECRET: Final = 4
"""What is shorter stands in any text by chance."""


@dataclass(frozen=True, slots=True)
class DialogueLine:
    """One line of the session, secrets hidden. `speaker` is `C`, `S`, or `*` for a remark of ours.

    `seconds` is since the start.
    """

    speaker: Literal["C", "S", "*"]
    text: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.speaker}: {self.text}"


class Dialogue:
    """What was said so far. With `keep` off it only watches for secrets."""

    def __init__(
        self, observe: Callable[[DialogueLine], None] | None = None, secret: str = "", *, keep: bool = True
    ) -> None:
        self.lines: list[DialogueLine] = []
        self._observe = observe
        self._keep = keep
        self._started = time.monotonic()
        self._unfinished = b""
        self._secrets = {secret}

    def remark(self, text: str) -> None:
        self._note("*", text)

    def sent(self, data: bytes, *, is_secret: bool = False) -> None:
        for line in data.decode("utf-8", "replace").splitlines():
            if is_secret and (match := _SECRET.match(line)):
                self._secrets.add(match[2])
                line = f"{match[1] or ''}{_HIDDEN}"
            self._note("C", line)

    def received(self, data: bytes) -> None:
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        for line in lines:
            self._note("S", self.safe(printable(line)))

    def safe(self, text: str) -> str:
        """Without the secrets that were sent: some servers repeat a line that they don't understand."""
        for secret in self._secrets:
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, _HIDDEN)
        return text

    def _note(self, speaker: Literal["C", "S", "*"], text: str) -> None:
        if not self._keep:
            return
        line = DialogueLine(speaker, text, time.monotonic() - self._started)
        self.lines.append(line)
        if self._observe is not None:
            self._observe(line)
