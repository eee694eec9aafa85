"""Times and days: minutes for full hours, the dot that many write in Italy, and a day for a year."""

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

ITALIAN_YEAR = re.compile(r"\b([Nn])el (\d{4})(?![\w'’-]|[.,]\d)")
ENGLISH_YEAR = re.compile(r"\b([Ii])n (\d{4})(?![\w'’-]|[.,]\d)")
MONTHS = (
    ("gennaio", "January"), ("febbraio", "February"), ("marzo", "March"), ("aprile", "April"), ("maggio", "May"),
    ("giugno", "June"), ("luglio", "July"), ("agosto", "August"), ("settembre", "September"), ("ottobre", "October"),
    ("novembre", "November"), ("dicembre", "December"),
)  # fmt: skip
LAST_DAY = 28


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


def add_day(pair: Pair, rng: random.Random) -> Pair:
    """`nel 2013` -> `il 24/3/2013` or `il 24 marzo 2013`, where the one year of each side is the same."""
    years = ITALIAN_YEAR.findall(pair[0]), ENGLISH_YEAR.findall(pair[1])
    if not len(years[0]) == len(years[1]) == 1 or years[0][0][1] != years[1][0][1]:
        return pair
    day = rng.randint(2, LAST_DAY)
    italian, english = (_spelt if rng.random() < 0.5 else _in_digits)(day, rng.randrange(12), years[0][0][1], rng)
    article = {"N": "L'", "n": "l'"} if day in (8, 11) else {"N": "Il ", "n": "il "}
    return (
        ITALIAN_YEAR.sub(lambda year: article[year[1]] + italian, pair[0]),
        ENGLISH_YEAR.sub(lambda year: ("On " if year[1] == "I" else "on ") + english, pair[1]),
    )


def _spelt(day: int, month: int, year: str, rng: random.Random) -> Pair:
    italian, english = MONTHS[month]
    return f"{day} {italian} {year}", rng.choice((f"{english} {day}, {year}", f"{day} {english} {year}"))


def _in_digits(day: int, month: int, year: str, rng: random.Random) -> Pair:
    """The same on both sides: which of the two is the day cannot be seen."""
    date = rng.choice((f"{day}/{month + 1}/{year}", f"{day:02}/{month + 1:02}/{year}", f"{day}-{month + 1}-{year}"))
    return date, date
