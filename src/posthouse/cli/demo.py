"""`posthouse demo`: the whole chain rehearsed on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from posthouse.cli.options import NoConfig

if TYPE_CHECKING:
    from rich.console import Console

    from posthouse.probe.demo import Proof


def demo(_config: NoConfig = None) -> None:
    """Rehearse the whole chain on this machine: a scanner, two relays, a recipient. Takes about 15 seconds."""
    from rich.console import Console

    from posthouse.cli.headers import show_hops
    from posthouse.probe import demo as rehearsal

    console = Console(highlight=False, soft_wrap=True)
    result = rehearsal.run(
        lambda progress: console.print(f"\n{progress}", markup=False, style="bold"),
        lambda proof: _show(proof, console),
    )
    if result.report is not None:
        console.print("\nThe way of the scan to example.net:", style="bold")
        show_hops(result.report)
    proved = sum(proof.holds for proof in result.proofs)
    console.print(
        f"\n{proved} of {len(result.proofs)} claims proved.", style="bold green" if result.holds else "bold red"
    )
    raise typer.Exit(0 if result.holds else 1)


def _show(proof: Proof, console: Console) -> None:
    tick, cross = ("+", "x") if console.options.ascii_only else ("✓", "✗")
    mark, style = (tick, "green") if proof.holds else (f"{cross} NOT PROVED:", "red")
    console.print(f"  {mark} {proof.claim}", markup=False, style=style)
    console.print(f"      {proof.evidence}", markup=False, style="dim")
