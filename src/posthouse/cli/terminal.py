"""The host of scripts on this terminal (`cmdlets.interface.Host`)."""

from __future__ import annotations

import shutil
import sys

from posthouse.cmdlets.interface import Stream

_UNBOUNDED = 10_000  # columns; where nobody looks at a screen, nothing is cut


class Terminal:
    def __init__(self) -> None:
        self.interactive = sys.stdin.isatty() and sys.stdout.isatty()
        self.width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _UNBOUNDED

    def write(self, stream: Stream, text: str) -> None:
        """Warnings and errors go to standard error. On a screen, control characters are shown and not obeyed."""
        file = sys.stdout if stream in ("output", "host") else sys.stderr
        if file.isatty():
            text = "".join(
                char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text
            )
        file.write(text)

    def ask(self, question: str) -> str:
        return input(question)
