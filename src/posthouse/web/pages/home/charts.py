"""Charts as SVG: what a template needs to draw them, and the numbers behind them for a table.

A plot is `WIDTH` by `HEIGHT` and stretched to the place that there is, so its labels stand beside it in HTML.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from posthouse.admin import Period, Point, quantile
from posthouse.web.pages import shown
from posthouse.web.pages.texts import Texts

WIDTH, HEIGHT = 600, 150
_LABELS = 5
_LONGEST = 7200.0
"""Seconds: longer deliveries are told apart no further."""


@dataclass(frozen=True, slots=True)
class Series:
    """`key` is its class in the style sheet. `total` is what its legend says, `written` each value in words."""

    key: str
    name: str
    values: Sequence[float | None]
    total: str
    written: Sequence[str]


@dataclass(frozen=True, slots=True)
class Chart:
    """`top` is the value at the upper edge, `marks` the texts of the upper edge, the middle and the lower one.

    `is_stacked`: each value stands on those of the series before it.
    """

    key: str
    title: str
    text: str
    series: Sequence[Series]
    at: Sequence[int]
    top: float
    marks: Sequence[str]
    step: int
    is_stacked: bool = False

    @property
    def is_empty(self) -> bool:
        return not any(value for series in self.series for value in series.values)

    @property
    def labels(self) -> Sequence[int]:
        """Times below the plot, evenly apart."""
        return [self.at[place * (len(self.at) - 1) // (_LABELS - 1)] for place in range(_LABELS)]

    @property
    def slots(self) -> Sequence[tuple[float, float, str]]:
        """Where the pointer gets the numbers of one part: x, width, text."""
        width = WIDTH / len(self.at)
        return [(place * width, width, self._told(place)) for place in range(len(self.at))]

    def line(self, series: Series) -> str:
        """A step for each value, interrupted where there is none."""
        width, path, is_on = WIDTH / len(self.at), "", False
        for place, value in enumerate(series.values):
            if value is not None:
                start = "V" if is_on else f"M{place * width:g} "
                path += f"{start}{self._y(value):g}H{(place + 1) * width:g}"
            is_on = value is not None
        return path

    def area(self, series: Series) -> str:
        """What is below the line, of a series without gaps."""
        return f"M0 {HEIGHT}{self.line(series).replace('M0 ', 'V', 1)}V{HEIGHT}Z"

    def bars(self, series: Series) -> str:
        """Each value on top of those of the series before."""
        width, path = WIDTH / len(self.at), ""
        below = self.series[: list(self.series).index(series)]
        for place, value in enumerate(series.values):
            if value:
                floor = sum(each.values[place] or 0.0 for each in below)
                left, right = (place + 0.12) * width, (place + 0.88) * width
                path += f"M{left:g} {self._y(floor):g}V{self._y(floor + value):g}H{right:g}V{self._y(floor):g}Z"
        return path

    def _y(self, value: float) -> float:
        return round(HEIGHT * (1 - min(value / self.top, 1.0)), 2)

    def _told(self, place: int) -> str:
        numbers = ", ".join(f"{series.name}: {series.written[place]}" for series in self.series)
        return f"{shown.clock(self.at[place])} UTC - {numbers}"


def charts(points: Sequence[Point], period: Period, text: Texts) -> tuple[Chart, ...]:
    """Of the mail, of what went wrong with it, and of how long it took."""
    at = [point.at for point in points]
    each = {
        Period.HOUR: text("in each minute"),
        Period.DAY: text("in each quarter of an hour"),
        Period.WEEK: text("in each two hours"),
    }[period]

    def counted(key: str, name: str) -> Series:
        values = [getattr(point.tally, key) for point in points]
        return Series(key, name, values, shown.number(sum(values)), [*map(shown.number, values)])

    def timed(key: str, name: str, share: float) -> Series:
        values = [quantile(point.tally.took, share) for point in points]
        whole = quantile([*map(sum, zip(*(point.tally.took for point in points), strict=True))], share)
        return Series(key, name, values, _time(whole), [*map(_time, values)])

    mail = (counted("accepted", text("Accepted")), counted("delivered", text("Delivered")))
    trouble = (
        counted("deferred", text("Deferred")),
        counted("failed", text("Failed")),
        counted("refused", text("Refused here")),
    )
    latency = (
        timed("median", text("Half within"), 0.5),
        timed("p99", text("99 % within"), 0.99),
    )

    def chart(key: str, title: str, series: Sequence[Series], top: float, mark: Callable[[float], str]) -> Chart:
        return Chart(key, title, each, series, at, top, [mark(top), mark(top / 2), "0"], period.step)

    return (
        chart("mail", text("Mail"), mail, max(2.0, round_up(_highest(mail))), shown.number),
        replace(
            chart("trouble", text("Not delivered"), trouble, max(2.0, round_up(_highest_sum(trouble))), shown.number),
            is_stacked=True,
        ),
        chart("latency", text("Time to deliver"), latency, round_up(min(_highest(latency), _LONGEST)), shown.duration),
    )


def round_up(value: float) -> float:
    """To 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value * (1 - 1e-9))


def _highest(series: Sequence[Series]) -> float:
    return max((value for each in series for value in each.values if value is not None), default=0.0)


def _highest_sum(series: Sequence[Series]) -> float:
    return max(sum(value or 0.0 for value in values) for values in zip(*(each.values for each in series), strict=True))


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"> {shown.duration(_LONGEST)}" if math.isinf(seconds) else shown.duration(seconds)
