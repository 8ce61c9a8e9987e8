"""`posthouse headers`: the header analyzer."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posthouse.cli.options import Json, NoConfig
from posthouse.cli.output import cell, show_json, show_table

if TYPE_CHECKING:
    from posthouse.analysis import Finding, HeaderReport, Hop

_ENOUGH = 1 << 20  # bytes: all that is looked at
_STDIN = "-"
_BAR = 10  # columns for the whole
_VALUE = 60  # columns of a value that only its beginning tells anything of
_UNBOUNDED = 10_000  # columns, where nobody looks at a screen
_STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_SUBJECTS = ("header.d", "header.i", "smtp.mailfrom", "envelope-from", "header.from", "smtp.helo")


def headers(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]...", help="Messages, or headers; - is standard input.")
    ] = None,
    local: Annotated[bool, typer.Option("--local", help="Times as the servers wrote them, not in UTC.")] = False,
    as_json: Json = False,
    _config: NoConfig = None,
) -> None:
    """Show which way a message went, and what is worth knowing about it. With --json several files give a line each."""
    from posthouse.analysis import analyze

    files = files or [_STDIN]
    for file in files:
        report = analyze(_read(file))
        if as_json and len(files) > 1:
            show_json(report.to_json(), indent=None)
        elif as_json:
            show_json(report.to_json())
        else:
            _show(report, file if len(files) > 1 else "", local=local)


def show_hops(report: HeaderReport, *, local: bool = False) -> None:
    """The hops as a table, oldest first."""
    from rich.console import Console

    mark = "#" if Console().options.ascii_only else "\N{FULL BLOCK}"
    show_table(
        ("Hop", "From", "By", "With", "TLS", "Role", "Time", "Delay", "Share"),
        (
            (
                hop.number,
                hop.received.source,
                hop.received.by,
                hop.received.protocol,
                hop.received.tls_version or hop.received.tls,
                report.workflow.role(hop),
                hop.to_json()["local_time" if local else "time"],
                _delay(hop),
                mark * round(hop.share * _BAR),
            )
            for hop in report.hops
        ),
    )


def _show(report: HeaderReport, title: str, *, local: bool) -> None:
    summary = {name.capitalize().replace("_", "-"): text for name, text in report.summary.to_json().items() if text}
    if report.summary.transit is not None:
        summary["Transit"] = f"{report.summary.transit:g} s"
    show_table((title or "Summary", ""), summary.items())
    show_hops(report, local=local)
    if report.hops:
        show_table(("Way", ""), _way(report))
    if verdicts := list(_verdicts(report)):
        show_table(("Authentication", "Result", "Of", "Found by", "Why"), verdicts)
    if stamps := list(_stamps(report)):
        show_table(("Microsoft's headers", "Value", "Meaning"), stamps)
    if report.findings:
        _show_findings(report.findings)


def _way(report: HeaderReport) -> Iterator[tuple[str, object]]:
    workflow = report.workflow
    if workflow.origin:
        yield "sender", workflow.origin
    for step in workflow.steps:
        connector = f", connector {step.connector}" if step.connector else ""
        yield step.role, f"{step.host} (hop {cell(step.hops)}{connector})"
    if workflow.entry:
        yield "entered Microsoft 365 by", f"{workflow.entry} ({workflow.evidence})"
    if workflow.pool:
        yield "left Microsoft 365 by", f"{workflow.pool} pool"
    if workflow.as_expected is not None:
        yield "over relay and connector", workflow.as_expected


def _verdicts(report: HeaderReport) -> Iterator[tuple[str, str, str, str, str]]:
    for assessment in report.evidence.assessments:
        server = assessment.server or "(not told)"
        for verdict in assessment.verdicts:
            subject = next((verdict.properties[name] for name in _SUBJECTS if name in verdict.properties), "")
            by = server if assessment.trusted else f"{server}, before it was sent"
            yield verdict.method, verdict.result, subject, by, verdict.why
    for signature in report.evidence.signatures:
        aligned = "" if signature.aligned else "not the domain of From"
        yield "signature", signature.result or "(not told)", f"{signature.domain} {signature.selector}", "", aligned
    for sealed in report.evidence.arc:
        found = ", ".join(f"{verdict.method}={verdict.result}" for verdict in sealed.verdicts)
        yield f"ARC {sealed.instance}", f"cv={sealed.cv}", sealed.domain, sealed.server, found


def _stamps(report: HeaderReport) -> Iterator[tuple[str, str, str]]:
    for stamp in report.antispam:
        if stamp.value and not stamp.diagnostic:
            value = stamp.value if len(stamp.value) <= _VALUE else f"{stamp.value[:_VALUE]}..."
            yield stamp.field or stamp.header, value, stamp.meaning


def _show_findings(findings: tuple[Finding, ...]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for finding in findings:
        style = _STYLES[finding.severity]
        table.add_row(Text(finding.severity, style=style), Text(f"{cell(finding.text)} [{finding.header}]"))
    console = Console(width=None if sys.stdout.isatty() else _UNBOUNDED, highlight=False)
    console.print(Text("Findings", style="bold"), table, "", sep="\n")


def _read(file: str) -> bytes:
    if file == _STDIN:
        return sys.stdin.buffer.read(_ENOUGH)
    try:
        with Path(file).open("rb") as opened:
            return opened.read(_ENOUGH)
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from None


def _delay(hop: Hop) -> str:
    if hop.delay is None:
        return ""
    return f"{hop.delay:g} s, clocks differ" if hop.skewed else f"{hop.delay:g} s"
