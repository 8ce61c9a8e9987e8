"""The tables of docs/cmdlets.md and docs/cmdlets-mail.md, made from the cmdlets.

To write them anew: python -m support.cmdlet_tables
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from posthouse.cmdlets.exchange import EXCHANGE
from posthouse.cmdlets.interface import Cmdlet, Parameter
from posthouse.cmdlets.mail import MAIL

DOCS = Path(__file__).parents[2] / "docs" / "cmdlets.md"
MAIL_DOCS = DOCS.with_name("cmdlets-mail.md")
START = "\n## The cmdlets\n"
_PAGES = "https://learn.microsoft.com/powershell/module/"
_MODULES = {
    "Send-MailMessage": "microsoft.powershell.utility",
    "ConvertTo-SecureString": "microsoft.powershell.security",
    "Get-Credential": "microsoft.powershell.security",
}


def tables(cmdlets: Iterable[Cmdlet] = EXCHANGE.cmdlets) -> str:
    return START + "".join(_section(cmdlet) for cmdlet in sorted(cmdlets, key=_noun))


def _noun(cmdlet: Cmdlet) -> tuple[str, str]:
    verb, _, noun = cmdlet.name.partition("-")
    return noun, verb


def _section(cmdlet: Cmdlet) -> str:
    page = f"{_PAGES}{_MODULES.get(cmdlet.name, 'exchangepowershell')}/{cmdlet.name.lower()}"
    return (
        f"\n### {cmdlet.name}\n\n{cmdlet.synopsis}{_common(cmdlet)} [Microsoft's page]({page})\n"
        f"\n| parameter | |\n|---|---|\n{''.join(_rows(cmdlet))}"
    )


def _common(cmdlet: Cmdlet) -> str:
    asks = " Asks, unless `-Confirm:$false` is given." if cmdlet.confirm else ""
    return asks + (" Has `-WhatIf` and `-Confirm`." if cmdlet.should_process else "")


def _rows(cmdlet: Cmdlet) -> list[str]:
    rows = [
        f"| `{parameter.name}` | {_acts(parameter)} |\n" for parameter in cmdlet.parameters if not parameter.refused
    ]
    refused = sorted((one for one in cmdlet.parameters if one.refused), key=lambda one: one.refused)
    for reason, group in groupby(refused, key=lambda one: one.refused):
        names = " ".join(f"`{name}`" for name in sorted(one.name for one in group))
        rows.append(f"| {names} | refused: {_cell(reason)} |\n")
    return rows or ["| none | |\n"]


def _acts(parameter: Parameter) -> str:
    place = "First without its name too. " if parameter.position == 0 else ""
    mandatory = "Mandatory. " if parameter.mandatory else ""
    choices = f"One of {', '.join(parameter.choices)}. " if parameter.choices else ""
    return _cell(f"{mandatory}{place}{choices}{parameter.help}".strip() or "As on Microsoft's page.")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


def rewrite() -> None:
    for docs, library in ((DOCS, EXCHANGE), (MAIL_DOCS, MAIL)):
        text = docs.read_text("utf-8")
        docs.write_text(text[: text.index(START)] + tables(library.cmdlets), "utf-8")


if __name__ == "__main__":
    rewrite()
