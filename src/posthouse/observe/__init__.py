"""What a process tells of itself: its log, and what it counts."""

from posthouse.observe.counters import DELIVERY_SECONDS, Counters, Histogram, Row, counters, prepare, rows
from posthouse.observe.logs import Logger, configure, logger

__all__ = [
    "DELIVERY_SECONDS",
    "Counters",
    "Histogram",
    "Logger",
    "Row",
    "configure",
    "counters",
    "logger",
    "prepare",
    "rows",
]
