"""Measure, print, and write performance.json, .svg and .md. Needs Linux, root, and what `unpack-peers` unpacks."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from rich.console import Console

from bench import chart, report
from bench.machine import machine, versions
from bench.measure import TOOLS
from bench.parts import PARTS
from bench.relays import STARTS, missing
from bench.results import Part, load, save
from bench.stage import Options, say

_DOCS = Path(__file__).resolve().parent.parent / "docs"


def main() -> int:
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no relay outlives us
    if not (TOOLS / "bin" / "smtp-source").exists():
        sys.exit("smtp-source is missing: run `make bench`, or bench/unpack-peers .tools")
    absent = missing()
    if absent:
        say(f"not installed and left out: {', '.join(absent)}")
    options = Options(
        arguments.rounds,
        arguments.seconds,
        arguments.messages,
        [name for name in arguments.relays if name not in absent],
        arguments.workers,
        arguments.waiting,
        arguments.connectors,
        arguments.sessions,
    )
    parts = load(arguments.into / "performance.json")
    for name in [] if arguments.render else arguments.parts:
        say(f"[bold]{name}")
        parts[name] = Part(time.strftime("%Y-%m-%d", time.gmtime()), options.rounds, machine(), versions())
        PARTS[name](options, parts)
        save(arguments.into / "performance.json", parts)
        Console(width=None if sys.stdout.isatty() else 150).print(*report.terminal(name, parts[name]))
    _render(parts, arguments.into)
    return 0


def _render(parts: dict[str, Part], folder: Path) -> None:
    (folder / "performance.md").write_text(report.markdown(parts))
    if "throughput" in parts:
        (folder / "performance.svg").write_text(chart.draw(parts["throughput"].cases))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    add = parser.add_argument
    add(
        "--parts", nargs="+", choices=PARTS, default=list(PARTS), help="measure only these; the others stay as they are"
    )
    add("--rounds", type=int, default=5)
    add("--seconds", type=float, default=3.0, help="about how long a run of one relay takes")
    add("--messages", type=int, default=0, help="how many each run takes, instead of as many as fit in --seconds")
    add("--relays", nargs="+", choices=STARTS, default=list(STARTS))
    add("--workers", type=int, nargs="+", default=[1, 2, 4])
    add("--waiting", type=int, nargs="+", default=[0, 10_000, 100_000, 1_000_000], help="messages in the queue")
    add("--connectors", type=int, nargs="+", default=[10, 100, 1_000, 5_000])
    add("--sessions", type=int, nargs="+", default=[1, 100, 1_000, 5_000])
    add("--into", type=Path, default=_DOCS, help="the folder of performance.json, .md and .svg (default: docs)")
    add("--render", action="store_true", help="measure nothing, only write .md and .svg from the .json")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
