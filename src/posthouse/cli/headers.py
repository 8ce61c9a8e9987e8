"""`posthouse headers`: the header analyzer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posthouse.cli.options import Json, NoConfig
from posthouse.cli.output import show_json, show_table

if TYPE_CHECKING:
    from posthouse.analysis import HeaderReport

_ENOUGH = 8 << 20  # bytes: a header ends long before
_STDIN = "-"


def headers(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]...", help="Messages, or headers; - is standard input.")
    ] = None,
    as_json: Json = False,
    _config: NoConfig = None,
) -> None:
    """Show which way a message went, and how long each hop took. With --json several files give a line each."""
    from posthouse.analysis import analyze

    files = files or [_STDIN]
    for file in files:
        report = analyze(_read(file))
        if as_json and len(files) > 1:
            show_json(report.to_json(), indent=None)
        elif as_json:
            show_json(report.to_json())
        else:
            _show(report, file if len(files) > 1 else "")


def show_hops(report: HeaderReport) -> None:
    """The hops as a table, oldest first."""
    show_table(
        ("Hop", "From", "By", "With", "Time", "Delay"),
        (
            (row["number"], row["from"], row["by"], row["with"], row["time"], _delay(hop.delay))
            for hop in report.hops
            for row in (hop.to_json(),)
        ),
    )


def _show(report: HeaderReport, title: str) -> None:
    summary = {name.capitalize().replace("_", "-"): text for name, text in report.summary.to_json().items() if text}
    show_table((title, ""), summary.items())
    show_hops(report)
    if report.authentication:
        show_table(("Authentication", "Result"), report.authentication.items())
    if report.findings:
        show_table(("Severity", "Finding"), ((finding.severity, finding.text) for finding in report.findings))


def _read(file: str) -> bytes:
    if file == _STDIN:
        return sys.stdin.buffer.read(_ENOUGH)
    try:
        with Path(file).open("rb") as opened:
            return opened.read(_ENOUGH)
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from None


def _delay(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:g} s"
