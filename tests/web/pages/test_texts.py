"""Every text of the pages can be read in every language, and nothing stands in a template untranslated."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from posthouse.web.pages.texts import Texts, texts, texts_for
from support.page_texts import TEMPLATES, translated, untranslatable

OTHERS = [each for language, each in texts().items() if language != "en"]
_FILLED_IN = re.compile(r"\{\w+\}").findall


@pytest.mark.parametrize("language", OTHERS, ids=lambda each: each.language)
def test_a_language_has_all_texts_and_no_others(language: Texts) -> None:
    assert language.known == translated()


@pytest.mark.parametrize("language", OTHERS, ids=lambda each: each.language)
def test_a_translation_fills_in_what_the_text_does(language: Texts) -> None:
    differing = [text for text in language.known if sorted(_FILLED_IN(text)) != sorted(_FILLED_IN(language(text)))]
    assert differing == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda file: file.stem)
def test_no_text_of_a_template_is_left_untranslated(template: Path) -> None:
    assert untranslatable(template) == []


def test_a_text_that_stands_in_a_template_is_found(tmp_path: Path) -> None:
    template = tmp_path / "bad.html"
    template.write_text('<p title="Hover">${_("Fine")} <b>Not fine</b></p>\n', "utf-8")
    assert untranslatable(template) == ["Hover", "Not fine"]


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("sv", "sv"),
        ("SV-FI", "sv"),
        ("de, sv;q=0.3", "sv"),
        ("sv;q=0.3, en;q=0.7", "en"),
        ("sv;q=0", "en"),
        ("sv;q=nonsense", "en"),
        (",;=,;q=", "en"),
        ("x," * 10_000 + "sv", "en"),
    ],
)
def test_the_language_is_what_the_browser_likes_best(header: str, language: str) -> None:
    assert texts_for(header).language == language
