"""Store-and-forward throughput: smtp-source → relay (durable before 250) → smtp-sink, relays alternating in one run.

Needs smtp-source, smtp-sink and Postfix from `tests/tools/unpack-postfix .tools`, and root for Postfix and the cgroups.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import relays
from measure import Figures, Load, run, sink
from rich.console import Console
from rich.table import Table

SINK_PORT = 2626
RELAYS = {"posthouse": relays.posthouse, "postfix": relays.postfix}


def main() -> int:
    options = _options()
    load = Load(options.messages, options.size, options.sessions, options.reuse)
    measured: dict[str, list[Figures]] = {name: [] for name in options.relays}
    with tempfile.TemporaryDirectory(prefix="posthouse-bench-") as folder, ExitStack() as stack:
        Path(folder).chmod(0o755)
        drain = stack.enter_context(sink(SINK_PORT))
        running = {
            name: stack.enter_context(RELAYS[name](Path(folder) / name, SINK_PORT + number, SINK_PORT))
            for number, name in enumerate(options.relays, start=1)
        }
        for number in range(options.rounds + 1):
            for port, (name, group) in enumerate(running.items(), start=SINK_PORT + 1):
                figures = run(load if number else Load(load.messages // 10, load.size), port, drain, group)
                if number:  # the first, short round warms up
                    measured[name].append(figures)
                    sys.stderr.write(f"round {number} {name}: {figures.rate:.0f}/s {figures.cpu:.2f} ms\n")
    _show(load, measured)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--reuse", action="store_true", help="keep connections instead of one for each message")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--relays", nargs="+", choices=RELAYS, default=list(RELAYS))
    return parser.parse_args()


def _show(load: Load, measured: dict[str, list[Figures]]) -> None:
    connections = "connections kept" if load.reuse else "a connection each"
    table = Table(title=f"{load.messages} messages of {load.size} bytes, {load.sessions} sessions, {connections}")
    for heading in ("relay", "messages/s", "CPU ms/message", "PSS MiB"):
        table.add_column(heading, justify="left" if heading == "relay" else "right")
    for name, figures in measured.items():
        columns = ([f.rate for f in figures], [f.cpu for f in figures], [f.memory for f in figures])
        rate, cpu, memory = columns
        table.add_row(name, _spread(rate, 0), _spread(cpu, 2), _spread(memory, 0))
    Console().print(table)


def _spread(values: list[float], digits: int) -> str:
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} [{low:.{digits}f}-{high:.{digits}f}]"


if __name__ == "__main__":
    sys.exit(main())
