"""A short benchmark for CI: instructions a message on its whole way, against the last recorded value.

Instructions, counted by valgrind, hardly depend on the machine and not at all on its load (two runs differ by 0.02 %),
but on the versions of Python and the libraries. Warns past 15 %, and never fails for it.
Usage: python -m bench.guard [--record]
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_BASELINE = Path(__file__).with_name("baseline.json")
_SIZES = {"4 KiB": 4 << 10, "64 KiB": 64 << 10}
_MESSAGES = 400
_TOLERANCE = 0.15
_VALGRIND = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")


def main(arguments: list[str]) -> int:
    if shutil.which("valgrind") is None:
        sys.stdout.write("guard: left out, since valgrind is not installed\n")
        return 0
    counted = measure()
    baseline = json.loads(_BASELINE.read_text()) if _BASELINE.exists() else {}
    for line in compare(counted, baseline.get("instructions", {})):
        sys.stdout.write(f"guard: {line}\n")
    if baseline.get("python") != platform.python_version():
        sys.stdout.write(f"guard: recorded with Python {baseline.get('python')}, this is {platform.python_version()}\n")
    if "--record" in arguments:
        record = {"python": platform.python_version(), "instructions": counted}
        _BASELINE.write_text(json.dumps(record, indent=2) + "\n")
    return 0


def measure() -> dict[str, int]:
    """Instructions a message, for each size: what a walk of many messages needs more than a walk of none."""
    runs = [(0, 0), *((_MESSAGES, size) for size in _SIZES.values())]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        start, *walks = threads.map(lambda run: _count(*run), runs)
    return {name: (walk - start) // _MESSAGES for name, walk in zip(_SIZES, walks, strict=True)}


def compare(counted: Mapping[str, int], baseline: Mapping[str, int]) -> list[str]:
    """A line for each size, a warning where it has become dearer, or so much cheaper that it should be recorded."""
    return [_verdict(name, count, baseline.get(name)) for name, count in counted.items()]


def _verdict(name: str, count: int, before: int | None) -> str:
    fact = f"{name}: {count:,} instructions a message"
    if before is None:
        return f"{fact}, nothing recorded: `python -m bench.guard --record`"
    change = count / before - 1
    fact = f"{fact}, {change:+.1%} since the record of {before:,}"
    if change > _TOLERANCE:
        return f"WARNING: {fact}: find out why, or accept it by `python -m bench.guard --record`"
    if change < -_TOLERANCE:
        return f"{fact}: well done, keep it by `python -m bench.guard --record`"
    return fact


def _count(messages: int, size: int) -> int:
    command = [*_VALGRIND, sys.executable, "-m", "bench.walk", str(messages), str(size)]
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    if done.returncode or found is None:
        sys.exit(f"guard: {' '.join(command)} failed:\n{done.stderr}")
    return int(found[1].replace(",", ""))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
