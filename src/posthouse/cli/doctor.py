"""`posthouse doctor`: checks the way out, step by step."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import AsyncGenerator, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from posthouse.cli.options import Config, Json, separated
from posthouse.cli.output import cell, show_document

if TYPE_CHECKING:
    from posthouse.probe.doctor import Step

_ADDRESS = re.compile(r"[^\s<>\x00-\x1f\x7f\ud800-\udfff]+@[^\s<>@\x00-\x1f\x7f\ud800-\udfff]+")


def _address(text: str) -> Any:
    return typer.Option(metavar="ADDRESS", help=text)


def doctor(
    connectors: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CONNECTOR]...", help="Outbound connectors; else all that are enabled."),
    ] = None,
    sender: Annotated[str, typer.Option("--from", metavar="ADDRESS", help="Else postmaster.")] = "",
    internal: Annotated[str, _address("A recipient of your own; else postmaster.")] = "",
    external: Annotated[str, _address("A recipient elsewhere; without it none is asked about.")] = "",
    ip: Annotated[str, typer.Option(metavar="IP", help="The address that others see you come from.")] = "",
    selector: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A DKIM selector of your own.")] = None,
    send: Annotated[bool, typer.Option("--send", help="Send a real test mail to the recipients.")] = False,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=0.1, help="For each step.")] = 20.0,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Check the way to each outbound connector step by step. No mail is sent, unless you say so."""
    from posthouse.probe.doctor import Options, examine

    options = Options(
        connectors=tuple(connectors or ()),
        sender=_checked_address("--from", sender),
        internal=_checked_address("--internal", internal),
        external=_checked_address("--external", external),
        public_ip=_checked_ip(ip),
        selectors=tuple(separated(selector or [])),
        send=send,
        timeout=timeout,
    )
    if has_failed(examine(config, options), as_json=as_json):
        raise typer.Exit(1)


def has_failed(steps: AsyncGenerator[Step, None], *, as_json: bool) -> bool:
    """Show each step as it ends. Whether any failed."""
    import asyncio
    from contextlib import aclosing

    from posthouse.probe.doctor import Status

    async def walk(show: Callable[[Step], None]) -> bool:
        failed = False
        async with aclosing(steps) as found:
            async for step in found:
                show(step)
                failed = failed or step.status is Status.FAILED
        return failed

    shown = _JsonArray() if as_json else _Lines()
    try:
        return asyncio.run(walk(shown.show))
    except KeyboardInterrupt:
        return True
    finally:
        shown.end()


class _Lines:
    """For people: a heading for each subject, a line for each step, what to do below it."""

    def __init__(self) -> None:
        self._heading = ""

    def show(self, step: Step) -> None:
        heading = f"{step.area} {step.subject}"
        if heading != self._heading:
            typer.echo(heading)
        self._heading = heading
        typer.echo(f"  {step.status:<8} {cell(step.text)}")
        if step.explanation is not None:
            typer.echo(f"{'':11}{cell(step.explanation.title)}")
        if step.remedy:
            typer.echo(f"{'':11}-> {cell(step.remedy)}")

    def end(self) -> None:
        """Nothing is left to say."""


class _JsonArray:
    """One array, of which each element is written as soon as it is known."""

    def __init__(self) -> None:
        self._separator = "[\n"

    def show(self, step: Step) -> None:
        show_document(self._separator + json.dumps(asdict(step), ensure_ascii=False))
        sys.stdout.flush()
        self._separator = ",\n"

    def end(self) -> None:
        show_document("\n]\n" if self._separator == ",\n" else "[]\n")


def _checked_address(option: str, text: str) -> str:
    if text and not _ADDRESS.fullmatch(text):
        raise typer.BadParameter(f"{option}: {text!a} is no address; write one like user@contoso.com")
    return text


def _checked_ip(text: str) -> str:
    import ipaddress

    try:
        return text and str(ipaddress.ip_address(text))
    except ValueError:
        raise typer.BadParameter(f"--ip: {text} is no IP address; write one like 192.0.2.1") from None
