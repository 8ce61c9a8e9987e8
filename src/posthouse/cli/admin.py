"""`posthouse admin …`: who may sign in."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posthouse.cli.options import Config, Json, administration, settings_of
from posthouse.cli.output import show_rows
from posthouse.cli.secret import SecretSource

if TYPE_CHECKING:
    from posthouse.admin import Role

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the administrator signs in with.")]
Roles = Annotated[list[str] | None, typer.Option("--role", metavar="ROLE", help="Repeat it for several.")]
PasswordVariable = Annotated[str, typer.Option("--password-env", metavar="VARIABLE", help="Holds the password.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Its first line is the password.", exists=True, dir_okay=False),
]
_COLUMNS = {
    "name": "Name",
    "roles": "Roles",
    "enabled": "Enabled",
    "totp": "Codes",
    "created": "Created",
    "last_sign_in": "Last sign-in",
}

app = typer.Typer(help="Administrators: who may sign in.")


@app.command("list")
def list_administrators(as_json: Json = False, config: Config = None) -> None:
    """List the administrators."""
    from posthouse.admin.shown import shown_administrator

    with administration(config) as admin:
        rows = [shown_administrator(who) for who in admin.administrators.list()]
    show_rows(rows, _COLUMNS, as_json=as_json)


@app.command()
def new(
    name: Name,
    role: Roles = None,
    password_env: PasswordVariable = "",
    password_file: PasswordFile = None,
    totp: Annotated[bool, typer.Option("--totp", help="Ask for codes of an authenticator app too.")] = False,
    config: Config = None,
) -> None:
    """Make an administrator. Without a variable or file the password is asked for."""
    from posthouse.admin import Role

    secret = _new_totp() if totp else None
    roles = _roles(role) if role else [Role.ORGANIZATION_MANAGEMENT]
    password = SecretSource("password", password_env, password_file).given()
    password = _prompted() if password is None else password
    with administration(config) as admin:
        admin.administrators.new(name, password, roles, totp=secret)
    _show_totp(name, secret)


@app.command("set")
def set_administrator(
    name: Name,
    role: Roles = None,
    enabled: Annotated[bool | None, typer.Option(help="Disabled, nobody signs in by that name.")] = None,
    password: Annotated[bool, typer.Option("--password", help="Ask for a new password.")] = False,
    password_env: PasswordVariable = "",
    password_file: PasswordFile = None,
    totp: Annotated[bool | None, typer.Option(help="Ask for codes of an authenticator app, of a new secret.")] = None,
    end_sessions: Annotated[bool, typer.Option("--end-sessions", help="End them wherever they are.")] = False,
    config: Config = None,
) -> None:
    """Change an administrator: what is not given stays. The roles given are all that he then has."""
    secret = None if totp is None else _new_totp() if totp else b""
    new_password = SecretSource("password", password_env, password_file).given()
    if password and new_password is None:
        new_password = _prompted()
    roles = _roles(role) if role else None
    with administration(config) as admin:
        if (roles, enabled, new_password, secret) != (None, None, None, None):
            admin.administrators.set(name, roles=roles, enabled=enabled, password=new_password, totp=secret)
        elif not end_sessions:
            raise typer.BadParameter("nothing to change; give --role, --enabled, --password, --totp or --end-sessions")
        if end_sessions:
            admin.administrators.end_sessions(name)
    _show_totp(name, secret)


@app.command()
def remove(name: Name, config: Config = None) -> None:
    """Remove an administrator, and end his sessions."""
    with administration(config) as admin:
        admin.administrators.remove(name)


@app.command("setup-link")
def setup_link(
    url: Annotated[str, typer.Option(metavar="URL", help="Where the admin centre is reached.")] = "",
    config: Config = None,
) -> None:
    """Print a link that makes the first administrator, once, within a day. Earlier ones are void."""
    base = url or f"http://{settings_of(config).admin.address or '127.0.0.1'}"
    with administration(config) as admin:
        typer.echo(admin.administrators.setup_link(base))


@app.command("rotate-key")
def rotate_key(config: Config = None) -> None:
    """Encrypt all stored secrets with a new key."""
    with administration(config) as admin:
        number = admin.rotate_key()
    typer.echo(f"{number} secrets are encrypted with the new key")


def _roles(names: Iterable[str]) -> list[Role]:
    from posthouse.admin import Role

    return [Role.named(name) for name in names]


def _prompted() -> str:
    if not sys.stdin.isatty():
        raise typer.BadParameter("there is no terminal to ask for a password; give --password-env or --password-file")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password


def _new_totp() -> bytes:
    from posthouse.admin import totp

    return totp.new_secret()


def _show_totp(name: str, secret: bytes | None) -> None:
    if secret:
        from posthouse.admin import totp

        typer.echo("For the authenticator app; it is not shown again:", err=True)
        typer.echo(totp.enrolment_uri(secret, name))
