"""`posthouse preset …`: what connectors to well-known services look like."""

from __future__ import annotations

from typing import Annotated

import typer

from posthouse.cli.options import Json
from posthouse.cli.output import show_json, show_rows, show_table

Name = Annotated[str, typer.Argument(metavar="NAME", help="The preset's name.")]

app = typer.Typer(help="Presets for outbound connectors: hosts, ports, TLS and limits of well-known services.")


@app.command("list")
def list_presets(as_json: Json = False) -> None:
    """List the presets."""
    from posthouse.admin.presets import presets

    rows = [{"Name": preset.name, "For": preset.title} for preset in presets().values()]
    show_rows(rows, {"Name": "Name", "For": "For"}, as_json=as_json)


@app.command()
def show(name: Name, as_json: Json = False) -> None:
    """Show what a preset sets, what it needs besides, and where that is documented."""
    from posthouse.admin import AdminError
    from posthouse.admin.presets import presets

    preset = presets().get(name)
    if preset is None:
        raise AdminError(f'there is no preset "{name}"; see posthouse preset list')
    rows = {
        "for": preset.title,
        **preset.connector,
        **{key: f"to be given, like {example}" for key, example in preset.needs.items()},
        **({"the credential's user": preset.user} if preset.user else {}),
        "page": preset.page,
    }
    if as_json:
        show_json(rows)
    else:
        show_table(("Key", "Value"), rows.items())
