"""`posthouse tenant …`: the Exchange Online tenant behind this relay, looked at and set up from here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posthouse.cli.options import Config, Json, confirm, separated, settings_of
from posthouse.cli.organization import show_applied
from posthouse.cli.output import cell, show_document, show_json, show_table

if TYPE_CHECKING:
    from posthouse.admin.tenant import Done, Plan, Tenant, Wish

app = typer.Typer(help="The Exchange Online tenant behind this relay: what it lacks for the relay's mail.")

_COLUMNS = ("Name", "Enabled", "ConnectorType", "SenderIPAddresses", "TlsSenderCertificateName")

Connectors = Annotated[
    list[str] | None,
    typer.Option("--connector", metavar="NAME", help="Outbound connectors; else those that go to Microsoft 365."),
]
Addresses = Annotated[
    list[str] | None,
    typer.Option("--address", metavar="IP", help="What the tenant sees this relay come from, if not source_address."),
]
Take = Annotated[
    str, typer.Option(metavar="NAME", help="A connector of the tenant that may be changed, though made elsewhere.")
]


@app.command()
def connect(
    credential: Annotated[str, typer.Argument(metavar="CREDENTIAL", help="An application's, by its name.")],
    endpoint: Annotated[str, typer.Option(metavar="URL", help="Else that of the credential's cloud.")] = "",
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Try whether the tenant lets the application in, and keep by which credential it is administered."""
    with _tenant(config) as tenant:
        show_applied(tenant.connect(credential, endpoint), as_json=as_json)


@app.command()
def disconnect(as_json: Json = False, config: Config = None) -> None:
    """Forget by which credential the tenant is administered. Nothing changes there."""
    with _tenant(config) as tenant:
        show_applied(tenant.disconnect(), as_json=as_json)


@app.command()
def show(as_json: Json = False, config: Config = None) -> None:
    """Show the tenant's accepted domains, connectors, and whether it rejects direct send."""
    from posthouse.admin.tenant import shown_state

    with _tenant(config) as tenant:
        state = shown_state(tenant.show())
    if as_json:
        return show_json(state)
    show_table(("Key", "Value"), [(key, value) for key, value in state.items() if key != "InboundConnectors"])
    if connectors := state["InboundConnectors"]:
        show_table(_COLUMNS, ([each[key] for key in _COLUMNS] for each in connectors))
    return None


@app.command()
def plan(
    connectors: Connectors = None,
    addresses: Addresses = None,
    take: Take = "",
    powershell: Annotated[
        bool,
        typer.Option(
            "--powershell", help="As a script; without a connected tenant, for one of which nothing is known."
        ),
    ] = False,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Compare what this relay's mail needs with what the tenant has. Changes nothing."""
    from posthouse.admin.tenant import plan_script, shown_plan

    with _tenant(config) as tenant:
        found = tenant.plan(_wish(connectors, addresses, take), look=tenant.is_connected or not powershell)
    if powershell:
        show_document(plan_script(found))
    elif as_json:
        show_json(shown_plan(found))
    else:
        _show_plan(found)


@app.command()
def apply(
    connectors: Connectors = None,
    addresses: Addresses = None,
    take: Take = "",
    yes: Annotated[bool, typer.Option("--yes", help="Carry it out without asking.")] = False,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Plan, and carry the plan out in the tenant once you agree: one step after another, up to the first refusal."""
    from posthouse.admin.tenant import shown_done, shown_plan

    wish = _wish(connectors, addresses, take)
    with _tenant(config) as tenant:
        found = tenant.plan(wish)
        if not as_json:
            _show_plan(found)
        done: Sequence[Done] = ()
        if found.steps:
            confirm("Do this in the tenant?", yes=yes)
            done = tenant.apply(wish, found.check, _tell)
    if as_json:
        show_json(shown_plan(found) | {"done": list(map(shown_done, done))})
    elif not found.steps:
        typer.echo("nothing is to be done in the tenant", err=True)


@app.command()
def verify(
    sender: Annotated[str, typer.Option("--from", metavar="ADDRESS", help="In an accepted domain.")],
    internal: Annotated[str, typer.Option(metavar="ADDRESS", help="One of the tenant's people.")],
    external: Annotated[str, typer.Option(metavar="ADDRESS", help="Somebody elsewhere.")],
    connectors: Connectors = None,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=0.1, help="For each step.")] = 60.0,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Send a test mail to both recipients by each way into the tenant, and tell what it said."""
    from posthouse.admin.tenant import Trial

    with _tenant(config) as tenant:
        verdicts = tenant.verify(Trial(sender, internal, external, timeout), tuple(connectors or ()))
    if as_json:
        show_json([asdict(verdict) for verdict in verdicts])
    else:
        for each in verdicts:
            typer.echo(f"{'accepted' if each.accepted else 'refused'} {each.connector}, {cell(each.recipient)}")
            typer.echo(f"  {cell(each.text)}")
            if each.remedy:
                typer.echo(f"  -> {cell(each.remedy)}")
    if not all(verdict.accepted for verdict in verdicts):
        raise typer.Exit(1)


@contextmanager
def _tenant(config: Path | None) -> Iterator[Tenant]:
    from posthouse.admin import local_actor
    from posthouse.admin.tenant import Tenant

    with Tenant.opened(settings_of(config), local_actor()) as tenant:
        yield tenant


def _wish(connectors: list[str] | None, addresses: list[str] | None, take: str) -> Wish:
    from posthouse.admin.tenant import Wish

    return Wish(tuple(connectors or ()), tuple(separated(addresses or [])), take)


def _show_plan(found: Plan) -> None:
    for item in found.items:
        typer.echo(f"{item.act:<7} {cell(item.about)}")
        typer.echo(f"{'':8}{cell(item.why)}")
        if item.cmdlet:
            typer.echo(f"{'':8}{item.cmdlet}")
        for name, value in item.parameters.items():
            typer.echo(f"{'':10}{name}: {cell(value) or 'nothing'}")


def _tell(done: Done) -> None:
    typer.echo(f"done: {done.item.cmdlet} for {cell(done.item.about)}", err=True)
    for warning in done.warnings:
        typer.echo(f"note: {cell(warning)}", err=True)
