"""Which texts the pages have: those that are translated, and those of templates that nobody can translate."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from mako import parsetree
from mako.lexer import Lexer

from posthouse.admin.presets import presets
from posthouse.web.pages import errors, rendering, texts
from posthouse.web.pages.connectors.inbound import InboundWizard
from posthouse.web.pages.connectors.outbound import OutboundWizard
from posthouse.web.pages.navigation import NAVIGATION

PAGES = Path(texts.__file__).parent
TEMPLATES = sorted((PAGES / "templates").rglob("*.html"))
_SAID = frozenset({"title", "placeholder", "aria-label", "alt", "label"})
_IS_WORD = re.compile(r"[^\W\d_]{2,}").search


def translated() -> set[str]:
    """All texts that a reader may get to see."""
    found = {text for file in PAGES.rglob("*.py") for text in _called(ast.parse(file.read_text("utf-8")))}
    for file in TEMPLATES:
        name = f"/{file.relative_to(PAGES / 'templates').as_posix()}"
        found |= set(_called(ast.parse(rendering.lookup().get_template(name).code)))
    groups = {group.text for group in NAVIGATION} - {""}
    entries = {entry.text for group in NAVIGATION for entry in group.entries}
    steps = {step.text for step in (*InboundWizard.steps, *OutboundWizard.steps)}
    services = {preset.title for preset in presets().values()}
    return found | groups | entries | steps | services | {errors.HEADING, *errors.HEADINGS.values()}


def untranslatable(file: Path) -> list[str]:
    """Words that stand in a template as they are."""
    source = file.read_text("utf-8")
    reader = _Reader()
    reader.feed("".join(_literals(Lexer(source, input_encoding="utf-8").parse())))
    reader.close()
    return reader.found


def _called(tree: ast.AST) -> Iterator[str]:
    """First arguments of `_()`, `text()` and `…._text()`, and both of `text.count()`."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        match node.func:
            case ast.Name("_" | "text") | ast.Attribute(attr="_text") | ast.Call(func=ast.Name("texts_of")):
                arguments = node.args[:1]
            case ast.Attribute(value=ast.Name("_" | "text") | ast.Attribute(attr="_text"), attr="count"):
                arguments = node.args[:2]
            case _:
                continue
        yield from (each.value for each in arguments if isinstance(each, ast.Constant) and isinstance(each.value, str))


def _literals(node: object) -> Iterator[str]:
    """What Mako copies into the page; a placeholder for what it computes."""
    if isinstance(node, parsetree.Text):
        yield node.content
    elif isinstance(node, parsetree.Expression):
        yield "0"
    for child in getattr(node, "nodes", ()):
        yield from _literals(child)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._is_code = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_code = tag == "code"
        for name, value in attrs:
            if name in _SAID:
                self.handle_data(value or "")

    def handle_endtag(self, tag: str) -> None:
        self._is_code = False

    def handle_data(self, data: str) -> None:
        if not self._is_code and _IS_WORD(data.replace("Posthouse", "")):
            self.found.append(data.strip())
