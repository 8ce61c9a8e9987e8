"""What a cmdlet is: a table of parameters and a function. The language, the prompt, `Get-Help` and other faces read the
same table.

A cmdlet is declared so:

    Cmdlet(
        "Remove-InboundConnector",
        (Parameter(name="Identity", type=STRING, position=0, mandatory=True, from_pipeline_by_name=True),),
        remove_inbound_connector,
        should_process=True,
        confirm=True,
    )

    def remove_inbound_connector(context: Context, bound: Bound) -> Iterable[Value]:
        if context.should_process(bound["Identity"]):
            connectors(context.service(Administration)).remove(bound["Identity"])
        return ()
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from posthouse.cmdlets.conversion import ANY, SWITCH, ConversionError, PSType
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.values import Value

if TYPE_CHECKING:
    from posthouse.cmdlets.registry import Registry

Service = TypeVar("Service")
Stream = Literal["output", "host", "warning", "verbose", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter, bound as PowerShell binds it (about_Parameters).

    `values` is a ValidateSet, `not_empty` a ValidateNotNullOrEmpty, which a mandatory parameter has unless it is to
    `allow_empty`; `rest` takes all positional arguments that are left; `refused` says why a parameter that
    Microsoft has isn't taken.
    """

    name: str
    type: PSType = ANY
    aliases: tuple[str, ...] = ()
    position: int | None = None
    mandatory: bool = False
    from_pipeline: bool = False
    from_pipeline_by_name: bool = False
    rest: bool = False
    values: tuple[str, ...] = ()
    allow_empty: bool = False
    not_empty: bool = False
    refused: str = ""
    help: str = ""

    @property
    def is_switch(self) -> bool:
        return self.type is SWITCH

    @property
    def choices(self) -> tuple[str, ...]:
        return self.values or self.type.values


class Bound(Mapping[str, Value]):
    """The parameters that were given, by their full names. For a cmdlet that takes all at once, `pipeline` is what came
    in, and `piped` whether there is a pipeline. `common` also holds the common parameters.
    """

    __slots__ = ("_values", "common", "piped", "pipeline")

    def __init__(
        self,
        values: Mapping[str, Value],
        pipeline: Iterable[Value] = (),
        *,
        piped: bool = False,
        common: Mapping[str, Value] | None = None,
    ) -> None:
        self._values = values
        self.pipeline = pipeline
        self.piped = piped
        self.common = common or values

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


Run = Callable[["Context", Bound], Iterable[Value]]


@dataclass(frozen=True, slots=True)
class Cmdlet:
    """`run` is called once for each object of the pipeline that binds, and yields what it outputs; or once, if there is
    no pipeline.

    With `whole` it is called once with all of the pipeline in `bound.pipeline`. `should_process` gives it -WhatIf and
    -Confirm; `confirm` asks unless -Confirm:$false is given, as cmdlets of high impact do.
    """

    name: str
    parameters: tuple[Parameter, ...]
    run: Run
    aliases: tuple[str, ...] = ()
    synopsis: str = ""
    whole: bool = False
    should_process: bool = False
    confirm: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """What of a type is shown where the script doesn't say, as a table or a list."""

    properties: tuple[str, ...]
    as_list: bool = False


@dataclass(frozen=True, slots=True)
class NetType:
    """A type that `New-Object` (or `[T]::new()`) makes, under any of `names`, which are full .NET names.

    `make` is called with the `Services`, then with the arguments of the constructor. `members` are the methods and
    properties that its objects have: a script that uses others is refused before it runs.
    """

    names: tuple[str, ...]
    make: Callable[..., Value]
    members: tuple[str, ...] = ()

    def new(self, services: Services, arguments: Sequence[Value]) -> Value:
        """Make one. Raises `PSError`."""
        try:
            inspect.signature(self.make).bind(services, *arguments)
        except TypeError:
            text = f"A constructor was not found. Cannot find an appropriate constructor for type {self.names[0]}."
            raise PSError(text, category="ObjectNotFound", error_id="CannotFindAppropriateCtor") from None
        try:
            return self.make(services, *arguments)
        except (ConversionError, ValueError) as error:
            text = f'Exception calling ".ctor" with "{len(arguments)}" argument(s): "{error}"'
            raise PSError(text, error_id="ConstructorInvokedThrowException") from None


@dataclass(frozen=True, slots=True)
class Library:
    """Cmdlets, and the types and views that belong to them. Libraries add up."""

    cmdlets: tuple[Cmdlet, ...] = ()
    types: tuple[NetType, ...] = ()
    views: Mapping[str, View] = field(default_factory=dict[str, View])

    def __add__(self, other: Library) -> Library:
        return Library(self.cmdlets + other.cmdlets, self.types + other.types, {**self.views, **other.views})


class Host(Protocol):
    """Where a script's words go, and who answers its questions."""

    interactive: bool
    width: int

    def write(self, stream: Stream, text: str) -> None:
        """Write text that ends its own lines."""
        ...

    def ask(self, question: str) -> str:
        """An answer of one line. Only called where `interactive`."""
        ...


class Files(Protocol):
    """The files that a script may touch. What is not allowed raises `PSError` with the reason."""

    def read(self, path: str) -> bytes: ...

    def size(self, path: str) -> int | None:
        """In bytes; None where there is no file that may be read."""
        ...

    def write(self, path: str, content: bytes, *, append: bool = False) -> None: ...


@dataclass(frozen=True, slots=True)
class Services:
    """What cmdlets work on, given from outside."""

    host: Host
    files: Files
    now: Callable[[], datetime]
    others: tuple[object, ...] = ()

    def service(self, kind: type[Service]) -> Service:
        """The one of that type. A `LookupError` if nobody gave one: a mistake of ours, not the script's."""
        for one in self.others:
            if isinstance(one, kind):
                return one
        raise LookupError(f"a {kind.__name__} is needed, and nobody gave one")


class Context(Protocol):
    """What a running cmdlet sees. Made anew for each call."""

    @property
    def cmdlet(self) -> Cmdlet: ...

    @property
    def services(self) -> Services: ...

    @property
    def registry(self) -> Registry: ...

    def service(self, kind: type[Service]) -> Service:
        """As `Services.service`."""
        ...

    def variable(self, name: str, /) -> Value:
        """What the script's variable of that name holds; $null if there is none."""
        ...

    def should_process(self, target: str, action: str = "") -> bool:
        """Whether to do it: not with -WhatIf, which says what would be done, nor where the person asked says no."""
        ...

    def warning(self, text: str) -> None: ...

    def verbose(self, text: str) -> None: ...

    @property
    def information(self) -> bool:
        """Whether informational texts are shown."""
        ...

    def wait(self, seconds: float) -> None:
        """Sleep, as long as the script may."""
        ...

    def error(self, error: PSError) -> None:
        """Report an error and go on with the same object. Raising it ends the object instead."""
        ...

    def operate(self, operator: str, left: Value, right: Value) -> Value:
        """What an operator of the language gives: `-eq`, `-like`, …"""
        ...

    def charge(self, size: int) -> None:
        """Count `size` elements or characters against the script's limit before making them."""
        ...
