"""Store and forward: smtp-source with 20 sessions → relay (durable before 250) → smtp-sink."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from bench.relays import STARTS
from bench.results import Part
from bench.stage import Options, Running, Stage, alternate, say, stage

CEILING = "no relay"


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    size: int
    reuse: bool


EACH = Case("4 KiB, a connection each", 4 << 10, reuse=False)
REUSE = Case("4 KiB, reuse", 4 << 10, reuse=True)
CASES = (
    EACH,
    REUSE,
    Case("64 KiB, a connection each", 64 << 10, reuse=False),
    Case("64 KiB, reuse", 64 << 10, reuse=True),
    Case("1 MiB, a connection each", 1 << 20, reuse=False),
)


def measure(options: Options, parts: dict[str, Part]) -> None:
    with stage() as here:
        running = [here.start(CEILING, None), *_start_all(here, options)]
        for case in CASES:
            measure_case(case, options, running, parts["throughput"])


def measure_case(case: Case, options: Options, running: list[Running], part: Part) -> None:
    """All that run, alternating. Each is a row."""

    def one(relay: Running) -> None:
        figures = relay.measure(options, case.size, reuse=case.reuse)
        say(f"  {case.name}, {relay.name}: {figures.rate:.0f}/s, {figures.cpu:.2f} ms, {figures.memory:.0f} MiB")
        spent = {"cpu": figures.cpu, "memory": figures.memory} if relay.group else {}
        part.add(case.name, relay.name, rate=figures.rate, **spent)

    for relay in running:
        relay.rate = 0
    alternate(options, running, one)


def _start_all(here: Stage, options: Options) -> list[Running]:
    running: list[Running] = []
    for name in options.relays:
        try:
            running.append(here.start(name, STARTS[name]))
        except (OSError, subprocess.SubprocessError) as error:
            say(f"  {name} doesn't start and is left out: {error}")
    return running
