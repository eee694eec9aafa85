"""Places that the other language calls otherwise: *Varsavia* is *Warsaw*, also where the network copied it."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from pathlib import Path

from model.text.lines import FUNCTION_WORDS
from model.translation import Translation, with_each

TABLES = tuple(Path(__file__).with_name(name) for name in ("exonyms.tsv", "towns.tsv"))
"""Italian and English names: those from CLDR (see `scripts/exonyms.py`), and ours."""
NEIGHBOUR = re.compile(r"([^\W\d_]+)[ '’-]$")
NEXT = re.compile(r"[ '’-](?!s\b)([^\W\d_]+)")
CAPITALISED = re.compile(r"(?<![\w-])[^\W\d_a-zà-öø-ÿ][^\W\d_]+(?![\w-])")


def with_exonyms(sentence: str, source: str, translation: Translation) -> Translation:
    """`translation` of `sentence`, in the language `source` with its own names for places that were copied."""
    names = _names(source)
    found = (match for match in CAPITALISED.finditer(sentence) if match.group() in names)
    copied = {match.group() for match in found if not _is_of_a_person(sentence, match)}
    if not copied or not any(name in translation.text for name in copied):
        return translation

    def called(text: str) -> str:
        return CAPITALISED.sub(lambda match: names[match.group()] if match.group() in copied else match.group(), text)

    return with_each(translation, called)


def _is_of_a_person(sentence: str, match: re.Match[str]) -> bool:
    """Whether another name stands beside it: *Jack London* is no town."""
    before, after = NEIGHBOUR.search(sentence, 0, match.start()), NEXT.match(sentence, match.end())
    words = [found[1] for found in (before, after) if found is not None]
    return any(word[0].isupper() and word.lower() not in FUNCTION_WORDS for word in words)


@functools.cache
def _names(source: str) -> Mapping[str, str]:
    """The names of the other language, by those of `source`."""
    lines = [line for table in TABLES for line in table.read_text(encoding="utf-8").splitlines()]
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    if source == "it":
        return {italian: english for italian, english, *_ in rows}
    return {english: italian for italian, english, *only in rows if only != ["it"]}
