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

from posthouse.cmdlets.powershell.levels import Mode, Structure
from posthouse.cmdlets.powershell.source import Source
from posthouse.cmdlets.powershell.tokens import (
    ASSIGNMENT,
    BEFORE_STATEMENT,
    BLANK,
    COMMAND,
    DISCARDED,
    DOUBLE,
    DOUBLE_QUOTES,
    ENDS_VARIABLE,
    FUNCTION,
    HERE,
    HERE_END,
    KEYWORDS,
    MEMBER,
    MISSING,
    NAME,
    NOT_ASCII,
    NUMBER,
    OPERATOR,
    PARAMETER,
    PLAIN,
    QUESTION,
    QUOTED,
    REDIRECTED,
    REDIRECTION,
    SINGLE_QUOTES,
    SPLAT,
    VARIABLE,
    VERBATIM,
    WORD,
    Kind,
    Token,
)

_DEEPEST_STRING = 8  # strings within $( ) within strings


@dataclass(frozen=True, slots=True)
class Masked:
    """The masked text, and what stands where in the original; `end` is where scanning ended."""

    text: str
    tokens: dict[int, Token]
    end: int


def mask(source: Source, start: int = 0, *, depth: int = 0) -> Masked:
    """Mask `source`, or from `start` what is within `$(` up to its bracket. Raises `ScriptRefused`."""
    scanner = _Scanner(source, start, depth)
    scanner.scan()
    return Masked("".join(scanner.out), scanner.tokens, scanner.at)


