"""Figures and where they are kept: part → case → subject → metric → a value for each round, in a JSON file."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

Metrics = dict[str, list[float]]
Cases = dict[str, dict[str, Metrics]]


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with the lowest and highest value."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))

    def text(self, digits: int, unit: str = "") -> str:
        """`515 [484–561]`, or the bare number where all rounds say the same."""
        median, low, high = (f"{value:,.{digits}f}" for value in (self.median, self.low, self.high))
        return f"{median}{unit}" if low == high else f"{median}{unit} [{low}–{high}]"


def ratios(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """Round by round, since what disturbs the machine disturbs both of a round."""
    return [value / other for value, other in zip(values, others, strict=False) if other]


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of all are at or below (nearest rank)."""
    return sorted(values)[max(1, math.ceil(share * len(values))) - 1]


@dataclass(slots=True)
class Part:
    """One table: when, with how many rounds and on what it was measured."""

    at: str = ""
    rounds: int = 0
    machine: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    cases: Cases = field(default_factory=dict)

    def add(self, case: str, subject: str, **metrics: float) -> None:
        """A further round's figures."""
        kept = self.cases.setdefault(case, {}).setdefault(subject, {})
        for name, value in metrics.items():
            kept.setdefault(name, []).append(round(value, 4))


def load(file: Path) -> dict[str, Part]:
    """All parts measured so far; none if there is no file."""
    document: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return {name: Part(**part) for name, part in document.items()}


def save(file: Path, parts: dict[str, Part]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({name: asdict(part) for name, part in parts.items()}, indent=1, ensure_ascii=False)
    file.write_text(text + "\n")
