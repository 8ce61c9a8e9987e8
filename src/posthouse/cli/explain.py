"""`posthouse explain`: what a reply, or a bounce, means."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from posthouse.cli.options import Json, NoConfig
from posthouse.cli.output import show_json, show_table

if TYPE_CHECKING:
    from posthouse.analysis import Explanation

_ENOUGH = 8 << 20  # bytes: a bounce with the mail attached
_STDIN = "-"


def explain(
    text: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEXT]...", help="A reply, or all that shows it; - or nothing is standard input."),
    ] = None,
    as_json: Json = False,
    _config: NoConfig = None,
) -> None:
    """Say what a reply means, why it comes, and what to do: a reply, lines of a log, a bounce as it is or as shown."""
    from posthouse.analysis import explain as explained

    found = explained(sys.stdin.buffer.read(_ENOUGH) if text in (None, [_STDIN]) else " ".join(text or ()))
    if not found:
        typer.echo(
            "there is no reply of a mail server in it; "
            "give a line with a code, such as 550 5.7.64, or a file: posthouse explain < FILE",
            err=True,
        )
        raise typer.Exit(1)
    if as_json:
        show_json([explanation.to_json() for explanation in found])
        return
    for explanation in found:
        show_table(("Reply", explanation.reply or "(none)"), rows(explanation))


def rows(explanation: Explanation) -> Iterator[tuple[str, str]]:
    """What is known of a reply, a row for each thing, headed where a new kind begins."""
    parts = {
        "Means": (explanation.title,),
        "Why": explanation.causes,
        "What to do": explanation.remedies,
        "More": explanation.sources,
    }
    for heading, texts in parts.items():
        for number, text in enumerate(texts):
            yield "" if number else heading, text