class _Scanner(Structure):
    def scan(self) -> None:
        while self.at < len(self.text):
            self._step()
            if not self.levels:
                return
        level = self.levels[-1]
        if level.closer:
            self.source.refuse(level.start, MISSING[level.closer], incomplete=True)
        if level.unfinished:
            self.source.refuse(max(0, len(self.text.rstrip()) - 1), "Something must follow here.", incomplete=True)

    def _step(self) -> None:
        char = self.text[self.at]
        if blank := BLANK.match(self.text, self.at):
            self.blank(blank[0])
        elif char == "#":
            self.comment()
        elif self.text.startswith("<#", self.at):
            self.block_comment()
        else:
            step = _BY_CHARACTER.get(char) or _BY_MODE[self.levels[-1].mode]
            step(self)

    def _square(self) -> None:
        if self.levels[-1].mode is Mode.ARGUMENT and not self._adjacent():
            self._word()
        else:
            self.open("[", Mode.EXPRESSION, breaks=False)

    def _adjacent(self) -> bool:
        return self.at > 0 and not self.text[self.at - 1].isspace() and self.text[self.at - 1] not in ",:=("

    def _comma(self) -> None:
        """After a space the grammar takes a comma for the operator before a value: it moves to the value it follows."""
        if self.levels[-1].mode is Mode.STATEMENT:
            self.levels[-1].mode = Mode.EXPRESSION
        blank = 0
        while blank < len(self.out) and self.out[-1 - blank].isspace():
            blank += 1
        if blank and self.levels[-1].mode is Mode.ARGUMENT and self._follows_value(blank):
            spaces = "".join(self.out[-blank:])
            del self.out[-blank:]
            self.out.append("," + spaces)
            self.at += 1
            self.levels[-1].unfinished = True
        else:
            self.put(",", unfinished=True)

    def _follows_value(self, blank: int) -> bool:
        before = self.out[-1 - blank]
        return before[-1] in "'1)}]" or before.startswith("$")

    # Values

    def _single(self) -> None:
        string = VERBATIM.match(self.text, self.at)
        if not string:
            self.source.refuse(self.at, "The string is missing the terminator: '.", incomplete=True)
        self._string(string.end(), Kind.VERBATIM)

    def _double(self) -> None:
        self._string(self._end_of_expandable(self.at + 1), Kind.EXPANDABLE)

    def _end_of_expandable(self, at: int) -> int:
        start = at - 1
        while self.text[at : at + 1] not in DOUBLE:
            if plain := PLAIN.match(self.text, at):
                at = plain.end()
            elif self.text.startswith("$(", at):
                at = end_of_subexpression(self.source, at, self.depth)
            else:
                self.source.refuse(start, 'The string is missing the terminator: ".', incomplete=True)
        return at + 1

    def _string(self, end: int, kind: Kind) -> None:
        self.put("'" + "x" * (end - self.at - 2) + "'", kind)
        self._after_value()

    def _after_value(self) -> None:
        level = self.levels[-1]
        if level.mode is Mode.STATEMENT:
            level.mode = Mode.EXPRESSION

    def _at(self) -> None:
        """`@(`, `@{`, a here-string or a splatted variable."""
        following = self.text[self.at + 1 : self.at + 2]
        if following == "(":
            self.open("@(", Mode.STATEMENT, breaks=True)
        elif following == "{":
            self.open("@{", Mode.KEY, breaks=True)
        elif here := HERE.match(self.text, self.at):
            self._here(here)
        elif splat := SPLAT.match(self.text, self.at):
            self.copy(len(splat[0]))
        else:
            self._unexpected()

    def _here(self, here: re.Match[str]) -> None:
        verbatim = here[1] is not None
        end = HERE_END[verbatim].search(self.text, here.end() - 1)
        if not end:
            quote = "'" if verbatim else '"'
            self.source.refuse(self.at, f"The string is missing the terminator: {quote}@.", incomplete=True)
        self._string(end.end(), Kind.HERE_VERBATIM if verbatim else Kind.HERE_EXPANDABLE)

    def _dollar(self) -> None:
        if self.text.startswith("$(", self.at):
            self.open("$(", Mode.STATEMENT, breaks=True)
            return
        variable = VARIABLE.match(self.text, self.at)
        if not variable:
            self._unexpected()
            return
        level = self.levels[-1]
        after = self.text[variable.end() : variable.end() + 1]
        if level.mode is Mode.ARGUMENT and not self._adjacent_member() and after and after not in ENDS_VARIABLE:
            self._word()
            return
        name = variable[0]
        masked = "${" + "x" * (len(name) - 3) + "}" if name.startswith("${") else NOT_ASCII.sub("x", name)
        self.put(masked)
        self._after_value()

    def _adjacent_member(self) -> bool:
        return self.at > 0 and self.text[self.at - 1] == "."

    def _number(self) -> bool:
        number = NUMBER.match(self.text, self.at)
        if number and self.text[number.end() - 1] != ".":
            self.put("1" * len(number[0]), Kind.NUMBER)
            self._after_value()
        return bool(number)

    # What depends on the mode

    def _statement(self) -> None:
        """The first token of a statement or of a command in a pipeline: a keyword, a command's name, or an expression.

        The grammar would take `1..5` and `7%3` for a command's name: there the operator gets another one's sign.
        """
        level = self.levels[-1]
        command = COMMAND.match(self.text, self.at)
        if not level.piped and (not command or command[0][0] in "0123456789*/-\u2013\u2014\u2015" or self._is_number()):
            level.mode = Mode.EXPRESSION
            self._expression()
            if self.text.startswith(("..", "%"), self.at):
                self.put(" *" if self.text[self.at] == "." else "*", unfinished=True)
        elif not command:
            self._unexpected()
        elif command[0].startswith(":"):
            self.source.refuse(self.at, "Labels are not run here; use a variable that the loop's condition reads.")
        elif command[0].lower() in KEYWORDS and not level.piped:
            self._keyword(command[0].lower())
        elif command[0] == ".":
            self.copy(1, unfinished=True)
        else:
            self._refuse_quote(command.end())
            self._masked_before_bracket("x", command.end(), Kind.COMMAND)
            level.mode, level.piped = Mode.ARGUMENT, False

    def _is_number(self) -> bool:
        return self.text[self.at] == "." and bool(NUMBER.match(self.text, self.at))

    def _keyword(self, word: str) -> None:
        level = self.levels[-1]
        self.put(word)
        level.mode = Mode.STATEMENT if word in BEFORE_STATEMENT else Mode.EXPRESSION
        level.keyword = word
        name = FUNCTION.match(self.text, self.at) if word in ("function", "filter") else None
        if name:
            self.out.append(" " * (name.start(1) - self.at))
            self.at = name.start(1)
            self.put("x" * len(name[1]), Kind.COMMAND)

    def _masked_before_bracket(self, filler: str, end: int, kind: Kind) -> None:
        """`Net.Mail.SmtpClient($server)` after a command is two arguments: a space comes between."""
        length = end - self.at
        joined = length > 1 and self.text[end : end + 1] in ("(", "{")
        self.put(filler * (length - 1) + " " if joined else filler * length, kind)

    def _argument(self) -> None:
        if parameter := PARAMETER.match(self.text, self.at):
            self.put("-" + "x" * (len(parameter[0]) - 1))
            if self.text.startswith(":", self.at):
                self.put(":")
        elif REDIRECTION.match(self.text, self.at):
            self._redirection()
        elif self.text.startswith("--%", self.at):
            self.copy(3)
        elif self._adjacent() and (member := MEMBER.match(self.text, self.at)):
            self._member(member)
        elif self._adjacent() and self.text.startswith(".$", self.at):
            self.put(".")
        else:
            self._word()

    def _redirection(self) -> None:
        """The grammar wants a space before $null."""
        discarded = DISCARDED.match(self.text, self.at)
        if not discarded:
            self.source.refuse(self.at, REDIRECTED)
        self.put("> $" + "x" * (len(discarded[0]) - 3), Kind.DISCARDED)

    def _word(self) -> None:
        """A bare argument: text in which variables are expanded, or a number."""
        word = WORD.match(self.text, self.at)
        if not word:
            self._unexpected()
        else:
            self._refuse_quote(word.end())
            self._masked_before_bracket("1", word.end(), Kind.WORD)

    def _refuse_quote(self, at: int) -> None:
        if self.text[at : at + 1] in ("@", *SINGLE_QUOTES, *DOUBLE_QUOTES):
            self.source.refuse(at, QUOTED)

    def _member(self, member: re.Match[str]) -> None:
        """No keyword is one after a dot."""
        self.put("." + "x" * (len(member[0]) - 1))

    def _key(self) -> None:
        if self.text[self.at] == "=":
            self.put("=", unfinished=True)
            self.levels[-1].mode = Mode.STATEMENT
        elif name := NAME.match(self.text, self.at):
            self.put("x" * len(name[0]))
        elif not self._number():
            self._expression_symbol()

    def _expression(self) -> None:
        adjacent = self.at > 0 and (self.text[self.at - 1].isalnum() or self.text[self.at - 1] in "_]})'\"")
        if adjacent and (member := MEMBER.match(self.text, self.at)):
            self._member(member)
        elif self.text.startswith("..", self.at):
            self.copy(2, unfinished=True)
        elif name := NAME.match(self.text, self.at):
            if name[0].lower() == "param" and self._follows_attribute():
                self._keyword("param")
                return
            self.copy(len(name[0]))
            if name[0].lower() == "in":
                self.levels[-1].mode = Mode.STATEMENT
        elif not self._number():
            self._expression_symbol()

    def _follows_attribute(self) -> bool:
        """`[CmdletBinding()] param` on one line."""
        before = next((part for part in reversed(self.out) if not part.isspace()), "")
        return before == "]"

    def _expression_symbol(self) -> None:
        char = self.text[self.at]
        if operator := OPERATOR.match(self.text, self.at):
            self.put("-" + NOT_ASCII.sub("x", operator[0][1:].lower()), unfinished=True)
        elif assignment := ASSIGNMENT.match(self.text, self.at):
            self.put("*=" if len(assignment[0]) > 1 else "=", unfinished=True)
            self.levels[-1].mode = Mode.STATEMENT
        elif self.text.startswith(("++", "--", "::"), self.at):
            self.copy(2)
        elif char in "<>":
            self._redirection()
        elif char in "+-*/%!.:\u2013\u2014\u2015":
            self.put("-" if char in "\u2013\u2014\u2015" else char, unfinished=char not in ".:")
        else:
            self._unexpected()

    def _unexpected(self) -> None:
        char = self.text[self.at]
        self.source.refuse(
            self.at, QUESTION if char == "?" else f"Unexpected token '{char}' in expression or statement."
        )


