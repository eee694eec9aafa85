"""Translations as tests want them, and sentences of documents as people can read them."""

from __future__ import annotations

from model.translation import Translation, Word

FIRST_SIGN = "\U000f0000"
"""From here on characters are signs of tags."""


def said(text: str, score: float = -0.5) -> Translation:
    """`text`, each word of which renders the one at its place."""
    return Translation(text, score, tuple(Word(word, 0.5, (at,)) for at, word in enumerate(text.split())))


def with_hashes(sentence: str) -> str:
    """`sentence` with a `#` for each sign of a tag."""
    return "".join("#" if char >= FIRST_SIGN else char for char in sentence)
