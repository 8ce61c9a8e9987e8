"""`posthouse connector …`: inbound and outbound connectors, one at a time."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from posthouse.cli.fields import option_parameters, values_given
from posthouse.cli.options import Config, Json, administration
from posthouse.cli.organization import show_applied
from posthouse.cli.output import cell, show_json, show_rows, show_table
from posthouse.organization.connectors import InboundConnector, OutboundConnector

if TYPE_CHECKING:
    from posthouse.admin import ItemKind

Name = Annotated[str, typer.Argument(metavar="NAME", help="The connector's name.")]
_DIRECTIONS: dict[str, tuple[ItemKind, type]] = {
    "inbound": ("inbound_connector", InboundConnector),
    "outbound": ("outbound_connector", OutboundConnector),
}
_COLUMNS = {
    "Name": "Name",
    "Direction": "Direction",
    "ConnectorType": "Type",
    "Enabled": "Enabled",
    "Domains": "Domains",
    "Proof or way": "Proof or way",
}

app = typer.Typer(help="Inbound and outbound connectors.")


@app.command("list")
def list_connectors(as_json: Json = False, config: Config = None) -> None:
    """List all connectors, inbound first."""
    connectors = _connectors(config)
    rows = connectors if as_json else [{**connector, **_summary(connector)} for connector in connectors]
    show_rows(rows, _COLUMNS, as_json=as_json)


@app.command()
def show(name: Name, as_json: Json = False, config: Config = None) -> None:
    """Show all that a connector says."""
    found = [connector for connector in _connectors(config) if connector["Name"].casefold() == name.casefold()]
    if not found:
        from posthouse.admin import AdminError

        raise AdminError(f'there is no connector "{name}"; see posthouse connector list')
    if as_json:
        show_json(found)
        return
    for connector in found:
        show_table(("Key", "Value"), connector.items())


def _connectors(config: Path | None) -> list[dict[str, Any]]:
    from posthouse.admin import to_json

    with administration(config) as admin:
        organization = admin.organization()
    return [
        {"Name": connector.name, "Direction": direction, **to_json(connector)}
        for direction, connectors in (("Inbound", organization.inbound), ("Outbound", organization.outbound))
        for connector in connectors
    ]


def _summary(connector: dict[str, Any]) -> dict[str, str]:
    """What tells connectors apart at a glance."""
    if connector["Direction"] == "Inbound":
        proofs = ("SenderIPAddresses", "TlsSenderCertificateName", "SenderCredentials")
        return {
            "Domains": cell(connector["SenderDomains"]),
            "Proof or way": "; ".join(cell(connector[proof]) for proof in proofs if connector[proof]),
        }
    accepted = ["accepted domains"] if connector["AllAcceptedDomains"] else []
    by_mx = "MX" if connector["UseMXRecord"] else ""
    way = connector["Transport"] if connector["Transport"] != "smtp" else by_mx or cell(connector["SmartHosts"])
    return {"Domains": cell([*connector["RecipientDomains"], *accepted]), "Proof or way": way}


def _act(direction: str, act: Literal["new", "set"]) -> Callable[..., None]:
    """A command with an option for each field of the connector."""

    kind, model = _DIRECTIONS[direction]

    def command(name: str, config: Path | None, as_json: bool, **options: object) -> None:
        from posthouse.admin import Items

        with administration(config) as admin:
            items = Items(admin, kind, Path.cwd())
            values = values_given(model, options)
            show_applied(items.new(name, values) if act == "new" else items.set(name, values), as_json=as_json)

    parameters = [
        inspect.Parameter("name", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Name),
        *option_parameters(model),
        inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, annotation=Json, default=False),
        inspect.Parameter("config", inspect.Parameter.KEYWORD_ONLY, annotation=Config, default=None),
    ]
    command.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _remover(direction: str) -> Callable[..., None]:
    kind, _ = _DIRECTIONS[direction]

    def remove(name: Name, as_json: Json = False, config: Config = None) -> None:
        from posthouse.admin import Items

        with administration(config) as admin:
            show_applied(Items(admin, kind, Path.cwd()).remove(name), as_json=as_json)

    return remove


def _add_act(name: str, help_text: str, make: Callable[[str], Callable[..., None]]) -> None:
    """`connector NAME inbound …` and `connector NAME outbound …`."""
    group = typer.Typer(help=help_text)
    for direction in _DIRECTIONS:
        group.command(direction, help=help_text.replace("a connector", f"an {direction} connector"))(make(direction))
    app.add_typer(group, name=name)


_add_act("new", "Make a connector.", lambda direction: _act(direction, "new"))
_add_act("set", "Change a connector: what is not given stays.", lambda direction: _act(direction, "set"))
_add_act("remove", "Remove a connector.", _remover)
