"""Makes tables of the results, for the terminal and for `docs/performance.md`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.table import Table

from bench.results import Metrics, Part, Spread, ratios

_PROLOGUE = """\
# Performance

<!-- Made by `make bench` from performance.json: do not edit. -->

Posthouse beside other relays, all on one machine in one run, alternating round by round. Figures are
median [lowest–highest] of the rounds, ratios those of each round's pair. Compare ratios: absolute figures change with
the machine and with what else it does. All share the processors with the client and the sink.
"""


@dataclass(frozen=True, slots=True)
class Column:
    """`over` is the subject that the figure is given in relation to. A `unit` follows the figure."""

    heading: str
    metric: str
    digits: int = 0
    over: str = ""
    unit: str = ""
    factor: float = 1

    def cell(self, subject: str, subjects: dict[str, Metrics]) -> str:
        values = subjects[subject].get(self.metric, [])
        if self.over:
            values = ratios(values, subjects.get(self.over, {}).get(self.metric, []))
        if not values or self.over == subject:
            return "–"
        return Spread.of([value * self.factor for value in values]).text(self.digits, self.unit)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a part is shown."""

    title: str
    text: str
    subject: str
    columns: tuple[Column, ...]


_CPU = Column("CPU ms a message", "cpu", 2)
_MEMORY = Column("memory, PSS MiB", "memory")
_RATE = Column("messages/s", "rate")


def _growth(over: str) -> tuple[Column, ...]:
    return (_RATE, Column("in relation", "rate", 2, over=over, unit="×"), _CPU, _MEMORY)


LAYOUTS = {
    "throughput": Layout(
        "Throughput",
        "smtp-source with 20 sessions → relay, durable before 250 → smtp-sink. Posthouse with 2 workers, its SQLite "
        "store, full policy and trace. “No relay” is the ceiling: smtp-source straight into smtp-sink. CPU is the "
        "relay's, with all its processes. OpenSMTPD listens with a backlog of 5, so that most of 20 clients "
        "wait for a second or more to be let in, with a connection a message each time.",
        "relay",
        (
            _RATE,
            Column("to Postfix", "rate", 2, over="postfix", unit="×"),
            Column("of the ceiling", "rate", over="no relay", unit=" %", factor=100),
            _CPU,
            Column("CPU to Postfix", "cpu", 2, over="postfix", unit="×"),
            _MEMORY,
        ),
    ),
    "tls": Layout(
        "TLS",
        "STARTTLS with TLS 1.3 and an ECDSA certificate, 20 clients in one Python process, which is the limit for "
        "sessions/s: compare the CPU. What a handshake costs is the difference to a session without TLS. Both relays "
        "ask for a client certificate.",
        "relay",
        (
            Column("CPU ms a session", "cpu", 2),
            Column("CPU to Postfix", "cpu", 2, over="postfix", unit="×"),
            Column("sessions/s", "rate"),
            Column("resumed", "resumed", unit=" %", factor=100),
        ),
    ),
    "latency": Layout(
        "Latency",
        "4 KiB, a connection a message, opened at an even pace. From the client's last byte to the message's arrival "
        "at the next hop, and to the 250, in milliseconds.",
        "relay",
        (
            Column("arrival p50", "median", 1),
            Column("arrival p99", "slow", 1),
            Column("p99 to Postfix", "slow", 2, over="postfix", unit="×"),
            Column("250 p50", "accepted", 1),
            Column("250 p99", "accepted_slow", 1),
        ),
    ),
    "workers": Layout(
        "Workers", "The same load with more worker processes.", "workers", (*_growth("1 worker"),)
    ),
    "queue": Layout(
        "Waiting messages",
        "The same load while so many messages wait for a later retry. Start-up is from the command to the first "
        "greeting, once for each.",
        "queue",
        (
            *_growth("0 waiting"),
            Column("start-up, s", "start", 1),
            Column("store, MiB", "store"),
        ),
    ),
    "connectors": Layout(
        "Connectors",
        "The same load with so many more connectors: half of them inbound by address, half outbound by domain.",
        "organization",
        _growth("10 connectors"),
    ),
    "sessions": Layout(
        "Open sessions",
        "Clients that have said EHLO and now say nothing, on 2 workers.",
        "sessions",
        (_MEMORY, Column("more than with none, MiB", "more", 1), Column("KiB a session", "each", 1)),
    ),
    "throttle": Layout(
        "A burst against limits",
        "All comes within some ten seconds from one sender, and then one message from another. A round ends when all "
        "of it has arrived; the fullest minute is any 60 s at the next hop.",
        "relay",
        (
            Column("all here after, s", "seconds"),
            Column("in the fullest minute", "fullest"),
            Column("sessions at once", "sessions"),
            Column("the newcomer after, s", "newcomer", 1),
            Column("sent twice", "twice"),
            _CPU,
            _MEMORY,
        ),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of one case."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def grids(name: str, part: Part) -> Iterator[Grid]:
    """A table for each case, without the columns that say nothing in it."""
    layout = LAYOUTS[name]
    for case, subjects in part.cases.items():
        columns = [[column.cell(subject, subjects) for subject in subjects] for column in layout.columns]
        shown = [
            (column.heading, cells)
            for column, cells in zip(layout.columns, columns, strict=True)
            if set(cells) != {"–"}
        ]
        rows = zip(subjects, *(cells for _, cells in shown), strict=True)
        yield Grid(case, (layout.subject, *(heading for heading, _ in shown)), tuple(rows))


def terminal(name: str, part: Part) -> Iterator[Table]:
    for grid in grids(name, part):
        table = Table(title=grid.title, title_justify="left")
        for number, heading in enumerate(grid.headings):
            table.add_column(heading, justify="right" if number else "left")
        for row in grid.rows:
            table.add_row(*row)
        yield table


def markdown(parts: dict[str, Part]) -> str:
    """The whole page."""
    measured = [(name, parts[name]) for name in LAYOUTS if name in parts]
    sections = [_PROLOGUE, *(_section(name, part) for name, part in measured)]
    if measured:
        sections.append(_circumstances(max((part for _, part in measured), key=lambda part: part.at)))
    return "\n".join(sections)


def _section(name: str, part: Part) -> str:
    layout = LAYOUTS[name]
    chart = "![Messages a second of all relays](performance.svg)\n\n" if name == "throughput" else ""
    tables = "\n".join(f"### {_upper(grid.title)}\n\n{_table(grid)}" for grid in grids(name, part))
    rounds = "1 round" if part.rounds == 1 else f"{part.rounds} rounds"
    return f"## {layout.title}\n\n{layout.text} Measured on {part.at}, {rounds}.\n\n{chart}{tables}"


def _table(grid: Grid) -> str:
    lines = [grid.headings, ("---", *("---:" for _ in grid.headings[1:])), *grid.rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _circumstances(part: Part) -> str:
    facts = "\n".join(f"- {name}: {text}" for name, text in (*part.machine.items(), *part.versions.items()))
    return f"## Machine and versions\n\n{facts}\n\nAgain: `make bench`; its options: `make bench ARGS=--help`.\n"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
