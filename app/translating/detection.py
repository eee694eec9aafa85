"""Which of the two served languages a text is in, if any. Thresholds and measurements: docs/decisions/0003."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lingua import LanguageDetector

READ_CHARS = 4000
"""Of a longer text only the beginning is looked at."""
MAX_CHARS = 500
"""What the library gets of it, without addresses: it needs 0.3 us a character and is sure long before."""
ITALIAN_FROM = 0.55
"""The library's share for Italian above which a text is called Italian: it favours Italian on single English words."""
STRANGER_WORDS = 4
"""Texts of fewer words are never said to be in another language: names and cognates would be."""
STRANGER_PAIR = 0.98
"""Nor are those that the two-language model is surer of than this."""
STRANGER_FROM = 0.99
"""What the languages of `STRANGERS` together must have of the many-language model's share."""
STRANGERS = ["FRENCH", "SPANISH", "PORTUGUESE", "GERMAN", "DUTCH", "ROMANIAN", "SWEDISH", "POLISH", "TURKISH"]
"""The neighbours in Latin script; other scripts need no model."""

ITALIAN_WORDS = (
    "il gli uno una di del dello della dei degli delle allo alla agli alle dal dalla dalle nel nello nella nei"
    " nelle sul sulla con tra fra che chi non è sono sei siamo siete ho hai abbiamo avete hanno mi ti ci lui"
    " lei noi voi loro io tu questo questa questi quello quella quando dove perché perche anche molto più sì"
    " grazie ciao bene già ecco cosa sto stai stiamo vado vai andiamo vieni voglio vuoi posso puoi devo mio mia"
    " tuo tua suo sua nostro un ma lo si"
)
ENGLISH_WORDS = (
    "the of and is are am was were be been have has had does did don't doesn't didn't isn't can't i'm i've"
    " i'll you're it's that's what's let's my your his her our their you he she we they it this that these"
    " those what where when why how who which with from for at by to will would can could should not there here"
    " very please thanks thank yes hello but if an on like"
)
"""Everyday words of one language that the other does not have: they show what the library misses in a few words."""
KNOWN = dict.fromkeys(ITALIAN_WORDS.split(), 1) | dict.fromkeys(ENGLISH_WORDS.split(), -1)
ELISION = re.compile(
    r"(?<!\w)(?:l|un|dell|all|nell|sull|dall|c|d|quest|quell|cos|dov|com|sant)['’](?=\w)", re.IGNORECASE
)
"""Of Italian."""
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
WORD_ODDS = 12.0
"""By how much the odds move for each such word more than the other language has."""
MOST_WORDS = 3
STRANGE_LETTER = re.compile("[^\\W\\d_a-zà-öø-ÿ]")
"""A small letter that neither language writes, not in borrowed words either."""


@dataclass(frozen=True, slots=True)
class Detection:
    """A guess: `it`, `en`, or None where the text is in neither language or does not show it.

    Confidence is between 0.5 and 1 for a language, 0 for None. Of the corpus's lines guessed with less than 0.8, 21 %
    were wrong where they have one or two words (457 of 2,165), 6 % where they have four or more (13 of 224).
    """

    language: str | None
    confidence: float
    looks_like: str | None = None
    """The other language that a text in neither seems to be in, as ISO 639-1 names it, where that is known."""

    @property
    def nearest(self) -> str | None:
        """The language that it is in, or else seems to be in."""
        return self.language or self.looks_like


NEITHER = Detection(None, 0.0)
Detect = Callable[[str], Detection]


class Detector:
    """Tells Italian from English with `lingua`. Safe to share between threads; loads (0.3 s, 30 MiB) at first use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._models: tuple[LanguageDetector, LanguageDetector] | None = None

    def detect(self, text: str) -> Detection:
        """The language of `text`. No text is refused, not even with lone surrogates."""
        clean = _readable(text)
        if not any(map(str.isalpha, clean)):
            return NEITHER
        pair, many = self._loaded()
        shares = {value.language.name: value.value for value in pair.compute_language_confidence_values(clean)}
        italian, english = shares["ITALIAN"], shares["ENGLISH"]
        if italian + english == 0.0:  # another script
            return NEITHER
        if max(italian, english) < STRANGER_PAIR and (stranger := _stranger(clean, many)):
            return Detection(None, 0.0, stranger)
        evidence = _evidence(clean)
        if not evidence and len(clean.split()) < STRANGER_WORDS and _is_strange(clean):
            return NEITHER
        italian = _shifted(italian, evidence)
        return Detection("it", italian) if italian > 0.5 else Detection("en", 1 - italian)

    def _loaded(self) -> tuple[LanguageDetector, LanguageDetector]:
        with self._lock:
            if self._models is None:
                self._models = _load()
            return self._models


def _readable(text: str) -> str:
    """The beginning of `text` without web and mail addresses and lone surrogates."""
    words = text[:READ_CHARS].encode("utf-8", "ignore").decode("utf-8").split()
    return " ".join(word for word in words if not ("://" in word or "@" in word or word.startswith("www.")))[:MAX_CHARS]


def _stranger(text: str, many: LanguageDetector) -> str | None:
    """The other language that `text` is in, if it is long enough to say so: the likeliest of them."""
    if len(text.split(maxsplit=STRANGER_WORDS)) < STRANGER_WORDS:
        return None
    strangers = [one for one in many.compute_language_confidence_values(text) if one.language.name in STRANGERS]
    if sum(one.value for one in strangers) <= STRANGER_FROM:
        return None
    likeliest = max(strangers, key=lambda one: one.value)
    return str(likeliest.language.iso_code_639_1.name).lower()


def _evidence(text: str) -> int:
    """How many everyday words more `text` has of Italian (above 0) or English (below); at most `MOST_WORDS`."""
    lowered = text.lower().replace("’", "'")
    words = sum(KNOWN.get(word, 0) for word in WORD.findall(lowered))
    return max(-MOST_WORDS, min(MOST_WORDS, words + len(ELISION.findall(lowered))))


def _is_strange(text: str) -> bool:
    """Whether a word of `text` that is no name has a letter that neither language writes."""
    words = WORD.findall(text)
    return any(STRANGE_LETTER.search(word.lower()) and (word[0].islower() or word == words[0]) for word in words)


def _shifted(italian: float, evidence: int) -> float:
    """The share for Italian, its odds divided by those of the threshold, so that the threshold becomes 0.5."""
    odds = (1 - ITALIAN_FROM) / ITALIAN_FROM * WORD_ODDS**evidence
    return italian * odds / (italian * odds + 1 - italian)


def _load() -> tuple[LanguageDetector, LanguageDetector]:
    """The model of the two languages, and a small one of many."""
    from lingua import Language, LanguageDetectorBuilder

    served = (Language.ITALIAN, Language.ENGLISH)
    strangers = (getattr(Language, name) for name in STRANGERS)
    many = LanguageDetectorBuilder.from_languages(*served, *strangers).with_low_accuracy_mode()
    return LanguageDetectorBuilder.from_languages(*served).build(), many.build()


@functools.cache
def _shared() -> Detector:
    return Detector()


def detect(text: str) -> Detection:
    """`Detector.detect`, for callers that were given no detector."""
    return _shared().detect(text)
