"""`posthouse credential …`: what signs in to the next hops, one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from posthouse.cli.options import Config, Json, administration
from posthouse.cli.organization import show_applied
from posthouse.cli.output import cell, show_json, show_rows, show_table
from posthouse.cli.secret import SecretSource

if TYPE_CHECKING:
    from posthouse.admin import Items
    from posthouse.net.oauth_user import DeviceCode

Name = Annotated[str, typer.Argument(metavar="NAME", help="The credential's name.")]
Kind = Literal["password", "client_credentials", "device_code", "managed_identity"]

_COLUMNS = {"Name": "Name", "Kind": "Kind", "User": "User", "Tenant": "Tenant", "Connectors": "Used by"}
_SECRET_NEEDED = ("password", "client_credentials")

app = typer.Typer(help="Credentials: what signs in to the next hops.")


@app.command("list")
def list_credentials(as_json: Json = False, config: Config = None) -> None:
    """List the credentials, and the outbound connectors that use them. Secrets are never shown."""
    show_rows(_credentials(config), _COLUMNS, as_json=as_json)


@app.command()
def show(name: Name, as_json: Json = False, config: Config = None) -> None:
    """Show all that a credential says, but for its secret."""
    found = [row for row in _credentials(config) if row["Name"].casefold() == name.casefold()]
    if not found:
        from posthouse.admin import AdminError

        raise AdminError(f'there is no credential "{name}"; see posthouse credential list')
    if as_json:
        show_json(found[0])
    else:
        show_table(("Key", "Value"), found[0].items())


Kinds = Annotated[Kind | None, typer.Option("--kind", help="How it signs in.", show_default=False)]
User = Annotated[str | None, typer.Option(metavar="ADDRESS", help="The mailbox that sends, or a user name.")]
Tenant = Annotated[str | None, typer.Option(metavar="ID", help="The tenant's id, or a domain of it.")]
ClientId = Annotated[str | None, typer.Option(metavar="ID", help="Of the app registration, or a managed identity.")]
Authority = Annotated[str | None, typer.Option(metavar="URL", help="Of a national cloud.")]
SecretEnv = Annotated[str, typer.Option(metavar="VARIABLE", help="Holds the password or client secret.")]
SecretFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Its first line is the secret.", exists=True, dir_okay=False)
]
Certificate = Annotated[str | None, typer.Option(metavar="FILE", help='A PFX in place of a secret. "" is none.')]
CertificatePasswordEnv = Annotated[str | None, typer.Option(metavar="VARIABLE", help="Holds the PFX's password.")]
MessagesPerMinute = Annotated[int | None, typer.Option("--throttle-messages-per-minute", help="0 is no limit.")]
RecipientsPerDay = Annotated[int | None, typer.Option("--throttle-recipients-per-day", help="0 is no limit.")]
Connections = Annotated[int | None, typer.Option("--throttle-connections", help="0 is no limit.")]


@app.command()
def new(
    name: Name,
    kind: Annotated[Kind, typer.Option("--kind", help="How it signs in.")],
    user: User = None,
    tenant: Tenant = None,
    client_id: ClientId = None,
    authority: Authority = None,
    secret_env: SecretEnv = "",
    secret_file: SecretFile = None,
    certificate: Certificate = None,
    certificate_password_env: CertificatePasswordEnv = None,
    messages_per_minute: MessagesPerMinute = None,
    recipients_per_day: RecipientsPerDay = None,
    connections: Connections = None,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Make a credential. Where it needs a secret and none is named, it is asked for."""
    source = SecretSource("password" if kind == "password" else "client secret", secret_env, secret_file)
    secret = source.given()
    if secret is None and kind in _SECRET_NEEDED and certificate is None:
        secret = source.asked()
    values = {"kind": kind, "user": user, "tenant": tenant, "client_id": client_id, "authority": authority}
    limits = _limits(messages_per_minute, recipients_per_day, connections)
    with _credentials_of(config) as credentials:
        given = _given(values, secret, _certificate(certificate, certificate_password_env), limits)
        show_applied(credentials.new(name, given), as_json=as_json)


