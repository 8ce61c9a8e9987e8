"""`posthouse shell`: cmdlets, one after the other, as they are typed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from posthouse.cli.options import Config
from posthouse.cli.script import AllowFile, session

if TYPE_CHECKING:
    from posthouse.cmdlets.powershell import Script
    from posthouse.cmdlets.registry import Registry
    from posthouse.cmdlets.session import Session

_PROMPT, _MORE = "PS> ", ">> "


def shell(allow_file: AllowFile = None, config: Config = None) -> int:
    """Type cmdlets at a prompt, with history and completion (Tab). Get-Command lists them, exit leaves."""
    from posthouse.cmdlets.limits import LimitReached

    status = 0
    with session(config, allow_file or [], None) as opened:
        _complete(opened.registry)
        for script in _scripts(opened):
            try:
                status = opened.run(script)
            except LimitReached as error:
                sys.stderr.write(f"posthouse: {error}\n")
            except KeyboardInterrupt:
                sys.stderr.write("\n")
            if opened.ended:
                return status
    return 0


def _scripts(opened: Session) -> Iterator[Script]:
    """What is typed, as soon as it is whole: an open bracket or string asks for more lines, an empty one gives up."""
    from posthouse.cmdlets.errors import IncompleteScript, ScriptRefused

    text = ""
    while (line := _line(_MORE if text else _PROMPT)) is not None:
        text += line + "\n"
        if line.endswith("`"):
            continue
        try:
            yield opened.prepare(text, "line")
        except IncompleteScript as error:
            if line.strip():
                continue
            sys.stderr.write(f"{error}\n")
        except ScriptRefused as error:
            sys.stderr.write(f"{error}\n")
        text = ""


def _line(prompt: str) -> str | None:
    """None at the end of the input. Ctrl-C gives up what was typed."""
    try:
        return input(prompt if sys.stdin.isatty() else "")
    except EOFError:
        return None
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return ""


def _complete(registry: Registry) -> None:
    """Tab completes. On Windows there is no readline, and so no completion."""
    from posthouse.cmdlets.completion import completions

    with suppress(ImportError):
        import readline

        def complete(_word: str, number: int) -> str | None:
            found = completions(readline.get_line_buffer()[: readline.get_endidx()], registry)
            return found[number] if number < len(found) else None

        readline.set_completer(complete)
        readline.set_completer_delims(" |;({=")
        readline.parse_and_bind("tab: complete")
