"""All that a page loads is ours and in the wheel: with the network cut off every page works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.page_texts import PAGES, TEMPLATES
from support.visit import Visit

ASSETS = sorted((PAGES / "assets").iterdir())
_LOADED = re.compile(r'(?:src|href)="(/assets/[^"#]+)')
_ABSOLUTE = re.compile(r"""(?:src|href|action)=["']?(?:[a-z]+:)?//|url\(|@import|\bfrom\s+["']|\bstyle=|\bon[a-z]+=""")
_ICON = re.compile(r"""icon\(["'](\w+)["']|icon_name=["'](\w+)["']|ui\.empty\(["'](\w+)["']""")


def test_a_page_loads_only_what_there_is(keeper: Visit) -> None:
    page = keeper.get("/connectors")
    loaded = set(_LOADED.findall(page.response.text))
    assert {path.rpartition("/")[2] for path in loaded} == {file.name for file in ASSETS}
    for path in loaded:
        answer = keeper.get(path).response
        assert (answer.status_code, "immutable" in answer.headers["cache-control"]) == (200, True)


def test_an_asset_of_another_version_is_not_there(keeper: Visit) -> None:
    assert keeper.get("/assets/000000000000/posthouse.css").status == 404
    assert keeper.get("/assets/000000000000/..%2Ftexts.py").status == 404


@pytest.mark.parametrize("file", [*TEMPLATES, *ASSETS], ids=lambda file: file.name)
def test_nothing_is_loaded_from_elsewhere_or_stands_inline(file: Path) -> None:
    text = file.read_text("utf-8")
    assert _ABSOLUTE.findall(text) == []


def test_every_icon_is_in_the_sprite() -> None:
    sprite = (PAGES / "assets" / "icons.svg").read_text("utf-8")
    used = {name for file in TEMPLATES for names in _ICON.findall(file.read_text("utf-8")) for name in names if name}
    assert used
    assert [name for name in sorted(used) if f'id="{name}"' not in sprite] == []
