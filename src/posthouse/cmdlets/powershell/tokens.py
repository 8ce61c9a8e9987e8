"""The tokens of PowerShell as the scanner tells them apart, and what it says of those that it refuses.

What each pattern matches is from about_Parsing, about_Quoting_Rules, about_Numeric_Literals and about_Reserved_Words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

SINGLE_QUOTES = "'\u2018\u2019\u201a\u201b"
DOUBLE_QUOTES = '"\u201c\u201d\u201e'
DOUBLE = frozenset(DOUBLE_QUOTES)
DASHES = "\\-\u2013\u2014\u2015"


class Kind(Enum):
    """What was masked."""

    COMMAND = auto()
    WORD = auto()
    NUMBER = auto()
    VERBATIM = auto()
    EXPANDABLE = auto()
    HERE_VERBATIM = auto()
    HERE_EXPANDABLE = auto()
    DISCARDED = auto()


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    start: int
    end: int


BEFORE_STATEMENT = frozenset(("throw", "return", "exit", "else", "do", "try", "finally", "begin", "process", "end"))
BEFORE_NAMES = frozenset(("param", "function", "filter"))
KEYWORDS = (
    BEFORE_STATEMENT
    | BEFORE_NAMES
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
CLAUSES = "switch {"
BLANK = re.compile(r"(?:\s|`\r?\n)+")
COMMENT = re.compile(r"#[^\r\n]*")
NUMBER = re.compile(
    r"(?:0x[0-9a-f]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)[ld]?(?:[kmgtp]b)?(?!\w)", re.IGNORECASE
)
NAME = re.compile(r"[^\W\d]\w*")
COMMAND = re.compile(r"[^\s;|&(){}\[\],'\"`$@<>=!+#]+")
FUNCTION = re.compile(r"\s+([^\s;|&(){}\[\],'\"`$@<>=]+)")
QUOTED = "A quotation mark within a word; put the whole argument in quotation marks."
WORD = re.compile(r"(?:`[^\r\n]|[^\s;|&(){},'\"`])+")
PARAMETER = re.compile(rf"[{DASHES}][^\W\d][^\s;|&(){{}}\[\],.:'\"`]*|[{DASHES}]\?")
VARIABLE = re.compile(r"\$(?:\{[^}]+\}|\w+:\w+|\w+|[$?^])")
SPLAT = re.compile(r"@\w+")
MEMBER = re.compile(r"\.[^\W\d]\w*")
HERE = re.compile(rf"@(?:([{SINGLE_QUOTES}])|[{DOUBLE_QUOTES}])[^\S\n]*\n")
HERE_END = {True: re.compile(rf"\r?\n[{SINGLE_QUOTES}]@"), False: re.compile(rf"\r?\n[{DOUBLE_QUOTES}]@")}
VERBATIM = re.compile(
    rf"[{SINGLE_QUOTES}][^{SINGLE_QUOTES}]*(?:[{SINGLE_QUOTES}]{{2}}[^{SINGLE_QUOTES}]*)*[{SINGLE_QUOTES}]"
)
PLAIN = re.compile(rf"(?:[^{DOUBLE_QUOTES}$`]|[{DOUBLE_QUOTES}]{{2}}|`.|\$(?!\())+", re.DOTALL)
REDIRECTION = re.compile(r"[1-6*]?>>?(?:&[12])?|<")
DISCARDED = re.compile(r"([1-5*]?)>>?[ \t]*\$null\b", re.IGNORECASE)
ASSIGNMENT = re.compile(r"[-+*/%]?=")
OPERATOR = re.compile(rf"[{DASHES}][^\W\d]+")
ENDS_VARIABLE = frozenset(" \t\r\n,;|&(){}[].=")
NOT_ASCII = re.compile(r"[^\x00-\x7f]")
DASH = re.compile(rf"[{DASHES}]")
GOES_ON = re.compile(r"\||(?:else|elseif|catch|finally)\b", re.IGNORECASE)
CLOSERS = {"(": ")", "{": "}", "[": "]"}
MISSING = {
    ")": "Missing closing ')' in expression.",
    "}": "Missing closing '}' in statement block or type definition.",
    "]": "Missing ']' after array index expression.",
}
CHAINS = "The operators && and || are not run here; use if."
CALL = "The call operator & is not run here; write the cmdlet's name itself."
JOB = "Background jobs (&) are not run here."
REDIRECTED = "Only redirection to $null is run here; for a file use Export-Csv or Set-Content, with --allow-file."
QUESTION = "The operators ?. ?? and ?: are not run here; use if."
