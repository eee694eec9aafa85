"""Other names in the place of Tom and Mary: what is copied is then learnt, not a list of two.

A name is replaced where it stands equally often on both sides, by one of its gender, so that what agrees with it still
does. Some of the new ones are made of random syllables: nobody can know them by heart.
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Iterable

from training.data.augment.lists import people
from training.data.augment.places import euphonic, place_words
from training.data.cleaning import Pair

WORD = re.compile(r"[^\W\d_]+")
CAPITALISED = re.compile(r"\b[A-Z][a-zà-ÿ]+")
BEFORE_CAPITAL = re.compile(r"\b[^\W\d_]+(?= [A-Z])")
"""A word with a capitalised one behind it, maybe its surname."""

IT_SYLLABLES = """ba be bi bo bra ca cla co cri da de di do dra fa fe fi fo fra ga gia gio gle go gra la le li lo lu ma
me mi mo na ne ni no nu pa pe pi po pra qua ra re ri ro ru sa se si so sta ta te ti to tra va ve vi vo za"""
EN_ONSETS = "B Bl Br C Ch Cl D Dr F Fl G Gr H J K L M N P Pr Qu R S Sh Sl St T Th Tr V W Wh Y Z"
EN_MIDDLES = "an all ar eck ell en er and ick il imm in od on or oon um urn ath ee oa ai"
EN_ENDS = "by den er ett ey field ford ham ie ley man mer nor rick son sten ton well wick worth y"
MALE_ENDS, FEMALE_ENDS = ("no", "do", "lio", "rto", "ssio", "ro"), ("na", "lla", "ria", "sia", "tta", "ra")


def rename(pair: Pair, rng: random.Random, invented: float, surnames: float) -> Pair:
    """Other names for all that are known and stand equally often on both sides.

    `invented` is the share of made-up names among the new ones; `surnames` that of the first names that get a surname
    beside them. The result is the pair itself where there is nothing to replace.
    """
    known = sources()
    found = [name for name in dict.fromkeys(CAPITALISED.findall(pair[1])) if name in known]
    if not found:
        return pair
    words = [WORD.findall(side) for side in pair]
    found = [name for name in found if words[0].count(name) == words[1].count(name)]
    named = {name for side in pair for name in BEFORE_CAPITAL.findall(side)}
    new: dict[str, str] = {}
    for name in found:
        taken = {*new.values(), *words[0]}
        new[name] = _other(known[name], rng, invented, 0.0 if name in named else surnames, taken)
    italian, english = (WORD.sub(lambda word: new.get(word[0], word[0]), side) for side in pair)
    return euphonic(italian), english


@functools.cache
def sources() -> dict[str, str]:
    """Name -> `male`, `female` or `surname`; those that may be two of these, or a place, are left out."""
    places = place_words()
    known: dict[str, str] = {}
    doubtful = set()
    for kind, names in people().items():
        doubtful |= {name for name in names if name in known or name in places}
        known |= dict.fromkeys(names, kind)
    return {name: kind for name, kind in known.items() if name not in doubtful}


def _other(kind: str, rng: random.Random, invented: float, surnames: float, taken: Iterable[str]) -> str:
    """A new name that is none of `taken`, after a few tries in any case."""
    name = _name(kind, rng, invented)
    for _ in range(5):
        if name not in taken:
            break
        name = _name(kind, rng, invented)
    if kind != "surname" and rng.random() < surnames:
        return f"{name} {_name('surname', rng, invented)}"
    return name


def _name(kind: str, rng: random.Random, invented: float) -> str:
    if rng.random() < invented:
        return _italian_name(kind, rng) if rng.random() < 0.5 else _english_name(rng)
    return rng.choice(people()[kind])


def _italian_name(kind: str, rng: random.Random) -> str:
    """Such as `Molidro` or `Frasella`; surnames end as either. Three syllables: `modo` and `nano` are words."""
    ends = {"male": MALE_ENDS, "female": FEMALE_ENDS}.get(kind, MALE_ENDS + FEMALE_ENDS)
    return "".join(rng.choices(_split(IT_SYLLABLES), k=2)).capitalize() + rng.choice(ends)


def _english_name(rng: random.Random) -> str:
    """Such as `Thickley` or `Brandford`."""
    return "".join(rng.choice(_split(parts)) for parts in (EN_ONSETS, EN_MIDDLES, EN_ENDS))


@functools.cache
def _split(parts: str) -> list[str]:
    return parts.split()
