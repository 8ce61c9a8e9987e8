"""`posthouse connector …`: inbound and outbound connectors, one at a time."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from posthouse.cli.options import Config, Json, administration
from posthouse.cli.organization import show_applied
from posthouse.cli.output import cell, show_json, show_rows, show_table

if TYPE_CHECKING:
    from posthouse.admin import ItemKind, Items

Name = Annotated[str, typer.Argument(metavar="NAME", help="The connector's name.")]
_KINDS: dict[str, ItemKind] = {"inbound": "inbound_connector", "outbound": "outbound_connector"}
_PRESET = inspect.Parameter(
    "preset",
    inspect.Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Annotated[
        str | None,
        typer.Option("--preset", metavar="NAME", help="A well-known service's values; see posthouse preset list."),
    ],
)
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


class _Act(TyperGroup):
    """`connector new` or `connector set`, with an option for each field of the connector.

    A command is made when it is asked for: knowing the fields takes longer than `posthouse --help` may.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_KINDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _KINDS:
            return None
        single = typer.Typer(rich_markup_mode=None, add_completion=False)
        single.command(cmd_name, help=_help_for(cmd_name, self.help or ""))(_changer(cmd_name, self.name or ""))
        return get_command(single)


def _changer(direction: str, act: str) -> Callable[..., None]:
    from posthouse.cli.fields import option_parameters, values_given
    from posthouse.organization import InboundConnector, OutboundConnector

    model = {"inbound": InboundConnector, "outbound": OutboundConnector}[direction]

    def change(name: str, config: Path | None, as_json: bool, preset: str | None = None, **options: object) -> None:
        values = values_given(model, options) | ({"preset": preset} if preset else {})
        with _items(config, direction) as items:
            show_applied(items.new(name, values) if act == "new" else items.set(name, values), as_json=as_json)

    parameters = [
        inspect.Parameter("name", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Name),
        *([_PRESET] if direction == "outbound" else []),
        *option_parameters(model),
        inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, annotation=Json, default=False),
        inspect.Parameter("config", inspect.Parameter.KEYWORD_ONLY, annotation=Config, default=None),
    ]
    change.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]
    change.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return change


def _remover(direction: str) -> Callable[..., None]:
    def remove(name: Name, as_json: Json = False, config: Config = None) -> None:
        with _items(config, direction) as items:
            show_applied(items.remove(name), as_json=as_json)

    return remove


@contextmanager
def _items(config: Path | None, direction: str) -> Iterator[Items]:
    from posthouse.admin import Items

    with administration(config) as admin:
        yield Items(admin, _KINDS[direction], Path.cwd())


def _help_for(direction: str, help_text: str) -> str:
    return help_text.replace("a connector", f"an {direction} connector")


app.add_typer(typer.Typer(cls=_Act, help="Make a connector."), name="new")
app.add_typer(typer.Typer(cls=_Act, help="Change a connector: what is not given stays."), name="set")
_removers = typer.Typer(help="Remove a connector.")
for _direction in _KINDS:
    _removers.command(_direction, help=_help_for(_direction, "Remove a connector."))(_remover(_direction))
app.add_typer(_removers, name="remove")
