"""Scripts run as a test's reader sees them: what was typed, and what was shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from posthouse.cmdlets.conversion import BOOLEAN, INT, STRING, STRINGS, enumeration
from posthouse.cmdlets.errors import PSError, ScriptRefused
from posthouse.cmdlets.files import AllowedFiles
from posthouse.cmdlets.generic import GENERIC
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Library, Parameter, Services, Stream, View
from posthouse.cmdlets.limits import Budget, LimitReached
from posthouse.cmdlets.registry import Registry
from posthouse.cmdlets.session import Session
from posthouse.cmdlets.values import PSObject, Value

NOW = datetime(2026, 11, 24, 15, 30, 5, 123456, tzinfo=UTC)
_TYPE = "Test.InboundConnector"


@dataclass
class Paper:
    """A host that keeps what it is told, and answers from a list."""

    answers: list[str] = field(default_factory=list)
    width: int = 120
    said: list[tuple[Stream, str]] = field(default_factory=list)

    @property
    def interactive(self) -> bool:
        return bool(self.answers)

    def write(self, stream: Stream, text: str) -> None:
        self.said.append((stream, text))

    def ask(self, question: str) -> str:
        return self.answers.pop(0)

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.said)


class Connectors(dict[str, PSObject]):
    """The service that the cmdlets below work on."""


def _new(context: Context, bound: Bound) -> Iterable[Value]:
    connectors = context.service(Connectors)
    if bound["Name"] in connectors:
        raise PSError(f"The connector '{bound['Name']}' already exists.", category="InvalidArgument", error_id="Exists")
    properties = {"Name": bound["Name"], "Identity": bound["Name"], "Enabled": True, "Port": 25, "SenderDomains": ["*"]}
    made = PSObject.of(_TYPE, {**properties, **bound}, bound["Name"])
    if context.should_process(bound["Name"]):
        connectors[bound["Name"]] = made
        yield made


def _get(context: Context, bound: Bound) -> Iterable[Value]:
    connectors = context.service(Connectors)
    if "Identity" not in bound:
        return list(connectors.values())
    return [_found(connectors, bound["Identity"])]


def _found(connectors: Connectors, name: str) -> PSObject:
    try:
        return connectors[name]
    except KeyError:
        text = f"The operation couldn't be performed because object '{name}' couldn't be found."
        raise PSError(text, category="NotSpecified", error_id="NotFound", target=name) from None


def _set(context: Context, bound: Bound) -> Iterable[Value]:
    connector = _found(context.service(Connectors), bound["Identity"])
    for name in (name for name in bound if name != "Identity"):
        connector.properties[name] = bound[name]
    return ()


def _remove(context: Context, bound: Bound) -> Iterable[Value]:
    connector = _found(context.service(Connectors), bound["Identity"])
    if context.should_process(str(connector.text)):
        del context.service(Connectors)[str(connector.text)]
    return ()


_IDENTITY = Parameter(
    name="Identity", type=STRING, position=0, mandatory=True, from_pipeline=True, from_pipeline_by_name=True
)
_FIELDS = (
    Parameter(name="ConnectorType", type=enumeration("Test.ConnectorType", "OnPremises", "Partner")),
    Parameter(name="Comment", type=STRING),
    Parameter(name="Enabled", type=BOOLEAN),
    Parameter(name="Port", type=INT),
    Parameter(name="SenderDomains", type=STRINGS),
    Parameter(name="SenderIPAddresses", type=STRINGS),
    Parameter(name="RequireTls", type=BOOLEAN),
    Parameter(name="Level", type=STRING, values=("Low", "High")),
    Parameter(name="ScanAndDropRecipients", refused="Exchange Online ignores it"),
)
CONNECTOR_CMDLETS = Library(
    cmdlets=(
        Cmdlet(
            "New-InboundConnector",
            (Parameter(name="Name", type=STRING, position=0, mandatory=True), *_FIELDS),
            _new,
            should_process=True,
        ),
        Cmdlet(
            "Get-InboundConnector",
            (Parameter(name="Identity", type=STRING, position=0, from_pipeline=True),),
            _get,
        ),
        Cmdlet("Set-InboundConnector", (_IDENTITY, *_FIELDS), _set),
        Cmdlet("Remove-InboundConnector", (_IDENTITY,), _remove, should_process=True, confirm=True),
    ),
    views={_TYPE: View(("Name", "Enabled", "SenderDomains"))},
)


class Scripts:
    """A session, and what was shown in it."""

    def __init__(
        self,
        *,
        library: Library = GENERIC + CONNECTOR_CMDLETS,
        answers: Sequence[str] = (),
        width: int = 120,
        files: AllowedFiles | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.paper = Paper(list(answers), width)
        self.connectors = Connectors()
        services = Services(self.paper, files or AllowedFiles(), lambda: NOW, (self.connectors,))
        self.session = Session(Registry(library), services, budget)
        self.status = 0

    def run(self, script: str) -> str:
        """What the script shows on all streams, or the one line that refuses or stops it."""
        self.paper.said.clear()
        try:
            self.status = self.session.run(self.session.prepare(script, "test.ps1"))
        except (ScriptRefused, LimitReached) as error:
            self.status = 1
            return f"{self.paper.text}{error}\n"
        return self.paper.text


@dataclass(frozen=True)
class Dialogue:
    title: str
    script: str
    shown: str


_STEP = re.compile(r"^PS> (?P<script>.*(?:\n>>.*)*)\n(?P<shown>(?:(?!PS> |## ).*\n)*)", re.MULTILINE)
_SECTION = re.compile(r"^## (?P<title>.+)\n(?P<steps>(?:(?!## ).*\n)*)", re.MULTILINE)


def sections(file: Path) -> Iterator[tuple[str, list[Dialogue]]]:
    """The sections of a file of dialogues, each one session."""
    for section in _SECTION.finditer(file.read_text("utf-8") + "\n"):
        steps = [
            Dialogue(section["title"], step["script"].replace("\n>> ", "\n"), step["shown"])
            for step in _STEP.finditer(section["steps"])
        ]
        yield section["title"], steps
