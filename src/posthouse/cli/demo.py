"""`posthouse demo`: the whole chain rehearsed on this machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from posthouse.probe.demo import Proof


def demo() -> None:
    """Rehearse the whole chain on this machine: a scanner, two relays, a recipient. Takes about 20 seconds."""
    from posthouse.cli.headers import show_hops
    from posthouse.probe import demo as rehearsal

    result = rehearsal.run(_tell, _show)
    if result.report is not None:
        sys.stdout.write("\nThe way of the scan to example.net:\n")
        show_hops(result.report)
    proved = sum(proof.holds for proof in result.proofs)
    sys.stdout.write(f"\n{proved} of {len(result.proofs)} claims proved.\n")
    raise typer.Exit(0 if result.holds else 1)


def _tell(progress: str) -> None:
    sys.stderr.write(f"{progress}\n")


def _show(proof: Proof) -> None:
    sys.stdout.write(f"  {'proved' if proof.holds else 'FAILED'}  {proof.claim}: {proof.evidence}\n")
    sys.stdout.flush()
