"""What goes wrong in a script, or in a cmdlet that it calls."""

from __future__ import annotations

from dataclasses import dataclass

from posthouse.cmdlets.values import Value


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a script something stands: lines and columns from 1, columns in characters.

    `text` is the whole line, or empty if it may hold a secret.
    """

    file: str
    line: int
    column: int
    text: str
    length: int


class PSError(Exception):
    """An error record: what PowerShell prints in red, and a `catch` sees as `$_`.

    A cmdlet raises it for the object it was given; the next object of the pipeline, and the script, go on. `stop` ends
    the script unless it is caught. `category` and `error_id` are PowerShell's (CategoryInfo, FullyQualifiedErrorId).
    """

    def __init__(
        self,
        message: str,
        *,
        category: str = "InvalidOperation",
        error_id: str = "RuntimeException",
        exception: str = "System.Management.Automation.RuntimeException",
        target: Value = None,
        stop: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.category = category
        self.error_id = error_id
        self.exception = exception
        self.target = target
        self.stop = stop
        self.command = ""
        self.place: Place | None = None
        self.silent = False


class ScriptRefused(Exception):
    """The script was not begun: it isn't PowerShell, or uses more of it than Posthouse runs. One line."""

    def __init__(self, sentence: str, file: str, line: int, column: int) -> None:
        super().__init__(f"{file}:{line}:{column}: {sentence}")
        self.sentence = sentence
        self.line = line
        self.column = column


class IncompleteScript(ScriptRefused):
    """What is there could be the beginning of a script: a prompt asks for more lines."""
