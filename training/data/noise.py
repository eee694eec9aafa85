"""Careless typing, as users do it: disturbed sources for training, and disturbed copies of a test set.

`perche lei e bella` is what a real user types. What is said stays the same, so the target stays the same too. Only ALL
CAPS changes both sides: who shouts is answered in capitals, and a target in normal case would teach the model to guess
the case of words whose case it cannot see.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields

from model.config import JsonConfig, require
from model.text.tokenizer import PLACEHOLDERS
from training.data.chat import as_in_chats

KEYBOARD = ("qwertyuiopè+", "asdfghjklòàù", "zxcvbnm,.-")
"""The letter rows of an Italian keyboard; its letters stand where an English one has them."""
NEIGHBOURS = {
    row[index]: [key for key in row[max(0, index - 1) : index] + row[index + 1 : index + 2] if key.isalpha()]
    for row in KEYBOARD
    for index in range(len(row))
    if row[index].isalpha()
}
"""The letters beside each letter."""
TYPO_LETTERS = 4
"""Shortest word that gets a typo: one in `di` or `la` makes another word of it."""


@dataclass(frozen=True)
class NoiseConfig(JsonConfig):
    """Probabilities at strength 1, each tried on its own unless said otherwise."""

    accents_dropped: float = 0.07
    """`perché` -> `perche`; or else:"""
    accents_as_apostrophes: float = 0.02
    """`perché` -> `perche'`"""
    lower_case: float = 0.06
    caps: float = 0.02
    """Both sides in capitals; not together with lower case."""
    no_final_punctuation: float = 0.05
    """Of the source only: the model then chooses between `.` and `?` as its data do."""
    typo: float = 0.04
    other_apostrophes: float = 0.02
    """`l'ora` -> `l’ora`, or back."""
    chat: float = 0.04
    """`perché non` -> `xke nn`, `don't you` -> `dont u`: half of the words that have a short form."""
    placeholder: float = 0.005
    """Of all pairs, the same at every strength but 0: see `insert_placeholders`."""

    def __post_init__(self) -> None:
        for field in fields(self):
            require(0 <= getattr(self, field.name) <= 1, f"noise.{field.name} must be between 0 and 1")
        require(self.accents_dropped + self.accents_as_apostrophes <= 1, "noise.accents_* sum to more than 1")
        require(self.lower_case + self.caps <= 1, "noise.lower_case and noise.caps sum to more than 1")


DEFAULT_NOISE = NoiseConfig()


def drop_accents(text: str) -> str:
    """`è già là` -> `e gia la`; what would leave nothing stays."""
    bare = (char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))
    return unicodedata.normalize("NFC", "".join(bare)) or text


FINAL_ACCENT = re.compile("([aeiouAEIOU])[\u0300\u0301](?!\\w)")


def accents_as_apostrophes(text: str) -> str:
    """`è già là` -> `e' gia' la'`, as people without accents on their keyboard write; inside words they go."""
    return drop_accents(FINAL_ACCENT.sub(r"\1'", unicodedata.normalize("NFD", text)))


def drop_final_punctuation(text: str) -> str:
    """`Vieni?` -> `Vieni`; what would leave nothing stays."""
    return text.rstrip(" .!?…") or text


def swap_apostrophes(text: str) -> str:
    """Straight apostrophes become curly; where there are none, curly ones become straight."""
    return text.replace("'", "’") if "'" in text else text.replace("’", "'")


def make_typo(text: str, rng: random.Random, spared: Collection[str] = ()) -> str:
    """One slip inside a word: two letters swapped, one left out, doubled, or a neighbouring key hit.

    The first letter of a word stays; so do short words, placeholders, words in capitals and those in `spared`.
    """
    words = [match for match in re.finditer(r"<ph\d>|[^\W\d_]+", text) if _may_slip(match[0], spared)]
    if not words:
        return text
    word = rng.choice(words)
    at = rng.randrange(word.start() + 1, word.end() - 1)
    before, char, after = text[:at], text[at], text[at + 1 :]
    beside = rng.choice(NEIGHBOURS.get(char.lower(), [char]))
    if char.isupper():
        beside = beside.upper()
    slips = (after[0] + char + after[1:], after, char + char + after, beside + after)
    return before + rng.choice(slips)


def _may_slip(word: str, spared: Collection[str]) -> bool:
    return len(word) >= TYPO_LETTERS and not word.startswith("<") and not word.isupper() and word not in spared


def disturb(
    source: str, target: str, rng: random.Random, strength: float = 1.0, config: NoiseConfig = DEFAULT_NOISE
) -> tuple[str, str]:
    """What a training step sees of the pair.

    Every probability of `config` is multiplied by `strength`; 0 changes nothing. The result depends on the arguments
    and the state of `rng` alone.
    """
    if not strength:
        return source, target
    if rng.random() < config.placeholder:
        source, target = insert_placeholders(source, target, rng) or (source, target)
    if rng.random() < config.chat * strength:
        source = as_in_chats(source, rng, _words(target))
    source = _disturb_accents(source, rng, strength, config)
    source, target = _disturb_case(source, target, rng, strength, config)
    if rng.random() < config.no_final_punctuation * strength:
        source = drop_final_punctuation(source)
    if rng.random() < config.typo * strength:
        source = make_typo(source, rng, _words(target))
    if rng.random() < config.other_apostrophes * strength:
        source = swap_apostrophes(source)
    return source, target


def _disturb_accents(source: str, rng: random.Random, strength: float, config: NoiseConfig) -> str:
    draw = rng.random() / strength
    if draw < config.accents_dropped:
        return drop_accents(source)
    return accents_as_apostrophes(source) if draw < config.accents_dropped + config.accents_as_apostrophes else source


def _disturb_case(
    source: str, target: str, rng: random.Random, strength: float, config: NoiseConfig
) -> tuple[str, str]:
    draw = rng.random() / strength
    if draw < config.lower_case:
        return source.lower(), target
    if draw < config.lower_case + config.caps and not _has_placeholder(source):
        return source.upper(), target.upper()
    return source, target


def _has_placeholder(text: str) -> bool:
    return any(mark in text for mark in PLACEHOLDERS)


SPAN = re.compile(
    r"https?://[^\s<>]*[\w/]|www\.[^\s<>]*\w"  # addresses
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"  # mail
    r"|\d+(?:[.,:/]\d+)*"  # numbers, times, dates
    r"|[^\W_]+(?:[-_.'][^\W_]+)*"  # words
)
LONG_WORD = 5
"""A shared word of so many letters is a name or a term; shorter ones (`no`, `come`) are often two words."""


def insert_placeholders(source: str, target: str, rng: random.Random) -> tuple[str, str] | None:
    """Replace up to three spans that stand once on both sides (names, numbers, addresses) by placeholders.

    The same on both, so that the model learns to carry `<ph3>` across and to put it in the right place. Where there is
    no such span, a placeholder is set before or behind both sides. None for an empty side, and where one is already.
    """
    if not source or not target or _has_placeholder(source) or _has_placeholder(target):
        return None
    marks = list(rng.sample(PLACEHOLDERS, 3))
    shared = _shared_spans(source, target)
    if not shared:
        before = rng.random() < 0.5
        return _beside(source, marks[0], before), _beside(target, marks[0], before)
    chosen = rng.sample(shared, min(len(shared), rng.choice((1, 1, 1, 2, 3))))
    names = dict(zip(chosen, marks, strict=False))
    return _with_names(source, names), _with_names(target, names)


def _beside(text: str, mark: str, before: bool) -> str:
    return f"{mark} {text}" if before else f"{text} {mark}"


def _with_names(text: str, names: dict[str, str]) -> str:
    return SPAN.sub(lambda found: names.get(found[0], found[0]), text)


def _words(text: str) -> set[str]:
    return set(SPAN.findall(text))


def _shared_spans(source: str, target: str) -> list[str]:
    """Spans that stand exactly once on each side and hardly mean something else on the other."""
    ours, theirs = SPAN.findall(source), SPAN.findall(target)
    once = (span for span in dict.fromkeys(ours) if ours.count(span) == theirs.count(span) == 1)
    return [span for span in once if _is_name(span)]


def _is_name(span: str) -> bool:
    """A number or an address, a capitalised word, or a long one that is the same in both languages."""
    if len(span) < 2:
        return span.isdigit()
    return not span.isalpha() or len(span) >= (3 if span[0].isupper() else LONG_WORD)


def _every_typo(text: str) -> str:
    """One typo a sentence, always the same one."""
    return make_typo(text, random.Random(text))


COPIES: dict[str, Callable[[str], str]] = {
    "accents dropped": drop_accents,
    "apostrophes for accents": accents_as_apostrophes,
    "lower case": str.lower,
    "capitals": str.upper,
    "no punctuation": drop_final_punctuation,
    "as in chats": as_in_chats,
    "typos": _every_typo,
}
"""Disturbed copies of a test set by name; each is a pure function of the sentence. Score `capitals` without case."""
