"""`posthouse serve`: the relay."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from posthouse.cli.options import Config, settings_of


def serve(config: Config = None) -> None:
    """Run the relay and its admin address in the foreground until it is told to stop."""
    from posthouse import observe
    from posthouse.relay import supervisor

    settings = settings_of(config)
    observe.configure(settings.log)
    beside = _web(config) if settings.admin.address else ()
    raise typer.Exit(supervisor.serve(settings, beside))


def _web(config: Path | None) -> tuple[str, ...]:
    """The admin address is a program of its own, so that the mail path doesn't load the web."""
    named = ("--config", str(config)) if config else ()
    return (sys.executable, "-m", "posthouse", "web", "--attached", *named)
