"""The words of the pages, in the languages that they can be read in: `words/<page>.json`, beside those all share.

`page` holds what stands in the template, `script` what the scripts say: each name with the English, then the Italian.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "words"
SHARED = "shared"
LANGUAGES = ("en", "it")
"""Of the pages; the first is for who reads neither."""

PHENOMENON = "p_"


class Words(NamedTuple):
    """What one page says, in one language, by name."""

    page: Mapping[str, str]
    script: Mapping[str, str]


@cache
def words_of(page: str, language: str) -> Words:
    """The words of `page`, in one of `LANGUAGES`."""
    column = LANGUAGES.index(language)
    tables = [json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")) for name in (SHARED, page)]
    return Words(
        *({name: forms[column] for table in tables for name, forms in table[part].items()} for part in Words._fields)
    )


def phenomena(language: str) -> dict[str, str]:
    """What people call the phenomena of the challenge set and the forms of everyday words, by their names in a card:
    words of the page that translates."""
    named = words_of("translate", language).page.items()
    return {name.removeprefix(PHENOMENON): text for name, text in named if name.startswith(PHENOMENON)}


def language_of(wanted: str | None, accepted: str) -> str:
    """The language for who asked for `wanted`, if that is one; else the one of the header `Accept-Language`, whose
    order is taken for preference (RFC 9110, section 12.5.4: browsers send it so)."""
    offers = [wanted or "", *(part.partition(";")[0].strip()[:2].lower() for part in accepted.split(","))]
    return next((offer for offer in offers if offer in LANGUAGES), LANGUAGES[0])
