"""XML from somebody else, by the standard library's expat: no document type, so no entities; a bounded depth.

https://docs.python.org/3/library/xml.html#xml-security
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.parsers.expat import ExpatError, ParserCreate

_DEEPEST = 100


class XmlError(ValueError):
    """It can't be read: why."""


@dataclass(slots=True)
class Element:
    """`tag` is without namespace; `text` is all of it that stands directly in the element."""

    tag: str
    attributes: Mapping[str, str]
    line: int = 0
    children: list[Element] = field(default_factory=list["Element"])
    parts: list[str] = field(default_factory=list[str])

    @property
    def text(self) -> str:
        return "".join(self.parts)

    def iter(self) -> Iterator[Element]:
        """The element and all below it, in the document's order."""
        yield self
        for child in self.children:
            yield from child.iter()


def parse(text: str) -> Element:
    """The root. Raises `XmlError`."""
    top = Element("", {})
    path = [top]

    def start(tag: str, attributes: dict[str, str]) -> None:
        if len(path) > _DEEPEST:
            raise XmlError(f"more than {_DEEPEST} elements within each other")
        element = Element(tag.rpartition(":")[2], attributes, parser.CurrentLineNumber)
        path[-1].children.append(element)
        path.append(element)

    def refuse(*_: object) -> None:
        raise XmlError("a document type declaration, which no such export has")

    parser = ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: path.pop()
    parser.CharacterDataHandler = lambda data: path[-1].parts.append(data)
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except ExpatError as error:
        raise XmlError(f"no well-formed XML: {error}") from None
    return top.children[0]
