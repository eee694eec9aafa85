"""Numbers in words become digits on both sides: `tre gatti`, `three cats` -> `3 gatti`, `3 cats`."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from itertools import groupby

from model.text.numerals import SMALL, TENS, italian_word
from training.data.cleaning import Pair

LAST = 100
A_HUNDRED = r"a hundred(?= \w+s\b| people\b)"
"""Not `a hundred dollar bill`, whose article belongs to the bill."""
NOT_BEHIND = {"it": r"(?<!\buno o )(?<!\buna o )", "en": r"(?<!\bone or )"}
NOT_BEFORE = {
    "it": r"(?![\w-]| (?:e mezz|mila\b|milion|miliard))",
    "en": r"(?![\w-]| (?:and a half|hundred|thousand|million|billion|of (?:us|them|you)\b))",
}


def in_digits(pair: Pair) -> Pair:
    """The pair with digits for the numbers 2 to 100; itself where there are none, or those of the sides differ.

    Italian `sei` may be `you are`, so only what English has too is looked at.
    """
    english, italian = _values("en"), _values("it")
    values = [english[word.lower()] for word in _pattern("en").findall(pair[1])]
    if not values:
        return pair
    wanted = set(values)
    ours = [value for word in _pattern("it").findall(pair[0]) if (value := italian[word.lower()]) in wanted]
    if sorted(ours) != sorted(values):
        return pair
    return _pattern("it").sub(lambda word: _digits(word[0], italian, wanted), pair[0]), _pattern("en").sub(
        lambda word: _digits(word[0], english, wanted), pair[1]
    )


def _digits(word: str, values: dict[str, str], wanted: set[str]) -> str:
    value = values[word.lower()]
    return value if value in wanted else word


@functools.cache
def _values(language: str) -> dict[str, str]:
    """Word -> digits, from 2 on, for 1 is an article too."""
    if language == "it":
        return {italian_word(value): str(value) for value in range(2, LAST + 1)}
    small, tens = SMALL["en"].split(), TENS["en"].split()
    values = {word: str(value) for value, word in enumerate(small) if value > 1}
    for ten, word in enumerate(tens[:-1], 2):
        values[word] = str(10 * ten)
        values |= {f"{word}-{small[unit]}": str(10 * ten + unit) for unit in range(1, 10)}
    return values | {"a hundred": "100", "one hundred": "100"}


@functools.cache
def _pattern(language: str) -> re.Pattern[str]:
    """Finds the words whole, small or capitalised; grouped by their first letter, which is several times faster."""
    words = sorted(_values(language), key=lambda word: (word[0], -len(word)))
    groups = (_group(first, group) for first, group in groupby(words, key=lambda word: word[0]))
    either = "|".join(groups).replace(" hundred", A_HUNDRED[1:], 1)
    return re.compile(rf"(?<![\w-]){NOT_BEHIND[language]}(?:{either}){NOT_BEFORE[language]}")


def _group(first: str, words: Iterable[str]) -> str:
    return f"[{first}{first.upper()}](?:{'|'.join(word[1:] for word in words)})"
