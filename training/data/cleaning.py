"""What a usable pair is: tidied, of bearable length, translated, and each side in its own language."""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from model.config import JsonConfig, require

Pair = tuple[str, str]
"""Italian and English."""


@dataclass(frozen=True)
class CleanConfig(JsonConfig):
    """The limits; lengths in characters or words after `tidy`."""

    max_chars: int = 600
    max_words: int = 100
    max_ratio: float = 3.0
    """Longer side in characters against the shorter, once the longer has `ratio_from_chars`."""
    ratio_from_chars: int = 30
    identical_words: int = 4
    """Identical sides of at least so many words were not translated; shorter ones are names and terms (measured)."""
    wrong_language: bool = True
    same_numbers: bool = False
    """Drop pairs whose digits differ. Off: in good data they differ for a reason (`alle tre` -> `at 3 o'clock`)."""

    def __post_init__(self) -> None:
        for name in ("max_chars", "max_words", "max_ratio", "identical_words"):
            require(getattr(self, name) >= 1, f"{name} must be at least 1, not {getattr(self, name)}")


DEFAULT_CLEAN = CleanConfig()

STEPS = (
    "empty", "too long", "ratio", "identical", "wrong language", "numbers", "duplicate", "held out", "filter", "noisy",
    "dev",
)  # fmt: skip
"""What may take a pair from training; `dev` are those held out to choose the best checkpoint with."""


@dataclass
class Counts:
    """How many pairs of one file came in, what each step took, and what was kept."""

    read: int = 0
    kept: int = 0
    dropped: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STEPS, 0))

    def drop(self, step: str) -> None:
        """One pair less."""
        self.dropped[step] += 1

    def to_dict(self) -> dict[str, int]:
        """As JSON, steps that took nothing left out."""
        return {"read": self.read, **{step: count for step, count in self.dropped.items() if count}, "kept": self.kept}


def clean(pairs: Iterable[Pair], counts: Counts, config: CleanConfig = DEFAULT_CLEAN) -> Iterator[Pair]:
    """The usable ones of `pairs`, tidied; `counts` is filled in, but for `kept`, which later steps lower."""
    for italian, english in pairs:
        counts.read += 1
        pair = tidy(italian), tidy(english)
        problem = problem_of(pair, config)
        if problem:
            counts.drop(problem)
        else:
            yield pair


INVISIBLE = re.compile(
    "[\u0000-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f"  # control characters that are no white space
    "\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
"""Also soft hyphens, zero-width spaces, direction marks and lone surrogates; joiners stay, for emoji need them."""


ENTITY = re.compile(r"&(?:#\d{2,7}|#x[0-9a-fA-F]{2,6}|[a-zA-Z]{2,8});")


def tidy(text: str) -> str:
    """NFC, HTML entities resolved, without control and invisible characters, white space collapsed."""
    if "&" in text:
        text = ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    if text.isascii() and text.isprintable():
        return " ".join(text.split())  # most lines of English: nothing to fold or remove
    return " ".join(INVISIBLE.sub("", unicodedata.normalize("NFC", text)).split())


def problem_of(pair: Pair, config: CleanConfig = DEFAULT_CLEAN) -> str:
    """The step that drops a tidied pair, or an empty string."""
    italian, english = pair
    if not _has_letter(italian) or not _has_letter(english):
        return "empty"
    shorter, longer = sorted((len(italian), len(english)))
    words = max(italian.count(" "), english.count(" ")) + 1
    if longer > config.max_chars or words > config.max_words:
        return "too long"
    if longer >= config.ratio_from_chars and longer > config.max_ratio * shorter:
        return "ratio"
    if words >= config.identical_words and italian.casefold() == english.casefold():
        return "identical"
    if config.wrong_language and (looks_like("en", italian) or looks_like("it", english)):
        return "wrong language"
    return "numbers" if config.same_numbers and numbers(italian) != numbers(english) else ""


def _has_letter(text: str) -> bool:
    return any(map(str.isalpha, text))


def numbers(text: str) -> Counter[str]:
    """The runs of digits of `text`, without the marks that group them: 1.000,5 and 1,000.5 are the same."""
    return Counter(re.findall(r"\d+", text))


WORD = re.compile(r"[^\W\d_]+")

# Frequent words that the other language does not have, or hardly.
ITALIAN = """
il lo la gli le un uno una di del dello della dei degli delle al allo alla ai agli alle dal dalla dai nel nella
nei nelle sul sulla sui sulle che chi cui è sono siamo era erano non per con da mi ti si ho hai ha abbiamo hanno
aveva avevo essere stato stata avere questo questa questi queste quello quella anche più molto molta molti e ed
se ma perché quando dove cosa mio mia tuo tua suo sua loro noi voi io tu lui lei fare fatto può possono deve
devo viene ogni tutti tutto qui già ancora sempre mai così senza
"""
ENGLISH = """
the of and to is are was were be been being you he she it they we this that these those with for from not have
has had will would can could should what when where which who your my his her their our its at by on if as or
but there do does did don didn an about into more than how why because all any some very just only then them
him us
"""
FUNCTION_WORDS = {"it": frozenset(ITALIAN.split()), "en": frozenset(ENGLISH.split())}


def looks_like(language: Literal["it", "en"], text: str) -> bool:
    """Whether the function words of `text` speak clearly for `language`, and hardly for the other.

    Each word counts once, and none in capitals (`OR`, `US`). Clear are two that make up a third of the text and none of
    the other language; or three, and more than four for each of the other language. docs/data.md has how often that is
    right. A false alarm costs a good pair, while a wrong pair among hundreds of thousands costs little.
    """
    found = WORD.findall(text)
    words = {word.lower() for word in found if len(word) == 1 or not word.isupper()}
    for_it = len(words & FUNCTION_WORDS[language])
    if for_it < 2:
        return False
    against = len(words & FUNCTION_WORDS["en" if language == "it" else "it"])
    return (not against and 3 * for_it >= len(found)) or (for_it >= 3 and for_it > 4 * against)
