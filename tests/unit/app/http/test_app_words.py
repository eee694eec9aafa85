"""The words of the pages: in both languages, all used, all there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from app.http.routes.pages import STATIC, templates
from app.http.words import FOLDER, LANGUAGES, SHARED, language_of, words_of
from app.versions.quality import SETS

TEMPLATES = Path(templates.loader.searchpath[0])  # type: ignore[union-attr]
PAGES = sorted(path.stem for path in FOLDER.glob("*.json") if path.stem != SHARED)
LOOKED_UP = {"title", *SETS}
"""Named by the layout, and by what a card has scores of."""
PUT_TOGETHER = re.compile(r"(?:[`\"])(\w*_)(?:\$\{|\" [+~])")
"""The beginning of a name that ends with a value..."""
ENDED = re.compile(r"\}(_\w+)`")
"""... and the end of one that begins with one."""


def tables(page: str) -> dict[str, dict[str, list[str]]]:
    return json.loads((FOLDER / f"{page}.json").read_text(encoding="utf-8"))


def scripts(page: str) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in [STATIC / "lib.js", *(STATIC / page).glob("*.js")])


def test_there_are_pages() -> None:
    assert PAGES == ["models", "review", "translate"]


@pytest.mark.parametrize("page", [SHARED, *PAGES])
def test_everything_is_said_in_both_languages_with_the_same_values(page: str) -> None:
    for names in tables(page).values():
        for name, forms in names.items():
            assert len(forms) == len(LANGUAGES) and all(form.strip() for form in forms), name
            english, italian = (set(re.findall(r"\{\w+\}", form)) for form in forms)
            assert english == italian, f"{name}: {english} and {italian}"


@pytest.mark.parametrize("page", PAGES)
def test_the_scripts_say_nothing_that_has_no_words(page: str) -> None:
    said = set(re.findall(r"\bt\(\s*\"([\w-]+)\"", scripts(page)))
    assert said - set(words_of(page, "it").script) == set()


@pytest.mark.parametrize("page", PAGES)
def test_no_words_are_left_over(page: str) -> None:
    uses = {"page": (TEMPLATES / f"{page}.html").read_text(encoding="utf-8"), "script": scripts(page)}
    for part, names in tables(page).items():
        begun = tuple(PUT_TOGETHER.findall(uses[part]))
        unused = [name for name in names if not re.search(rf"[\"`.]{re.escape(name)}\b|\b{name}:", uses[part])]
        ended = ("_one", *ENDED.findall(uses[part]))
        left = [name for name in unused if not (name.startswith(begun) or name.endswith(ended))]
        assert set(left) <= LOOKED_UP, f"{part}: {left}"


@pytest.mark.parametrize(
    ("wanted", "accepted", "language"),
    [
        (None, "", "en"), (None, "it-IT,it;q=0.9,en;q=0.8", "it"), (None, "de,fr;q=0.9", "en"),
        (None, "de, it;q=0.2", "it"),
        ("en", "it", "en"), ("it", "en", "it"), ("xx", "it", "it"), (None, ";;,,\u00e9", "en"),
    ],
)  # fmt: skip
def test_the_language_of_a_page(wanted: str | None, accepted: str, language: str) -> None:
    assert language_of(wanted, accepted) == language
