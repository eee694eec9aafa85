"""Other cities for cities, and other countries for those that the same articles and prepositions go with in Italian."""

from __future__ import annotations

import functools
import random
import re
from typing import NamedTuple

from training.data.augment.lists import CITIES, COUNTRIES, people
from training.data.cleaning import Pair

D_WANTED = re.compile(r"\b([Aa](?= [AÀ][a-zà-ÿ])|[Ee](?= [EÉ][a-zà-ÿ])) ")
D_UNWANTED = re.compile(r"\b([AaEe])d (?=[B-DF-HJ-NP-TV-Z])")
FIRST_WORD = re.compile(r"\b[A-Z]\w+")


class Place(NamedTuple):
    """Its name in both languages, and the number of its class."""

    italian: str
    english: str
    kind: int


@functools.cache
def _classes() -> tuple[tuple[Place, ...], ...]:
    """Cities first, then the classes of countries."""
    return tuple(
        tuple(
            Place(italian, english or italian, kind)
            for italian, _, english in (entry.strip().partition("/") for entry in " ".join(text.split()).split(","))
        )
        for kind, text in enumerate((CITIES, *COUNTRIES))
    )


@functools.cache
def place_words() -> dict[str, tuple[Place, ...]]:
    """First word of the English name -> the places that begin so."""
    found: dict[str, tuple[Place, ...]] = {}
    for place in (place for places in _classes() for place in places):
        word = place.english.split()[0]
        found[word] = (*found.get(word, ()), place)
    return found


@functools.cache
def _sources() -> dict[str, tuple[Place, ...]]:
    """`place_words` without first names of people, such as `Sofia`."""
    firsts = {*people()["male"], *people()["female"]}
    return {word: places for word, places in place_words().items() if word not in firsts}


@functools.cache
def _patterns(place: Place) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The place as a whole: no part of a longer name, which has a capitalised word or a hyphen beside it."""
    italian, english = (re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-]| [A-Z])") for name in place[:2])
    return italian, english


def move(pair: Pair, rng: random.Random) -> Pair:
    """One place of the pair, found equally often on both sides, becomes another one; else the pair itself."""
    known = _sources()
    words = [word for word in FIRST_WORD.findall(pair[1]) if word in known]
    if not words:
        return pair
    places = [place for word in dict.fromkeys(words) for place in known[word]]
    rng.shuffle(places)
    for place in places:
        patterns = _patterns(place)
        counts = [len(pattern.findall(side)) for pattern, side in zip(patterns, pair, strict=True)]
        if counts[0] == counts[1] > 0:
            other = rng.choice(_classes()[place.kind])
            italian, english = _put(patterns[0], other.italian, pair[0]), _put(patterns[1], other.english, pair[1])
            return euphonic(italian), re.sub(rf"\b([Aa])n? (?={other.english})", rf"\1{_n(other.english)} ", english)
    return pair


def _put(pattern: re.Pattern[str], name: str, text: str) -> str:
    return pattern.sub(lambda _: name, text)


def euphonic(italian: str) -> str:
    """`a Anna` -> `ad Anna`, `ed Tom` -> `e Tom`."""
    return D_WANTED.sub(r"\1d ", D_UNWANTED.sub(r"\1 ", italian))


def _n(name: str) -> str:
    """What the English article has before `name`."""
    return "n" if name[0] in "AEIO" else ""
