"""What of PowerShell we run, as data: the syntax tree. Offsets are characters from the beginning of the script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from posthouse.cmdlets.values import Value


@dataclass(frozen=True, slots=True)
class Node:
    start: int
    end: int


# Expressions


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """A number, a text without variables, or a bare word. `raw` is how a number was written."""

    value: Value
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Expandable(Node):
    """A text in which variables and `$( )` are expanded."""

    parts: tuple[str | Expression, ...]


@dataclass(frozen=True, slots=True)
class Variable(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Splat(Node):
    """`@name` among the arguments of a command (about_Splatting)."""

    name: str


@dataclass(frozen=True, slots=True)
class ArrayLiteral(Node):
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class ArrayOf(Node):
    """`@( )`: always an array."""

    body: Block


@dataclass(frozen=True, slots=True)
class SubExpression(Node):
    """`$( )`: nothing, one value, or an array."""

    body: Block


@dataclass(frozen=True, slots=True)
class Parenthesis(Node):
    inner: Statement


@dataclass(frozen=True, slots=True)
class HashLiteral(Node):
    entries: tuple[tuple[Expression, Statement], ...]


@dataclass(frozen=True, slots=True)
class Code(Node):
    """A script, a script block, or the body of a function; `body` is its `end` block where blocks have names.

    `should_process` is whether it takes -WhatIf and -Confirm (about_Functions_CmdletBindingAttribute).
    """

    parameters: tuple[ScriptParameter, ...]
    body: Block
    source: str = ""
    begin: Block = ()
    process: Block = ()
    should_process: bool = False


@dataclass(frozen=True, slots=True)
class Unary(Node):
    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary(Node):
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Cast(Node):
    type: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class TypeLiteral(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Member(Node):
    """`target.name`, also `target.$name`; or `[type]::name`."""

    target: Expression
    name: str | Expression
    static: bool


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`target.name(arguments)`, or `[type]::name(arguments)`."""

    target: Expression
    name: str
    arguments: tuple[Expression, ...]
    static: bool


@dataclass(frozen=True, slots=True)
class Index(Node):
    target: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class Increment(Node):
    """`++` and `--`, before or after."""

    target: Expression
    by: int
    before: bool


Expression = (
    Constant
    | Expandable
    | Variable
    | Splat
    | ArrayLiteral
    | ArrayOf
    | SubExpression
    | Parenthesis
    | HashLiteral
    | Code
    | Unary
    | Binary
    | Cast
    | TypeLiteral
    | Member
    | Call
    | Index
    | Increment
)

# Commands


@dataclass(frozen=True, slots=True)
class Option(Node):
    """`-Name`, or `-Name:value`. What follows a space may be its value too: only the cmdlet's parameters tell."""

    name: str
    value: Expression | None = None


@dataclass(frozen=True, slots=True)
class Command(Node):
    """`discarded`: the numbers of the streams that go to $null (about_Redirection)."""

    name: str
    elements: tuple[Option | Expression, ...]
    discarded: str = ""


@dataclass(frozen=True, slots=True)
class Pipeline(Node):
    """`discarded` is of the expression that it begins with."""

    stages: tuple[Expression | Command, ...]
    discarded: str = ""


# Statements


@dataclass(frozen=True, slots=True)
class Assignment(Node):
    target: Expression
    operator: str
    value: Statement


@dataclass(frozen=True, slots=True)
class If(Node):
    clauses: tuple[tuple[Statement, Block], ...]
    otherwise: Block


@dataclass(frozen=True, slots=True)
class ForEach(Node):
    variable: Variable
    values: Statement
    body: Block


@dataclass(frozen=True, slots=True)
class For(Node):
    first: Statement | None
    condition: Statement | None
    step: Statement | None
    body: Block


@dataclass(frozen=True, slots=True)
class While(Node):
    """Also `do`, which runs its body `once` before it asks, and `until`."""

    condition: Statement
    body: Block
    once: bool = False
    until: bool = False


@dataclass(frozen=True, slots=True)
class Switch(Node):
    """The condition None is `default`."""

    value: Statement
    clauses: tuple[tuple[Expression | None, Block], ...]
    match: Literal["exact", "wildcard", "regex"]
    case_sensitive: bool


@dataclass(frozen=True, slots=True)
class Catch(Node):
    types: tuple[str, ...]
    body: Block


@dataclass(frozen=True, slots=True)
class Try(Node):
    body: Block
    catches: tuple[Catch, ...]
    cleanup: Block


@dataclass(frozen=True, slots=True)
class Flow(Node):
    """`break`, `continue`, `return`, `throw` and `exit`."""

    keyword: Literal["break", "continue", "return", "throw", "exit"]
    value: Statement | None


@dataclass(frozen=True, slots=True)
class ScriptParameter(Node):
    """As its attributes have it (about_Functions_Advanced_Parameters)."""

    name: str
    type: str = ""
    default: Expression | None = None
    aliases: tuple[str, ...] = ()
    position: int | None = None
    mandatory: bool = False
    from_pipeline: bool = False
    from_pipeline_by_name: bool = False
    values: tuple[str, ...] = ()
    allow_empty: bool = False
    not_empty: bool = False


@dataclass(frozen=True, slots=True)
class Function(Node):
    name: str
    code: Code


Statement = Pipeline | Assignment | If | ForEach | For | While | Switch | Try | Flow | Function
Block = tuple[Statement, ...]
