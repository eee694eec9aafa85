"""Pairs for training: the door to reading and cleaning, duplicates, and the split that cannot leak.

Everything here speaks of (Italian, English), whatever direction is trained later.
"""

from __future__ import annotations

import functools
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator

from model.text.tokenizer import normalise_2018
from training.data.cleaning import DEFAULT_CLEAN, STEPS, CleanConfig, Counts, Pair, clean, looks_like, tidy
from training.data.corpus import SUFFIXES, Layout, detect_layout, read_pairs

__all__ = [
    "DEFAULT_CLEAN", "STEPS", "SUFFIXES", "CleanConfig", "Counts", "Layout", "Pair", "choose_held_out", "clean",
    "deduplicate", "detect_layout", "fingerprint", "held_out_keys", "hold_out", "is_held_out", "looks_like",
    "normalise_key", "only_2018", "read_pairs", "tidy", "without_held_out",
]  # fmt: skip


@functools.lru_cache(maxsize=16)  # one step of cleaning after the other asks of the same sentence
def normalise_key(text: str) -> str:
    """What two spellings of one sentence have in common: NFKC, case folded, punctuation and white space folded."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(re.findall(r"\w+", folded)) or folded.strip()


def fingerprint(key: str) -> int:
    """A number of 64 bits that depends on `key` alone."""
    return int.from_bytes(hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=8).digest())


def is_held_out(key: str, per_mille: float) -> bool:
    """Whether a normalised sentence is held out: by its hash alone, so the answer never changes when data grows.

    `per_mille` counts in thousandths of one; what a smaller one holds out, a larger one does too.
    """
    number = fingerprint(key)
    return number % 1000 + number // 1000 % 1000 / 1000 < per_mille


def deduplicate(pairs: Iterable[Pair], seen: set[Pair], counts: Counts) -> Iterator[Pair]:
    """Each pair once, compared by `normalise_key` of both sides; `seen` goes on from file to file."""
    for italian, english in pairs:
        key = normalise_key(italian), normalise_key(english)
        if key in seen:
            counts.drop("duplicate")
        else:
            seen.add(key)
            yield italian, english


def without_held_out(pairs: Iterable[Pair], keys: tuple[set[str], set[str]], counts: Counts) -> Iterator[Pair]:
    """The pairs that share neither side with a held-out one; `keys` are the held-out Italian and English ones."""
    for italian, english in pairs:
        if normalise_key(italian) in keys[0] or normalise_key(english) in keys[1]:
            counts.drop("held out")
        else:
            yield italian, english


def choose_held_out(pairs: Iterable[Pair], per_mille: float) -> tuple[list[Pair], list[Pair]]:
    """The pairs of which neither side is held out by its hash, and those of which one is."""
    rest: list[Pair] = []
    held: list[Pair] = []
    for pair in pairs:
        chosen = any(is_held_out(normalise_key(side), per_mille) for side in pair)
        (held if chosen else rest).append(pair)
    return rest, held


def hold_out(pairs: Iterable[Pair], per_mille: float) -> tuple[list[Pair], list[Pair]]:
    """Split into training and held-out pairs so that no sentence of either language is in both.

    A pair is held out if the hash of either side says so, about `2 * per_mille` thousandths; training pairs that share
    a sentence with one that is held out are dropped. When data is added, what was held out stays so, and a sentence
    whose own hash says so is in no training set, of whatever data. The other side of a new held-out pair may have been
    trained on before that pair came, so compare models of different data on what the first of them held out.
    """
    rest, held = choose_held_out(pairs, per_mille)
    return list(without_held_out(rest, held_out_keys(held), Counts())), held


def held_out_keys(pairs: Iterable[Pair]) -> tuple[set[str], set[str]]:
    """The normalised Italian and English sentences of `pairs`."""
    italian: set[str] = set()
    english: set[str] = set()
    for pair in pairs:
        italian.add(normalise_key(pair[0]))
        english.add(normalise_key(pair[1]))
    return italian, english


SIX_PREFIXES = ("i am ", "he is", "she is", "you are", "we are", "they are")
MAX_WORDS_2018 = 10


def only_2018(pairs: Iterable[Pair], counts: Counts) -> Iterator[Pair]:
    """The 2018 filter: both sides under ten words once normalised, and the English begins with one of six prefixes."""
    for italian, english in pairs:
        sides = normalise_2018(italian), normalise_2018(english)
        if all(len(side.split()) < MAX_WORDS_2018 for side in sides) and sides[1].startswith(SIX_PREFIXES):
            yield italian, english
        else:
            counts.drop("filter")
