"""Places that the other language calls otherwise: *Varsavia* is *Warsaw*, also where the network copied it."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from model.translation import Translation

TABLE = Path(__file__).with_name("exonyms.tsv")
"""Italian and English names, from CLDR: see `scripts/exonyms.py`."""
CAPITALISED = re.compile(r"(?<![\w-])[^\W\d_a-zà-öø-ÿ][^\W\d_]+(?![\w-])")


def with_exonyms(sentence: str, source: str, translation: Translation) -> Translation:
    """`translation` of `sentence`, in the language `source` with its own names for places that were copied."""
    names = _names(source)
    copied = {name for name in CAPITALISED.findall(sentence) if name in names}
    if not copied or not any(name in translation.text for name in copied):
        return translation

    def called(text: str) -> str:
        return CAPITALISED.sub(lambda match: names[match.group()] if match.group() in copied else match.group(), text)

    words = tuple(replace(word, text=called(word.text)) for word in translation.words)
    others = tuple(with_exonyms(sentence, source, other) for other in translation.alternatives)
    return replace(translation, text=called(translation.text), words=words, alternatives=others)


@functools.cache
def _names(source: str) -> Mapping[str, str]:
    """The names of the other language, by those of `source`."""
    rows = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {row[0]: row[1] for row in rows} if source == "it" else {row[1]: row[0] for row in rows}
