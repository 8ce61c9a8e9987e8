"""A script made ready for the grammar: whatever depends on PowerShell's two modes is masked.

PowerShell reads `a.com,b.com` after a cmdlet's name as two words, and anywhere else not (about_Parsing). A context-free
grammar can't. So this scanner, which knows which mode holds where, puts letters, digits or a string of the same length
in the place of each name, word and string. The grammar then sees structure only, each character is one byte to it, and
all offsets stay true. An unclosed string or bracket the scanner refuses itself, since it knows best where it began.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from posthouse.cmdlets.powershell.source import Source

SINGLE_QUOTES = "'\u2018\u2019\u201a\u201b"
DOUBLE_QUOTES = '"\u201c\u201d\u201e'
_DOUBLE = frozenset(DOUBLE_QUOTES)
_DASHES = "\\-\u2013\u2014\u2015"
_DEEPEST = 50  # brackets within brackets
_DEEPEST_STRING = 8  # strings within $( ) within strings


class Kind(Enum):
    """What was masked."""

    COMMAND = auto()
    WORD = auto()
    NUMBER = auto()
    VERBATIM = auto()
    EXPANDABLE = auto()
    HERE_VERBATIM = auto()
    HERE_EXPANDABLE = auto()


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Masked:
    """The masked text, and what stands where in the original; `end` is where scanning ended."""

    text: str
    tokens: dict[int, Token]
    end: int


class _Mode(Enum):
    """What may come: a statement, the rest of an expression, a command's argument, or a key of a hashtable."""

    STATEMENT = auto()
    EXPRESSION = auto()
    ARGUMENT = auto()
    KEY = auto()


@dataclass(slots=True)
class _Level:
    """A bracket that is open. Each statement in it begins in the mode `first`; a line break ends one if `breaks`.

    `unfinished` is whether the last token wants another after it, `piped` whether a command must follow. `keyword`
    began the statement, or the bracket. `separate`: the grammar wants a line break here, PowerShell doesn't.
    """

    closer: str
    start: int
    first: _Mode
    breaks: bool
    mode: _Mode
    unfinished: bool = False
    piped: bool = False
    keyword: str = ""
    separate: bool = False


_BEFORE_STATEMENT = frozenset(("throw", "return", "exit", "else", "do", "try", "finally", "begin", "process", "end"))
_BEFORE_NAMES = frozenset(("param", "function", "filter"))
_KEYWORDS = (
    _BEFORE_STATEMENT
    | _BEFORE_NAMES
    | frozenset(
        (
            "if",
            "elseif",
            "foreach",
            "for",
            "while",
            "until",
            "switch",
            "catch",
            "break",
            "continue",
            "workflow",
            "dynamicparam",
            "class",
            "enum",
            "data",
            "trap",
            "using",
            "inlinescript",
            "parallel",
            "sequence",
        )
    )
)
_CLAUSES = "switch {"
_BLANK = re.compile(r"(?:\s|`\r?\n)+")
_COMMENT = re.compile(r"#[^\r\n]*")
_NUMBER = re.compile(
    r"(?:0x[0-9a-f]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)[ld]?(?:[kmgtp]b)?(?!\w)", re.IGNORECASE
)
_NAME = re.compile(r"[^\W\d]\w*")
_COMMAND = re.compile(r"[^\s;|&(){}\[\],'\"`$@<>=!+#]+")
_FUNCTION = re.compile(r"\s+([^\s;|&(){}\[\],'\"`$@<>=]+)")
_WORD = re.compile(r"(?:`[^\r\n]|[^\s;|&(){},'\"`])+")
_PARAMETER = re.compile(rf"[{_DASHES}][^\W\d][^\s;|&(){{}}\[\],.:'\"`]*|[{_DASHES}]\?")
_VARIABLE = re.compile(r"\$(?:\{[^}]+\}|\w+:\w+|\w+|[$?^])")
_SPLAT = re.compile(r"@\w+")
_MEMBER = re.compile(r"\.[^\W\d]\w*")
_HERE = re.compile(rf"@(?:([{SINGLE_QUOTES}])|[{DOUBLE_QUOTES}])[^\S\n]*\n")
_HERE_END = {True: re.compile(rf"\r?\n[{SINGLE_QUOTES}]@"), False: re.compile(rf"\r?\n[{DOUBLE_QUOTES}]@")}
_VERBATIM = re.compile(
    rf"[{SINGLE_QUOTES}][^{SINGLE_QUOTES}]*(?:[{SINGLE_QUOTES}]{{2}}[^{SINGLE_QUOTES}]*)*[{SINGLE_QUOTES}]"
)
_PLAIN = re.compile(rf"(?:[^{DOUBLE_QUOTES}$`]|[{DOUBLE_QUOTES}]{{2}}|`.|\$(?!\())+", re.DOTALL)
_REDIRECTION = re.compile(r"[1-6*]?>>?(?:&[12])?|<")
_ASSIGNMENT = re.compile(r"[-+*/%]?=")
_OPERATOR = re.compile(rf"[{_DASHES}][^\W\d]+")
_ENDS_VARIABLE = frozenset(" \t\r\n,;|&(){}[].=")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_GOES_ON = re.compile(r"\||(?:else|elseif|catch|finally)\b", re.IGNORECASE)
_CLOSERS = {"(": ")", "{": "}", "[": "]"}
_MISSING = {
    ")": "Missing closing ')' in expression.",
    "}": "Missing closing '}' in statement block or type definition.",
    "]": "Missing ']' after array index expression.",
}
_CHAINS = "The operators && and || are not run here; use if."
_CALL = "The call operator & is not run here; write the cmdlet's name itself."
_JOB = "Background jobs (&) are not run here."
_REDIRECTED = "Redirection is not run here; use Out-Null, or Export-Csv with an allowed file."
_QUESTION = "The operators ?. ?? and ?: are not run here; use if."


