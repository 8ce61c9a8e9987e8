"""`posthouse web`: the admin address, which `posthouse serve` starts."""

from __future__ import annotations

from typing import Annotated

import typer

from posthouse.cli.options import Config, settings_of


def web(
    attached: Annotated[bool, typer.Option("--attached", help="End when standard input does.")] = False,
    config: Config = None,
) -> None:
    """Answer at the admin address alone. posthouse serve does this beside the relay."""
    from posthouse import observe
    from posthouse.web.server import serve

    settings = settings_of(config)
    if not settings.admin.address:
        raise typer.BadParameter("admin.address is empty, which is off; set it to one like 127.0.0.1:8025")
    observe.configure(settings.log)
    raise typer.Exit(serve(settings, config, attached=attached))
