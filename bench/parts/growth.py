"""What more of something costs Posthouse: worker processes, waiting messages, connectors. 4 KiB messages."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from bench.backlog import fill
from bench.parts.throughput import EACH, REUSE, measure_case
from bench.relays import Start, posthouse
from bench.results import Part
from bench.stage import Options, Running, Stage, say, stage


def workers(options: Options, parts: dict[str, Part]) -> None:
    with stage() as here:
        running = [
            here.start(_counted(count, "worker"), partial(posthouse, workers=count)) for count in options.workers
        ]
        _measure(options, running, parts["workers"])


def queue(options: Options, parts: dict[str, Part]) -> None:
    """Beside the rates, how long a start takes with so much waiting."""
    with stage() as here:
        running = [_start_filled(here, count, parts["queue"]) for count in options.waiting]
        _measure(options, running, parts["queue"])


def connectors(options: Options, parts: dict[str, Part]) -> None:
    with stage() as here:
        running = [here.start(_counted(count, "connector"), _connected(count)) for count in options.connectors]
        _measure(options, running, parts["connectors"])


def _measure(options: Options, running: list[Running], part: Part) -> None:
    for case in (EACH, REUSE):
        measure_case(case, options, running, part)


def _start_filled(here: Stage, count: int, part: Part) -> Running:
    data = here.folder / f"filled-{count}"
    say(f"  {count:,} messages go into the queue")
    fill(data, count)
    name = f"{count:,} waiting"
    relay = here.start(name, partial(posthouse, store=data))
    assert relay.group is not None
    part.add("start-up", name, start=relay.group.start_seconds, store=_mebibytes(here.folder / name / "data"))
    return relay


def _mebibytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / (1 << 20)


def _connected(count: int) -> Start:
    """As many connectors more, half of them inbound by address, half outbound by domain."""
    inbound = (
        f'[[inbound_connector]]\nname = "In {number}"\nconnector_type = "OnPremises"\n'
        f'sender_ip_addresses = ["10.{number >> 8}.{number & 255}.0/24"]\n'
        for number in range(count // 2)
    )
    outbound = (
        f'[[outbound_connector]]\nname = "Out {number}"\nrecipient_domains = ["d{number}.example.com"]\n'
        'smart_hosts = ["127.0.0.1"]\n'
        for number in range(count // 2)
    )
    return partial(posthouse, organization="\n".join((*inbound, *outbound)))


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
