"""Pairs of tags in a plain text, such as a string of a program: they become signs, as those of HTML are.

    Leggi <b>qui</b> o <0>altrove</0>.  ->  Leggi ⟨0⟩qui⟨1⟩ o ⟨2⟩altrove⟨3⟩.

With placeholders for them the network hardly translates the words between.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from model.markup.tags import FIRST_SIGN, SIGN
from model.text.kept.spans import TAG
from model.translation import Translation

NAMED_TAG = re.compile(TAG)
NAME = re.compile(r"[\w:-]+")
MOST_TAGS = 100
"""Of a sentence with more nothing is taken for a pair."""


def with_signs(sentence: str) -> tuple[str, Sequence[str]] | None:
    """`sentence` with a sign for each tag of a pair, and what the signs stand for; None if it has no pair."""
    if "</" not in sentence or SIGN.search(sentence):
        return None
    tags = list(NAMED_TAG.finditer(sentence))
    pairs = _pairs(tags) if len(tags) <= MOST_TAGS else []
    if not pairs:
        return None
    meant: list[str] = []
    signs: dict[int, str] = {}
    for first, last in pairs:
        for index in (first, last):
            signs[index] = chr(FIRST_SIGN + len(meant))
            meant.append(tags[index].group())
    text, done = "", 0
    for index in sorted(signs):
        text += sentence[done : tags[index].start()] + signs[index]
        done = tags[index].end()
    return text + sentence[done:], meant


def without_signs(translation: Translation, meant: Sequence[str]) -> Translation:
    """`translation` with what its signs stand for."""

    def back(text: str) -> str:
        return SIGN.sub(lambda match: meant[ord(match.group()) - FIRST_SIGN], text)

    words = tuple(replace(word, text=back(word.text)) for word in translation.words)
    others = tuple(without_signs(other, meant) for other in translation.alternatives)
    return replace(translation, text=back(translation.text), words=words, alternatives=others)


def _pairs(tags: Sequence[re.Match[str]]) -> list[tuple[int, int]]:
    """Which start and end tags belong together, as indexes in `tags`."""
    pairs: list[tuple[int, int]] = []
    open_: list[tuple[str, int]] = []
    for index, tag in enumerate(tags):
        match = NAME.search(tag.group())
        name = match.group() if match else ""
        if tag.group().startswith("</"):
            place = next((row for row in range(len(open_) - 1, -1, -1) if open_[row][0] == name), None)
            if place is not None:
                pairs.append((open_[place][1], index))
                del open_[place:]
        elif not tag.group().endswith("/>"):
            open_.append((name, index))
    return pairs
