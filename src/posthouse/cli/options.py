"""The options that many commands share, and how their texts become values."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from posthouse.admin import Administration
    from posthouse.settings import Settings

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The settings to use; else posthouse.toml in this folder, else the built-in defaults.",
        exists=True,
        dir_okay=False,
    ),
]
NoConfig = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="As everywhere; not needed here.", exists=True, dir_okay=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def settings_of(config: Path | None) -> Settings:
    from posthouse.settings import load

    return load(config)


def moment(text: str) -> float | None:
    """A date or time (local where it names no zone) or an age such as `2h`, as Unix time. Empty is None."""
    from posthouse.settings import parse_duration

    if not text:
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        pass
    try:
        return time.time() - parse_duration(text)
    except ValueError:
        raise typer.BadParameter(f'"{text}" is no time; write it like 2026-11-24, 2026-11-24T15:30 or 2h') from None


def duration(text: str) -> float:
    """`90d` in seconds."""
    from posthouse.settings import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f'"{text}": {error}') from None


@contextmanager
def administration(config: Path | None) -> Iterator[Administration]:
    """The acts of this host's user on the store of these settings."""
    from posthouse.admin import Administration, local_actor

    with Administration.opened(settings_of(config), local_actor()) as admin:
        yield admin


def confirm(question: str, *, yes: bool) -> None:
    """Ask where somebody sits at a terminal; else only `--yes` will do."""
    from posthouse.admin import AdminError

    if yes:
        return
    if not sys.stdin.isatty():
        raise AdminError("nothing was applied, since there is no terminal to ask at; add --yes")
    if not typer.confirm(question, err=True):
        raise AdminError("nothing was applied")


def separated(values: list[str]) -> list[str]:
    """The values of an option that may be repeated, or hold several with commas between."""
    return [part.strip() for value in values for part in value.split(",") if part.strip()]
