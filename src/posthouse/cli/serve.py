"""`posthouse serve`: the relay."""

from __future__ import annotations

import typer

from posthouse.cli.options import Config, settings_of


def serve(config: Config = None) -> None:
    """Run the relay in the foreground until it is told to stop."""
    from posthouse import observe
    from posthouse.relay import supervisor

    settings = settings_of(config)
    observe.configure(settings.log)
    raise typer.Exit(supervisor.serve(settings))
