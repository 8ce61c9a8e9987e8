"""`posthouse import`: the configuration of another product, or of a tenant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from posthouse.cli.options import Config, Json, administration, confirm
from posthouse.cli.organization import CHANGE_COLUMNS
from posthouse.cli.output import show_json, show_table

if TYPE_CHECKING:
    from posthouse.admin import Applied
    from posthouse.admin.migration import Findings

Formats = Literal["auto", "json", "csv", "clixml", "postfix", "emailrelay", "iis"]
_UNDERSTOOD = {"where": "Where", "setting": "Setting", "value": "Value", "becomes": "Becomes"}
_NOT_TAKEN = {"where": "Where", "setting": "Setting", "value": "Value", "reason": "Why not, or what is different"}

FilesToRead = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        help="Exports of a tenant, main.cf, emailrelay.conf, MetaBase.xml.",
        exists=True,
        dir_okay=False,
    ),
]


def import_(
    files: FilesToRead,
    kind: Annotated[Formats, typer.Option("--format", help="What the files are; auto looks into them.")] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Apply without asking.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Remove the connectors and domains that the files don't have.")
    ] = False,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Take over what an Exchange Online tenant, Postfix, E-MailRelay or the SMTP service of IIS was told."""
    from posthouse.admin import Outdated
    from posthouse.admin.migration import Format, load, merged, read_files

    findings = read_files(map(load, files), Format(kind))
    seen: list[Mapping[str, Any]] = []

    def edit(document: dict[str, Any]) -> dict[str, Any]:
        if seen and seen[0] != document:
            raise Outdated("somebody has changed the organization since; import again")
        seen[:] = [document]
        return merged(document, findings.document, replace=replace)

    with administration(config) as admin:
        planned = admin.change(edit, Path.cwd(), dry_run=True)
        _show(findings, planned, as_json=as_json)
        if dry_run or not planned.changes:
            return
        confirm("Apply these changes?", yes=yes)
        admin.change(edit, Path.cwd())
        typer.echo("applied; it is in force", err=True)


def _show(findings: Findings, planned: Applied, *, as_json: bool) -> None:
    understood = [asdict(line) for line in findings.understood]
    not_taken = [asdict(line) for line in findings.not_taken]
    changes = [asdict(change) for change in planned.changes]
    if as_json:
        return show_json({"understood": understood, "not_taken": not_taken, "changes": changes})
    for title, columns, rows in (
        ("Understood", _UNDERSTOOD, understood),
        ("Not taken, or different here", _NOT_TAKEN, not_taken),
        ("Changes", CHANGE_COLUMNS, changes),
    ):
        typer.echo(f"{title}: {'' if rows else 'nothing'}".rstrip())
        if rows:
            show_table(list(columns.values()), ([row.get(key) for key in columns] for row in rows))
    for notice in planned.notices:
        typer.echo(f"note: {notice}", err=True)
    return None
