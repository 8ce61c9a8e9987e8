"""`posthouse token …`: API tokens, which programs sign in with."""

from __future__ import annotations

from typing import Annotated

import typer

from posthouse.cli.options import Config, Json, administration, duration
from posthouse.cli.output import show_json, show_rows

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the token is for.")]
_COLUMNS = {
    "name": "Name",
    "role": "Role",
    "created": "Created",
    "created_by": "By",
    "expires": "Expires",
    "last_used": "Last used",
}

app = typer.Typer(help="API tokens: what programs sign in with.")


@app.command("list")
def list_tokens(as_json: Json = False, config: Config = None) -> None:
    """List the tokens. What they are themselves is shown only when they are made."""
    from posthouse.admin.shown import shown_token

    with administration(config) as admin:
        rows = [shown_token(token) for token in admin.tokens.list()]
    show_rows(rows, _COLUMNS, as_json=as_json)


@app.command()
def new(
    name: Name,
    role: Annotated[str, typer.Option(metavar="ROLE", help="What it may do.")],
    expires: Annotated[str, typer.Option(metavar="TIME", help="How long it is good for, like 90d.")] = "90d",
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Make a token and print it: it can't be shown again."""
    from posthouse.admin import Role

    lifetime = duration(expires)
    with administration(config) as admin:
        token = admin.tokens.new(name, Role.named(role), lifetime)
    if as_json:
        show_json({"name": name, "token": token})
    else:
        typer.echo(token)


@app.command()
def remove(name: Name, config: Config = None) -> None:
    """Revoke a token, from the next request on."""
    with administration(config) as admin:
        admin.tokens.remove(name)
