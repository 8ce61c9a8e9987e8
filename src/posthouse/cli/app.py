"""The tree of commands."""

from __future__ import annotations

from typing import Annotated

import typer

from posthouse import __version__
from posthouse.cli import (
    admin,
    audit,
    connector,
    credential,
    demo,
    doctor,
    domain,
    explain,
    headers,
    migration,
    organization,
    preset,
    queue,
    script,
    send,
    serve,
    shell,
    tenant,
    token,
    trace,
    web,
)

app = typer.Typer(
    help="Posthouse: an SMTP relay with Exchange-Online-style connectors.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"posthouse {__version__}")
        raise typer.Exit


@app.callback()
def posthouse(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Posthouse: an SMTP relay with Exchange-Online-style connectors."""


app.command()(serve.serve)
app.command()(web.web)
app.command()(demo.demo)
app.command()(organization.apply)
app.command()(organization.export)
app.command()(organization.show)
app.command("import")(migration.import_)
app.add_typer(connector.app, name="connector")
app.add_typer(preset.app, name="preset")
app.add_typer(domain.app, name="domain")
app.add_typer(credential.app, name="credential")
app.add_typer(tenant.app, name="tenant")
app.command(context_settings={"ignore_unknown_options": True})(script.run)
app.command()(shell.shell)
app.command()(send.send)
app.command()(headers.headers)
app.command()(explain.explain)
app.command()(doctor.doctor)
app.add_typer(queue.app, name="queue")
app.command()(trace.trace)
app.add_typer(admin.app, name="admin")
app.add_typer(token.app, name="token")
app.command()(audit.audit)