def end_of_subexpression(source: Source, at: int, depth: int = 0) -> int:
    """The offset after a `$(` … `)` within a string."""
    if depth >= _DEEPEST_STRING:
        source.refuse(at, "Strings are nested too deep; name inner parts with variables.")
    return mask(source, at + 2, depth=depth + 1).end + 1


_BY_MODE: dict[Mode, Callable[[_Scanner], None]] = {
    Mode.STATEMENT: _Scanner._statement,
    Mode.EXPRESSION: _Scanner._expression,
    Mode.ARGUMENT: _Scanner._argument,
    Mode.KEY: _Scanner._key,
}
_BY_CHARACTER: dict[str, Callable[[_Scanner], None]] = {
    "(": _Scanner.round_bracket,
    "[": _Scanner._square,
    "{": _Scanner.curly_bracket,
    **dict.fromkeys(")]}", _Scanner.close_bracket),
    ";": _Scanner.semicolon,
    "|": _Scanner.bar,
    "&": _Scanner.ampersand,
    ",": _Scanner._comma,
    "@": _Scanner._at,
    "$": _Scanner._dollar,
    **dict.fromkeys(SINGLE_QUOTES, _Scanner._single),
    **dict.fromkeys(DOUBLE_QUOTES, _Scanner._double),
}
