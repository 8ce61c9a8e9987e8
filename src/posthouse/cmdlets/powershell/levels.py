"""What is open in a script at each moment: brackets, statements, lines."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from posthouse.cmdlets.powershell.source import Source
from posthouse.cmdlets.powershell.tokens import (
    BEFORE_NAMES,
    CALL,
    CHAINS,
    CLAUSES,
    CLOSERS,
    COMMENT,
    DASH,
    GOES_ON,
    JOB,
    NOT_ASCII,
    Kind,
    Token,
)

_DEEPEST = 50  # brackets within brackets


class Mode(Enum):
    """What may come: a statement, the rest of an expression, a command's argument, or a key of a hashtable."""

    STATEMENT = auto()
    EXPRESSION = auto()
    ARGUMENT = auto()
    KEY = auto()


@dataclass(slots=True)
class Level:
    """A bracket that is open. Each statement in it begins in the mode `first`; a line break ends one if `breaks`.

    `unfinished` is whether the last token wants another after it, `piped` whether a command must follow. `keyword`
    began the statement, or the bracket. `separate`: the grammar wants a line break here, PowerShell doesn't.
    """

    closer: str
    start: int
    first: Mode
    breaks: bool
    mode: Mode
    unfinished: bool = False
    piped: bool = False
    keyword: str = ""
    separate: bool = False


class Structure:
    """The part of the scanner that follows brackets and ends statements. What it reads it masks into `out`."""

    def __init__(self, source: Source, start: int, depth: int) -> None:
        self.source = source
        self.text = source.text
        self.at = start
        self.depth = depth
        self.out: list[str] = []
        self.tokens: dict[int, Token] = {}
        self.within = start > 0
        self.levels = [Level(")" if self.within else "", start, Mode.STATEMENT, True, Mode.STATEMENT)]

    def blank(self, blank: str) -> None:
        """A line break ends a statement, unless something is missing or the next line goes on with it."""
        level = self.levels[-1]
        after = self.at + len(blank)
        broken = "\n" in blank.replace("`\n", "").replace("`\r\n", "") and level.breaks and not level.unfinished
        if (broken or level.separate) and not GOES_ON.match(self.text, after):
            self.end_statement(level)
            self.out.append("\n" + " " * (len(blank) - 1))
        else:
            self.out.append(" " * len(blank))
        level.separate = False
        self.at = after

    def end_statement(self, level: Level) -> None:
        level.mode, level.piped = level.first, False
        if level.keyword != CLAUSES:
            level.keyword = ""

    def comment(self) -> None:
        comment = COMMENT.match(self.text, self.at)
        assert comment
        self.out.append(" " * len(comment[0]))
        self.at = comment.end()

    def block_comment(self) -> None:
        end = self.text.find("#>", self.at)
        if end < 0:
            self.source.refuse(self.at, "The terminator '#>' is missing from the multiline comment.", incomplete=True)
        self.out.append(" " * (end + 2 - self.at))
        self.at = end + 2

    def put(self, masked: str, kind: Kind | None = None, *, unfinished: bool = False) -> None:
        if kind:
            self.tokens[self.at] = Token(kind, self.at, self.at + len(masked))
        self.out.append(masked)
        self.at += len(masked)
        self.levels[-1].unfinished = unfinished

    def copy(self, length: int, *, unfinished: bool = False) -> None:
        """Keep what is there; all that isn't ASCII becomes a letter or a dash."""
        kept = DASH.sub("-", self.text[self.at : self.at + length])
        self.put(NOT_ASCII.sub("x", kept), unfinished=unfinished)

    # Brackets

    def open(self, opener: str, first: Mode, *, breaks: bool) -> None:
        if len(self.levels) >= _DEEPEST:
            self.source.refuse(
                self.at, f"Brackets are nested more than {_DEEPEST} deep; name inner parts with variables."
            )
        start = self.at
        self.put(opener)
        self.levels.append(Level(CLOSERS[opener[-1]], start, first, breaks, first))

    def round_bracket(self) -> None:
        """Arguments of a method, or a pipeline."""
        level = self.levels[-1]
        adjacent = self.at > 0 and (self.text[self.at - 1].isalnum() or self.text[self.at - 1] in "_})")
        if level.keyword in BEFORE_NAMES or (adjacent and level.mode is not Mode.STATEMENT and not level.keyword):
            self.open("(", Mode.EXPRESSION, breaks=False)
        else:
            self.open("(", Mode.STATEMENT, breaks=False)

    def curly_bracket(self) -> None:
        clauses = self.levels[-1].keyword == "switch"
        self.open("{", Mode.STATEMENT, breaks=True)
        if clauses:
            self.levels[-1].keyword = CLAUSES

    def close_bracket(self) -> None:
        char = self.text[self.at]
        level = self.levels[-1]
        if level.closer != char:
            self.source.refuse(self.at, f"Unexpected token '{char}' in expression or statement.")
        self.levels.pop()
        if not self.levels:
            return
        self.put(char)
        outer = self.levels[-1]
        if char == ")" and outer.keyword == "param":
            outer.separate = True
        if (
            char == "}"
            and self.text[level.start] == "{"
            and (outer.mode is not Mode.ARGUMENT or outer.keyword == CLAUSES)
        ):
            self.end_statement(outer)
            outer.separate = True
        elif outer.mode is Mode.STATEMENT:
            outer.mode = Mode.EXPRESSION

    # Punctuation

    def semicolon(self) -> None:
        self.put(";")
        self.end_statement(self.levels[-1])

    def bar(self) -> None:
        if self.text.startswith("||", self.at):
            self.source.refuse(self.at, CHAINS)
        level = self.levels[-1]
        if level.unfinished:
            self.source.refuse(self.at, "An empty pipe element is not allowed.")
        self.put("|", unfinished=True)
        level.mode, level.piped = Mode.STATEMENT, True

    def ampersand(self) -> None:
        if self.text.startswith("&&", self.at):
            self.source.refuse(self.at, CHAINS)
        self.source.refuse(self.at, CALL if self.levels[-1].mode is Mode.STATEMENT else JOB)
