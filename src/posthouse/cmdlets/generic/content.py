"""Text in the few files that a script may touch, and their names."""

from __future__ import annotations

from collections.abc import Iterator

from posthouse.cmdlets.conversion import INT, STRING, SWITCH
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.generic.formats import shown
from posthouse.cmdlets.generic.objects import INPUT, pipeline
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Parameter
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import Value, items


def get_content(context: Context, bound: Bound) -> Iterator[Value]:
    """-Encoding Byte (or -AsByteStream) gives bytes, -Raw one text, else a text for each line."""
    if bound.get("Encoding", "").lower() == "byte" or bound.get("AsByteStream"):
        content = context.services.files.read(bound["Path"])
        context.charge(len(content))
        yield from content
        return
    text = text_of(context, bound["Path"])
    yield from [text] if bound.get("Raw") else text.splitlines()


def text_of(context: Context, path: str) -> str:
    content = context.services.files.read(path)
    context.charge(len(content))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PSError(f"'{path}' is not UTF-8 text.", category="InvalidData", error_id="Encoding") from None


def set_content(context: Context, bound: Bound) -> Iterator[Value]:
    yield from _write(context, bound, append=False)


def add_content(context: Context, bound: Bound) -> Iterator[Value]:
    yield from _write(context, bound, append=True)


def _write(context: Context, bound: Bound, *, append: bool) -> Iterator[Value]:
    """A line for each value."""
    lines = [to_text(part) for value in _values(bound) for part in items(value)]
    context.charge(sum(map(len, lines)))
    end = "" if bound.get("NoNewline") else "\n"
    if context.should_process(bound["Path"]):
        context.services.files.write(bound["Path"], "".join(line + end for line in lines).encode(), append=append)
    yield from ()


def _values(bound: Bound) -> Iterator[Value]:
    yield from items(bound["Value"]) if "Value" in bound else bound.pipeline


def out_file(context: Context, bound: Bound) -> Iterator[Value]:
    """What would be shown."""
    text = shown(context, pipeline(bound), bound.get("Width"))
    if context.should_process(bound["Path"]):
        context.services.files.write(bound["Path"], text.encode(), append=bool(bound.get("Append")))
    yield from ()


def test_path(context: Context, bound: Bound) -> Iterator[Value]:
    yield context.services.files.size(bound["Path"]) is not None


def join_path(_context: Context, bound: Bound) -> Iterator[Value]:
    """With the separator that the folder has; files are found with either."""
    separator = "/" if "/" in bound["Path"] else "\\"
    yield bound["Path"].rstrip("/\\") + separator + bound["ChildPath"].lstrip("/\\")


PATH = Parameter(name="Path", type=STRING, aliases=("LiteralPath", "FilePath"), position=0, mandatory=True)
ENCODING = Parameter(name="Encoding", type=STRING, help="Text is UTF-8.")
_FORCE = Parameter(name="Force", type=SWITCH, help="Taken: a file that is allowed is overwritten.")
_WRITING = (
    PATH,
    Parameter(name="Value", position=1, from_pipeline=True, allow_empty=True),
    ENCODING,
    Parameter(name="NoNewline", type=SWITCH),
    _FORCE,
)
CONTENT = (
    Cmdlet(
        "Get-Content",
        (
            PATH,
            ENCODING,
            Parameter(name="Raw", type=SWITCH),
            Parameter(name="AsByteStream", type=SWITCH),
            Parameter(name="ReadCount", type=INT, help="Taken: all is read at once."),
        ),
        get_content,
        aliases=("gc", "cat", "type"),
        synopsis="Reads a file that was allowed, or that is in the script's own folder.",
    ),
    Cmdlet(
        "Set-Content",
        _WRITING,
        set_content,
        synopsis="Writes text to a file that was allowed.",
        whole=True,
        should_process=True,
    ),
    Cmdlet(
        "Add-Content",
        _WRITING,
        add_content,
        synopsis="Adds text to a file that was allowed.",
        whole=True,
        should_process=True,
    ),
    Cmdlet(
        "Out-File",
        (PATH, ENCODING, INPUT, Parameter(name="Append", type=SWITCH), Parameter(name="Width", type=INT), _FORCE),
        out_file,
        synopsis="Writes what would be shown to a file that was allowed.",
        whole=True,
        should_process=True,
    ),
    Cmdlet("Test-Path", (PATH,), test_path, synopsis="Whether a file is there that may be read."),
    Cmdlet(
        "Join-Path",
        (PATH, Parameter(name="ChildPath", type=STRING, position=1, mandatory=True)),
        join_path,
        synopsis="Puts a folder and a name together.",
    ),
)
