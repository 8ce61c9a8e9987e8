"""`posthouse run`: a PowerShell script."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posthouse.cli.options import Config, settings_of

if TYPE_CHECKING:
    from posthouse.cmdlets.binding import Given
    from posthouse.cmdlets.session import Session

_STDIN = "-"
_ENOUGH = 1 << 21  # bytes; more than any script that is taken
_FAILED = 1
_NAMED = re.compile(r"-([^\W\d]\w*)(?::(.*))?", re.DOTALL)
_CONSTANTS = {"$true": True, "$false": False, "$null": None}

AllowFile = Annotated[
    list[Path] | None,
    typer.Option("--allow-file", metavar="FILE", help="A file that may be read and written, such as a PFX or a CSV."),
]


def run(
    script: Annotated[str, typer.Argument(metavar="SCRIPT", help="A PowerShell script; - is standard input.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="-NAME VALUE", help="What the script's param() asks for.")
    ] = None,
    allow_file: AllowFile = None,
    config: Config = None,
) -> int:
    """Run a PowerShell script of Exchange cmdlets. It is checked as a whole before any of it runs."""
    from posthouse.cmdlets.errors import ScriptRefused
    from posthouse.cmdlets.library import LIBRARY
    from posthouse.cmdlets.limits import LimitReached
    from posthouse.cmdlets.powershell import prepare
    from posthouse.cmdlets.registry import Registry

    folder = None if script == _STDIN else Path(script).parent
    try:
        given = [_given(word) for word in arguments or []]
        file = "stdin" if script == _STDIN else script
        prepared = prepare(_read(script), file, Registry(LIBRARY), arguments=given)
        with session(config, allow_file or [], folder) as opened:
            return opened.run(prepared)
    except (ScriptRefused, LimitReached) as error:
        sys.stderr.write(f"posthouse: {error}\n")
        return _FAILED


@contextmanager
def session(config: Path | None, allowed: list[Path], folder: Path | None) -> Iterator[Session]:
    """A session on the store of these settings; `folder` is the script's own."""
    from posthouse.admin import Administration, Face, local_actor
    from posthouse.cli.terminal import Terminal
    from posthouse.cmdlets.files import AllowedFiles
    from posthouse.cmdlets.interface import Services
    from posthouse.cmdlets.library import LIBRARY
    from posthouse.cmdlets.registry import Registry
    from posthouse.cmdlets.session import Session

    settings = settings_of(config)
    with Administration.opened(settings, local_actor(Face.POWERSHELL)) as admin:
        files = AllowedFiles(allowed, folder)
        services = Services(Terminal(), files, lambda: datetime.now().astimezone(), (admin, settings))
        opened = Session(Registry(LIBRARY), services)
        if folder:
            opened.set("PSScriptRoot", str(folder.resolve()))
        yield opened


def _given(word: str) -> Given:
    """As `pwsh -File` reads it: texts as they are, but $true, $false and $null are values (about_Pwsh)."""
    from posthouse.cmdlets.binding import Given

    named = _NAMED.fullmatch(word)
    if not named:
        return Given(value=_CONSTANTS.get(word.lower(), word))
    name, value = named.groups()
    return Given(name=name, value=_CONSTANTS.get(str(value).lower(), value), has_value=value is not None)


def _read(script: str) -> str:
    try:
        if script == _STDIN:
            return sys.stdin.buffer.read(_ENOUGH).decode("utf-8-sig")
        with Path(script).open("rb") as opened:
            return opened.read(_ENOUGH).decode("utf-8-sig")
    except OSError as error:
        raise typer.BadParameter(f"{script}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{script}: not UTF-8; save it as UTF-8") from None
