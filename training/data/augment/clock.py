"""Times of day: minutes for full hours, and the dot that many write in Italy."""

from __future__ import annotations

import random
import re

from training.data.augment.numbers import TIME
from training.data.cleaning import Pair

ITALIAN = re.compile(
    r"\b((?:[Aa]lle|[Dd]alle|[Ss]ono le) \d{1,2})(?=[.,?!]|$| (?:del|di|in punto|ogni|domani|oggi|stasera))"
)
ENGLISH = re.compile(
    r"\b((?:at|by|until|till|before|after|around|about|from|is|it's) \d{1,2})"
    r"(?=[.,?!]|$| (?:in the|a\.m|p\.m|every|tomorrow|today|tonight|this))",
    re.IGNORECASE,
)


def add_minutes(pair: Pair, rng: random.Random) -> Pair:
    """`alle 7` -> `alle 7:40` on both sides, where the one hour of each is the same."""
    hours = ITALIAN.findall(pair[0]), ENGLISH.findall(pair[1])
    if not len(hours[0]) == len(hours[1]) == 1 or hours[0][0].split()[-1] != hours[1][0].split()[-1]:
        return pair
    minutes = f":{rng.randrange(60):02}"
    return ITALIAN.sub(rf"\1{minutes}", pair[0]), ENGLISH.sub(rf"\1{minutes}", pair[1])


def dot_times(italian: str) -> str:
    """`7:30` -> `7.30`."""
    return TIME.sub(r"\1.\2", italian)