def mask(source: Source, start: int = 0, *, depth: int = 0) -> Masked:
    """Mask `source`, or from `start` what is within `$(` up to its bracket. Raises `ScriptRefused`."""
    scanner = _Scanner(source, start, depth)
    scanner.scan()
    return Masked("".join(scanner.out), scanner.tokens, scanner.at)


class _Scanner:
    def __init__(self, source: Source, start: int, depth: int) -> None:
        self.source = source
        self.text = source.text
        self.at = start
        self.depth = depth
        self.out: list[str] = []
        self.tokens: dict[int, Token] = {}
        self.within = start > 0
        self.levels = [_Level(")" if self.within else "", start, _Mode.STATEMENT, True, _Mode.STATEMENT)]

    def scan(self) -> None:
        while self.at < len(self.text):
            self._step()
            if not self.levels:
                return
        level = self.levels[-1]
        if level.closer:
            self.source.refuse(level.start, _MISSING[level.closer], incomplete=True)
        if level.unfinished:
            self.source.refuse(max(0, len(self.text.rstrip()) - 1), "Something must follow here.", incomplete=True)

    def _step(self) -> None:
        char = self.text[self.at]
        if blank := _BLANK.match(self.text, self.at):
            self._blank(blank[0])
        elif char == "#":
            self._comment()
        elif self.text.startswith("<#", self.at):
            self._block_comment()
        else:
            step = _BY_CHARACTER.get(char) or _BY_MODE[self.levels[-1].mode]
            step(self)

    def _blank(self, blank: str) -> None:
        """A line break ends a statement, unless something is missing or the next line goes on with it."""
        level = self.levels[-1]
        after = self.at + len(blank)
        broken = "\n" in blank.replace("`\n", "").replace("`\r\n", "") and level.breaks and not level.unfinished
        if (broken or level.separate) and not _GOES_ON.match(self.text, after):
            self._end_statement(level)
            self.out.append("\n" + " " * (len(blank) - 1))
        else:
            self.out.append(" " * len(blank))
        level.separate = False
        self.at = after

    def _end_statement(self, level: _Level) -> None:
        level.mode, level.piped = level.first, False
        if level.keyword != _CLAUSES:
            level.keyword = ""

    def _comment(self) -> None:
        comment = _COMMENT.match(self.text, self.at)
        assert comment
        self.out.append(" " * len(comment[0]))
        self.at = comment.end()

    def _block_comment(self) -> None:
        end = self.text.find("#>", self.at)
        if end < 0:
            self.source.refuse(self.at, "The terminator '#>' is missing from the multiline comment.", incomplete=True)
        self.out.append(" " * (end + 2 - self.at))
        self.at = end + 2

    def _put(self, masked: str, kind: Kind | None = None, *, unfinished: bool = False) -> None:
        if kind:
            self.tokens[self.at] = Token(kind, self.at, self.at + len(masked))
        self.out.append(masked)
        self.at += len(masked)
        self.levels[-1].unfinished = unfinished

    def _copy(self, length: int, *, unfinished: bool = False) -> None:
        self._put(_NOT_ASCII.sub("x", self.text[self.at : self.at + length]), unfinished=unfinished)

    # Brackets

    def _open(self, opener: str, first: _Mode, *, breaks: bool) -> None:
        if len(self.levels) >= _DEEPEST:
            self.source.refuse(
                self.at, f"Brackets are nested more than {_DEEPEST} deep; name inner parts with variables."
            )
        start = self.at
        self._put(opener)
        self.levels.append(_Level(_CLOSERS[opener[-1]], start, first, breaks, first))

    def _round(self) -> None:
        """Arguments of a method, or a pipeline."""
        level = self.levels[-1]
        adjacent = self.at > 0 and (self.text[self.at - 1].isalnum() or self.text[self.at - 1] in "_]})")
        if level.keyword in _BEFORE_NAMES or (adjacent and level.mode is not _Mode.STATEMENT and not level.keyword):
            self._open("(", _Mode.EXPRESSION, breaks=False)
        else:
            self._open("(", _Mode.STATEMENT, breaks=False)

    def _square(self) -> None:
        if self.levels[-1].mode is _Mode.ARGUMENT and not self._adjacent():
            self._word()
        else:
            self._open("[", _Mode.EXPRESSION, breaks=False)

    def _adjacent(self) -> bool:
        return self.at > 0 and not self.text[self.at - 1].isspace() and self.text[self.at - 1] not in ",:=("

    def _curly(self) -> None:
        clauses = self.levels[-1].keyword == "switch"
        self._open("{", _Mode.STATEMENT, breaks=True)
        if clauses:
            self.levels[-1].keyword = _CLAUSES

    def _close(self) -> None:
        char = self.text[self.at]
        level = self.levels[-1]
        if level.closer != char:
            self.source.refuse(self.at, f"Unexpected token '{char}' in expression or statement.")
        self.levels.pop()
        if not self.levels:
            return
        self._put(char)
        outer = self.levels[-1]
        if char == ")" and outer.keyword == "param":
            outer.separate = True
        if (
            char == "}"
            and self.text[level.start] == "{"
            and (outer.mode is not _Mode.ARGUMENT or outer.keyword == _CLAUSES)
        ):
            self._end_statement(outer)
            outer.separate = True
        elif outer.mode is _Mode.STATEMENT:
            outer.mode = _Mode.EXPRESSION

    # Punctuation

    def _semicolon(self) -> None:
        self._put(";")
        self._end_statement(self.levels[-1])

    def _bar(self) -> None:
        if self.text.startswith("||", self.at):
            self.source.refuse(self.at, _CHAINS)
        self._put("|", unfinished=True)
        level = self.levels[-1]
        level.mode, level.piped = _Mode.STATEMENT, True

    def _ampersand(self) -> None:
        if self.text.startswith("&&", self.at):
            self.source.refuse(self.at, _CHAINS)
        self.source.refuse(self.at, _CALL if self.levels[-1].mode is _Mode.STATEMENT else _JOB)

    def _comma(self) -> None:
        """After a space the grammar takes a comma for the operator before a value: it moves to the value it follows."""
        if self.levels[-1].mode is _Mode.STATEMENT:
            self.levels[-1].mode = _Mode.EXPRESSION
        blank = 0
        while blank < len(self.out) and self.out[-1 - blank].isspace():
            blank += 1
        if blank and self.levels[-1].mode is _Mode.ARGUMENT and self._follows_value(blank):
            spaces = "".join(self.out[-blank:])
            del self.out[-blank:]
            self.out.append("," + spaces)
            self.at += 1
            self.levels[-1].unfinished = True
        else:
            self._put(",", unfinished=True)

    def _follows_value(self, blank: int) -> bool:
        before = self.out[-1 - blank]
        return before[-1] in "'1)}]" or before.startswith("$")

    # Values

    def _single(self) -> None:
        string = _VERBATIM.match(self.text, self.at)
        if not string:
            self.source.refuse(self.at, "The string is missing the terminator: '.", incomplete=True)
        self._string(string.end(), Kind.VERBATIM)

    def _double(self) -> None:
        self._string(self._end_of_expandable(self.at + 1), Kind.EXPANDABLE)

    def _end_of_expandable(self, at: int) -> int:
        start = at - 1
        while self.text[at : at + 1] not in _DOUBLE:
            if plain := _PLAIN.match(self.text, at):
                at = plain.end()
            elif self.text.startswith("$(", at):
                at = end_of_subexpression(self.source, at, self.depth)
            else:
                self.source.refuse(start, 'The string is missing the terminator: ".', incomplete=True)
        return at + 1

    def _string(self, end: int, kind: Kind) -> None:
        self._put("'" + "x" * (end - self.at - 2) + "'", kind)
        self._after_value()

    def _after_value(self) -> None:
        level = self.levels[-1]
        if level.mode is _Mode.STATEMENT:
            level.mode = _Mode.EXPRESSION

    def _at(self) -> None:
        """`@(`, `@{`, a here-string or a splatted variable."""
        following = self.text[self.at + 1 : self.at + 2]
        if following == "(":
            self._open("@(", _Mode.STATEMENT, breaks=True)
        elif following == "{":
            self._open("@{", _Mode.KEY, breaks=True)
        elif here := _HERE.match(self.text, self.at):
            self._here(here)
        elif splat := _SPLAT.match(self.text, self.at):
            self._copy(len(splat[0]))
        else:
            self._unexpected()

    def _here(self, here: re.Match[str]) -> None:
        verbatim = here[1] is not None
        end = _HERE_END[verbatim].search(self.text, here.end() - 1)
        if not end:
            quote = "'" if verbatim else '"'
            self.source.refuse(self.at, f"The string is missing the terminator: {quote}@.", incomplete=True)
        self._string(end.end(), Kind.HERE_VERBATIM if verbatim else Kind.HERE_EXPANDABLE)

    def _dollar(self) -> None:
        if self.text.startswith("$(", self.at):
            self._open("$(", _Mode.STATEMENT, breaks=True)
            return
        variable = _VARIABLE.match(self.text, self.at)
        if not variable:
            self._unexpected()
            return
        level = self.levels[-1]
        after = self.text[variable.end() : variable.end() + 1]
        if level.mode is _Mode.ARGUMENT and not self._adjacent_member() and after and after not in _ENDS_VARIABLE:
            self._word()
            return
        name = variable[0]
        masked = "${" + "x" * (len(name) - 3) + "}" if name.startswith("${") else _NOT_ASCII.sub("x", name)
        self._put(masked)
        self._after_value()

    def _adjacent_member(self) -> bool:
        return self.at > 0 and self.text[self.at - 1] == "."

    def _number(self) -> bool:
        number = _NUMBER.match(self.text, self.at)
        if number and self.text[number.end() - 1] != ".":
            self._put("1" * len(number[0]), Kind.NUMBER)
            self._after_value()
        return bool(number)

    # What depends on the mode

    def _statement(self) -> None:
        """The first token of a statement or of a command in a pipeline: a keyword, a command's name, or an expression.

        The grammar would take `1..5` for a command's name: there the range gets another operator's sign.
        """
        level = self.levels[-1]
        command = _COMMAND.match(self.text, self.at)
        if not level.piped and (not command or command[0][0] in "0123456789*/-\u2013\u2014\u2015" or self._is_number()):
            level.mode = _Mode.EXPRESSION
            self._expression()
            if self.text.startswith("..", self.at):
                self._put(" *", unfinished=True)
        elif not command:
            self._unexpected()
        elif command[0].startswith(":"):
            self.source.refuse(self.at, "Labels are not run here; use a variable that the loop's condition reads.")
        elif command[0].lower() in _KEYWORDS and not level.piped:
            self._keyword(command[0].lower())
        elif command[0] == ".":
            self._copy(1, unfinished=True)
        else:
            self._masked_before_bracket("x", command.end(), Kind.COMMAND)
            level.mode, level.piped = _Mode.ARGUMENT, False

    def _is_number(self) -> bool:
        return self.text[self.at] == "." and bool(_NUMBER.match(self.text, self.at))

    def _keyword(self, word: str) -> None:
        level = self.levels[-1]
        self._put(word)
        level.mode = _Mode.STATEMENT if word in _BEFORE_STATEMENT else _Mode.EXPRESSION
        level.keyword = word
        name = _FUNCTION.match(self.text, self.at) if word in ("function", "filter") else None
        if name:
            self.out.append(" " * (name.start(1) - self.at))
            self.at = name.start(1)
            self._put("x" * len(name[1]), Kind.COMMAND)

    def _masked_before_bracket(self, filler: str, end: int, kind: Kind) -> None:
        """`Net.Mail.SmtpClient($server)` after a command is two arguments: a space comes between."""
        length = end - self.at
        joined = length > 1 and self.text[end : end + 1] in ("(", "{")
        self._put(filler * (length - 1) + " " if joined else filler * length, kind)

    def _argument(self) -> None:
        if parameter := _PARAMETER.match(self.text, self.at):
            self._copy(parameter.end() - self.at)
            if self.text.startswith(":", self.at):
                self._put(":")
        elif _REDIRECTION.match(self.text, self.at):
            self.source.refuse(self.at, _REDIRECTED)
        elif self.text.startswith("--%", self.at):
            self._copy(3)
        elif self._adjacent() and (member := _MEMBER.match(self.text, self.at)):
            self._member(member)
        else:
            self._word()

    def _word(self) -> None:
        """A bare argument: text in which variables are expanded, or a number."""
        word = _WORD.match(self.text, self.at)
        if not word:
            self._unexpected()
        elif self.text[word.end() : word.end() + 1] in (*SINGLE_QUOTES, *DOUBLE_QUOTES):
            self.source.refuse(word.end(), "A quotation mark within a word; put the whole argument in quotation marks.")
        else:
            self._masked_before_bracket("1", word.end(), Kind.WORD)

    def _member(self, member: re.Match[str]) -> None:
        """No keyword is one after a dot."""
        self._put("." + "x" * (len(member[0]) - 1))

    def _key(self) -> None:
        if self.text[self.at] == "=":
            self._put("=", unfinished=True)
            self.levels[-1].mode = _Mode.STATEMENT
        elif name := _NAME.match(self.text, self.at):
            self._put("x" * len(name[0]))
        elif not self._number():
            self._expression_symbol()

    def _expression(self) -> None:
        adjacent = self.at > 0 and (self.text[self.at - 1].isalnum() or self.text[self.at - 1] in "_]})'\"")
        if adjacent and (member := _MEMBER.match(self.text, self.at)):
            self._member(member)
        elif self.text.startswith("..", self.at):
            self._copy(2, unfinished=True)
        elif name := _NAME.match(self.text, self.at):
            self._copy(len(name[0]))
            if name[0].lower() == "in":
                self.levels[-1].mode = _Mode.STATEMENT
        elif not self._number():
            self._expression_symbol()

    def _expression_symbol(self) -> None:
        char = self.text[self.at]
        if operator := _OPERATOR.match(self.text, self.at):
            self._put("-" + _NOT_ASCII.sub("x", operator[0][1:].lower()), unfinished=True)
        elif assignment := _ASSIGNMENT.match(self.text, self.at):
            self._put("*=" if len(assignment[0]) > 1 else "=", unfinished=True)
            self.levels[-1].mode = _Mode.STATEMENT
        elif self.text.startswith(("++", "--", "::"), self.at):
            self._copy(2)
        elif char in "<>":
            self.source.refuse(self.at, _REDIRECTED)
        elif char in "+-*/%!.:\\\u2013\u2014\u2015":
            self._put("-" if char in "\u2013\u2014\u2015" else char, unfinished=char not in ".:")
        else:
            self._unexpected()

    def _unexpected(self) -> None:
        char = self.text[self.at]
        self.source.refuse(
            self.at, _QUESTION if char == "?" else f"Unexpected token '{char}' in expression or statement."
        )


def end_of_subexpression(source: Source, at: int, depth: int = 0) -> int:
    """The offset after a `$(` … `)` within a string."""
    if depth >= _DEEPEST_STRING:
        source.refuse(at, "Strings are nested too deep; name inner parts with variables.")
    return mask(source, at + 2, depth=depth + 1).end + 1


_BY_MODE: dict[_Mode, Callable[[_Scanner], None]] = {
    _Mode.STATEMENT: _Scanner._statement,
    _Mode.EXPRESSION: _Scanner._expression,
    _Mode.ARGUMENT: _Scanner._argument,
    _Mode.KEY: _Scanner._key,
}
_BY_CHARACTER: dict[str, Callable[[_Scanner], None]] = {
    "(": _Scanner._round,
    "[": _Scanner._square,
    "{": _Scanner._curly,
    **dict.fromkeys(")]}", _Scanner._close),
    ";": _Scanner._semicolon,
    "|": _Scanner._bar,
    "&": _Scanner._ampersand,
    ",": _Scanner._comma,
    "@": _Scanner._at,
    "$": _Scanner._dollar,
    **dict.fromkeys(SINGLE_QUOTES, _Scanner._single),
    **dict.fromkeys(DOUBLE_QUOTES, _Scanner._double),
}