@app.command("set")
def change(
    name: Name,
    kind: Kinds = None,
    user: User = None,
    tenant: Tenant = None,
    client_id: ClientId = None,
    authority: Authority = None,
    secret_env: SecretEnv = "",
    secret_file: SecretFile = None,
    secret_prompt: Annotated[bool, typer.Option("--secret-prompt", help="Ask for the secret.")] = False,
    certificate: Certificate = None,
    certificate_password_env: CertificatePasswordEnv = None,
    messages_per_minute: MessagesPerMinute = None,
    recipients_per_day: RecipientsPerDay = None,
    connections: Connections = None,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Change a credential: what is not given stays."""
    source = SecretSource("secret", secret_env, secret_file)
    secret = source.asked() if secret_prompt else source.given()
    values = {"kind": kind, "user": user, "tenant": tenant, "client_id": client_id, "authority": authority}
    limits = _limits(messages_per_minute, recipients_per_day, connections)
    with _credentials_of(config) as credentials:
        given = _given(values, secret, _certificate(certificate, certificate_password_env), limits)
        show_applied(credentials.set(name, given), as_json=as_json)


@app.command()
def remove(name: Name, as_json: Json = False, config: Config = None) -> None:
    """Remove a credential that no connector uses."""
    with _credentials_of(config) as credentials:
        show_applied(credentials.remove(name), as_json=as_json)


@app.command()
def login(name: Name, config: Config = None) -> None:
    """Sign in by a device code: shows it, and waits until somebody has entered it. Ctrl-C gives up."""
    from posthouse.admin import AdminError

    with administration(config) as admin:
        try:
            user = admin.credentials.login(name, _show_code)
        except KeyboardInterrupt:
            raise AdminError("given up; nothing has changed") from None
    typer.echo(f"signed in as {cell(user)}" if user else "signed in")


@app.command("test")
def check(
    name: Name,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=0.1, help="For each step.")] = 20.0,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Get a token, sign in where the credential is used, and say what happened. No mail is sent."""
    from posthouse.cli.doctor import has_failed
    from posthouse.probe.doctor import Options, examine_credential

    if has_failed(examine_credential(name, config, Options(timeout=timeout)), as_json=as_json):
        raise typer.Exit(1)


def _show_code(code: DeviceCode) -> None:
    import time

    minutes = max(0, round((code.expires_at - time.time()) / 60))
    typer.echo(f"Open {code.page} and enter the code {code.code}, within {minutes} minutes.", err=True)


def _given(
    values: Mapping[str, Any],
    secret: str | None,
    certificate: Mapping[str, Any] | None,
    limits: Mapping[str, int | None],
) -> dict[str, Any]:
    """As an organization file has it; what isn't given is left out, and what is "" unset."""
    given = {key: value or None for key, value in values.items() if value is not None}
    if secret is not None:
        given["secret"] = secret
    if certificate is not None:
        given["certificate"] = dict(certificate) or None
    if limits:
        given["throttle"] = dict(limits)
    return given


def _certificate(file: str | None, password_env: str | None) -> Mapping[str, Any] | None:
    if file is None and password_env is not None:
        raise typer.BadParameter("--certificate-password-env needs --certificate beside it")
    if not file:
        return None if file is None else {}
    return {"pfx": file, "password_env": password_env} if password_env else {"pfx": file}


def _limits(messages_per_minute: int | None, recipients_per_day: int | None, connections: int | None) -> dict[str, Any]:
    limits = {
        "messages_per_minute": messages_per_minute,
        "recipients_per_day": recipients_per_day,
        "connections": connections,
    }
    return {key: limit or None for key, limit in limits.items() if limit is not None}


def _credentials(config: Path | None) -> list[dict[str, Any]]:
    from posthouse.admin import to_json

    with administration(config) as admin:
        organization = admin.organization()
    users = {
        credential.name: [each.name for each in organization.outbound if credential.name in each.credential]
        for credential in organization.credentials
    }
    return [{**to_json(each), "Connectors": users[each.name]} for each in organization.credentials]


@contextmanager
def _credentials_of(config: Path | None) -> Iterator[Items]:
    from posthouse.admin import Items

    with administration(config) as admin:
        yield Items(admin, "credential", Path.cwd())
