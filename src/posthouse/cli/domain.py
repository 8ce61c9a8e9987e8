"""`posthouse domain …`: the accepted domains, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from posthouse.cli.options import Config, Json, administration
from posthouse.cli.organization import show_applied
from posthouse.cli.output import show_rows

if TYPE_CHECKING:
    from posthouse.admin import Items

Name = Annotated[str, typer.Argument(metavar="DOMAIN", help="The domain, like contoso.com.")]
DomainType = Literal["Authoritative", "InternalRelay", "ExternalRelay"]
Type = Annotated[DomainType, typer.Option("--type", help="Where its mailboxes are.")]

app = typer.Typer(help="Accepted domains.")


@app.command("list")
def list_domains(as_json: Json = False, config: Config = None) -> None:
    """List the accepted domains."""
    from posthouse.admin import to_json

    with administration(config) as admin:
        rows = [to_json(domain) for domain in admin.organization().accepted_domains]
    show_rows(rows, {"Name": "Name", "Type": "Type"}, as_json=as_json)


@app.command()
def new(name: Name, kind: Type = "Authoritative", as_json: Json = False, config: Config = None) -> None:
    """Accept mail for a domain."""
    with _domains(config) as domains:
        show_applied(domains.new(name, {"type": kind}), as_json=as_json)


@app.command("set")
def set_type(name: Name, kind: Type, as_json: Json = False, config: Config = None) -> None:
    """Change the type of an accepted domain."""
    with _domains(config) as domains:
        show_applied(domains.set(name, {"type": kind}), as_json=as_json)


@app.command()
def remove(name: Name, as_json: Json = False, config: Config = None) -> None:
    """Accept no mail for a domain any more."""
    with _domains(config) as domains:
        show_applied(domains.remove(name), as_json=as_json)


@contextmanager
def _domains(config: Path | None) -> Iterator[Items]:
    from posthouse.admin import Items

    with administration(config) as admin:
        yield Items(admin, "accepted_domain", Path.cwd())
