"""The throughput of all relays as an SVG: bars for each case, with the lowest and highest round as whiskers."""

from __future__ import annotations

from html import escape

from bench.results import Cases, Metrics, Spread

_WIDTH, _LABEL, _FIGURE = 760, 110, 120
_BAR, _GAP, _HEAD = 16, 6, 34
_OURS, _THEIRS, _CEILING = "#2563eb", "#9ca3af", "#e5e7eb"
_COLOURS = {"posthouse": _OURS, "no relay": _CEILING}


def draw(cases: Cases) -> str:
    """Each case has a scale of its own, up to the highest figure in it."""
    drawn, top = [], 0
    for case, subjects in cases.items():
        spreads = {subject: Spread.of(metrics["rate"]) for subject, metrics in _ordered(subjects)}
        drawn.append(_case(case, spreads, top))
        top += _HEAD + len(spreads) * (_BAR + _GAP) + _GAP
    style = "text{font:12px system-ui,sans-serif;fill:#374151}.t{font-weight:600}.f{font-variant-numeric:tabular-nums}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" role="img" '
        f'aria-label="Messages a second of each relay">\n<style>{style}</style>\n'
        f'<rect width="{_WIDTH}" height="{top}" fill="#fff"/>\n{"".join(drawn)}</svg>\n'
    )


def _ordered(subjects: dict[str, Metrics]) -> list[tuple[str, Metrics]]:
    return sorted(subjects.items(), key=lambda item: -Spread.of(item[1]["rate"]).median)


def _case(case: str, spreads: dict[str, Spread], top: int) -> str:
    highest = max(spread.high for spread in spreads.values())
    scale = (_WIDTH - _LABEL - _FIGURE) / highest
    bars = (
        _bar(subject, spread, top + _HEAD + number * (_BAR + _GAP), scale)
        for number, (subject, spread) in enumerate(spreads.items())
    )
    return f'<text class="t" x="8" y="{top + 22}">{escape(case)}: messages a second</text>\n{"".join(bars)}'


def _bar(subject: str, spread: Spread, y: int, scale: float) -> str:
    low, end, high = (_LABEL + value * scale for value in (spread.low, spread.median, spread.high))
    middle, baseline = y + _BAR / 2, y + 12
    colour = _COLOURS.get(subject, _THEIRS)
    return (
        f'<text x="8" y="{baseline}">{escape(subject)}</text>'
        f'<rect x="{_LABEL}" y="{y}" width="{max(1, end - _LABEL):.1f}" height="{_BAR}" fill="{colour}"/>'
        f'<path d="M{low:.1f} {middle}H{high:.1f}" stroke="#111827"/>'
        f'<text class="f" x="{max(end, high) + 6:.1f}" y="{baseline}">{spread.median:,.0f}</text>\n'
    )
