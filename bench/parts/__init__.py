"""The parts of the benchmark: each measures one table."""

from collections.abc import Callable, Mapping

from bench.parts import growth, latency, sessions, throttle, throughput, tls
from bench.results import Part
from bench.stage import Options

Measure = Callable[[Options, dict[str, Part]], None]

PARTS: Mapping[str, Measure] = {
    "throughput": throughput.measure,
    "tls": tls.measure,
    "latency": latency.measure,
    "workers": growth.workers,
    "queue": growth.queue,
    "connectors": growth.connectors,
    "sessions": sessions.measure,
    "throttle": throttle.measure,
}
"""Each adds its figures to the part of its name, and may look at what the others have found."""
