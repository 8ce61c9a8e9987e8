"""The commands for the organization as a whole."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posthouse.cli.options import Config, Json, administration
from posthouse.cli.output import show_document, show_rows

if TYPE_CHECKING:
    from posthouse.admin import Applied

CHANGE_COLUMNS = {"act": "Act", "item": "Item", "key": "Key", "before": "Before", "after": "After"}


def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The organization file.", exists=True, dir_okay=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Make the organization what a file says. It is in force when this returns."""
    with administration(config) as admin:
        show_applied(admin.apply(file, dry_run=dry_run), as_json=as_json)


def export(
    powershell: Annotated[
        bool, typer.Option("--powershell", help="As a script that makes it in an Exchange Online tenant.")
    ] = False,
    config: Config = None,
) -> None:
    """Print the organization as a file that apply reads. Secrets are left out, and kept by apply."""
    with administration(config) as admin:
        if powershell:
            from posthouse.admin.migration import tenant_script

            show_document(tenant_script(admin.organization()))
        else:
            show_document(admin.export())


def show(as_json: Json = False, config: Config = None) -> None:
    """Show the settings in force, and where each value came from."""
    from posthouse.admin import settings_in_force

    rows = [asdict(setting) for setting in settings_in_force(config)]
    show_rows(rows, {"key": "Key", "value": "Value", "origin": "From"}, as_json=as_json)


def show_applied(applied: Applied, *, as_json: bool) -> None:
    """The changes on standard output; what is to know about them beside it."""
    rows = [asdict(change) for change in applied.changes]
    if rows or as_json:
        show_rows(rows, CHANGE_COLUMNS, as_json=as_json)
    else:
        typer.echo("nothing to change", err=True)
    for notice in applied.notices:
        typer.echo(f"note: {notice}", err=True)
