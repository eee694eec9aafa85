"""Does a version translate at all? A few everyday sentences, before anybody else's are given to it.

This finds what hashes cannot: weights that overflow in the number format of this machine, training that ended in one
sentence for everything. It does not judge quality: evaluation and the gate do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from model.config import SearchConfig
from model.errors import ModelError, SelfTestFailed
from model.translation import Translation

ITALIAN = (
    "Ciao, come stai?", "Oggi fa molto freddo.", "Vorrei un bicchiere d'acqua, per favore.",
    "Mia sorella abita a Torino.", "Il treno parte alle otto.", "Non ho capito la domanda.",
    "Dove hai messo le chiavi?", "Sono stanco ma felice.", "Lei è una brava insegnante.",
    "Domani andiamo al mare con i bambini.", "Questo libro è più interessante dell'altro.",
    "Chiudi la porta quando esci.",
)  # fmt: skip
ENGLISH = (
    "Hello, how are you?", "It is very cold today.", "I would like a glass of water, please.",
    "My sister lives in Turin.", "The train leaves at eight.", "I did not understand the question.",
    "Where did you put the keys?", "I am tired but happy.", "She is a good teacher.",
    "We are going to the sea with the children tomorrow.", "This book is more interesting than the other one.",
    "Close the door when you leave.",
)  # fmt: skip
SENTENCES = {"it": ITALIAN, "en": ENGLISH}
MAX_TRUNCATED, MIN_DIFFERENT = 6, 6
"""Of the twelve. The shipped versions, the 2018 ones included, cut none and give twelve different translations."""


class Testable(Protocol):
    """What is needed of a translator."""

    @property
    def pair(self) -> str: ...
    @property
    def version(self) -> str: ...
    def translate(self, texts: Sequence[str], search: SearchConfig = ..., /) -> Sequence[Translation]: ...


def self_test(translator: Testable) -> None:
    """Return if the translator gives usable translations of everyday sentences.

    Raises:
        SelfTestFailed: says what is wrong with them.
    """
    name = f"{translator.pair}/{translator.version}"
    sentences = SENTENCES.get(translator.pair.partition("-")[0], ITALIAN)
    try:
        found = translator.translate(sentences, SearchConfig(retry=False))
    except (ModelError, RuntimeError, ValueError, IndexError) as error:  # of the network, the library, the tokenizer
        raise SelfTestFailed(f"{name} failed its self-test: {error}") from error
    problem = _problem(found, len(sentences))
    if problem is not None:
        raise SelfTestFailed(f"{name} failed its self-test: {problem}")


def _problem(found: Sequence[Translation], wanted: int) -> str | None:
    """What is wrong with the translations of `wanted` sentences, or None."""
    if len(found) != wanted:
        return f"{wanted} sentences gave {len(found)} translations"
    if empty := sum(not one.text.strip() for one in found):
        return f"{empty} of {wanted} translations are empty"
    if wild := sum(not math.isfinite(one.score) for one in found):
        return f"{wild} of {wanted} translations have a score that is not a number"
    if (cut := sum(one.truncated for one in found)) > MAX_TRUNCATED:
        return f"{cut} of {wanted} translations do not come to an end"
    if (different := len({one.text for one in found})) < MIN_DIFFERENT:
        return f"{wanted} different sentences gave only {different} different translations"
    return None
