"""Numbers with commas and points, and sums with a sign, as each language has them: `$1,250.50`, `1.250,50 $`."""

from __future__ import annotations

import random
import re

from training.data.cleaning import Pair

NUMBER = r"\d{1,3}(?:[.,]\d{3})+(?:[.,]\d\d)?|\d+(?:[.,]\d\d)?"
ENGLISH = re.compile(rf"(?<![\w.,$€£-])(?:[$€£]({NUMBER})|({NUMBER}) (?:dollars|euros?|pounds))(?![\w-]|[.,]\d)")
ITALIAN = re.compile(rf"(?<![\w.,$€£'’-])({NUMBER})(?: (?:dollari|euro|sterline)\b| ?[$€£])(?![.,]\d)")
MONEY = re.compile("dollar|euro|sterlin|[$€£]", re.IGNORECASE)
COUNT = r"(?<![\w.,:/$€£'’-])([2-9]|[1-9]\d{1,2})"
ENGLISH_COUNT = re.compile(rf"{COUNT}(?= (?:people|men|women|children|[a-z]{{2,20}}s)\b(?! old))")
ITALIAN_COUNT = re.compile(rf"{COUNT}(?= [a-zà-ÿ]{{2,20}}[aeio]\b)")
NO_COUNT = re.compile(
    r"\b(?:il|l|del|al|dal|nel|gli|degli|alle|dalle|delle|le|ore) \d|\d (?:gennaio|febbraio|marzo|aprile|maggio|giugno"
    r"|luglio|agosto|settembre|ottobre|novembre|dicembre|mila|milion|miliard)",
    re.IGNORECASE,
)
"""Days, hours and numbers with an article."""
SIGNS = {"dollar": "$", "euro": "€", "sterlin": "£", "$": "$", "€": "€", "£": "£"}
DECIMAL = 0.3
SIZES = (1, 2, 2, 3, 3, 4, 5)
"""Digits before the cents."""


def pay(pair: Pair, rng: random.Random) -> Pair:
    """Every sum of the pair becomes another one with a sign, half of them in another currency; or the pair itself."""
    money = MONEY.search(pair[0])
    if money is None:
        return pair
    english = [(first or second) for first, second in ENGLISH.findall(pair[1])]
    italian = ITALIAN.findall(pair[0])
    if not english or sorted(map(_digits, english)) != sorted(map(_digits, italian)) or "1" in italian:
        return pair
    sign = SIGNS[money[0].lower()] if rng.random() < 0.5 else rng.choice("$€£")
    new = {_digits(number): _sum(rng) for number in italian}
    return (
        ITALIAN.sub(lambda found: f"{_turned(new[_digits(found[1])])} {sign}", pair[0]),
        ENGLISH.sub(lambda found: f"{sign}{new[_digits(found[1] or found[2])]}", pair[1]),
    )


def enlarge(pair: Pair, rng: random.Random) -> Pair:
    """`30 persone` -> `12.450 persone`, `12,450 people`; some with decimals. Of counts before a plural, one a side."""
    counts = ITALIAN_COUNT.findall(pair[0]), ENGLISH_COUNT.findall(pair[1])
    if len(counts[0]) != 1 or counts[0] != counts[1] or NO_COUNT.search(pair[0]):
        return pair
    decimal = rng.random() < DECIMAL
    new = f"{rng.randrange(2, rng.choice((10, 20, 1000)))}.{rng.randrange(1, 10)}" if decimal else f"{_large(rng):,}"
    return ITALIAN_COUNT.sub(_turned(new), pair[0]), ENGLISH_COUNT.sub(new, pair[1])


def _large(rng: random.Random) -> int:
    """1,000 to 9,999,999, small ones more often, some of them round."""
    value = rng.randrange(1000, 10 ** rng.randint(4, 7))
    return value - value % 1000 if rng.random() < 0.4 else value


def _digits(number: str) -> str:
    return number.replace(".", "").replace(",", "")


def _sum(rng: random.Random) -> str:
    """As English writes it; no sum of one, and some round."""
    size = rng.choice(SIZES)
    value = rng.randrange(2 if size == 1 else 10 ** (size - 1), 10**size)
    if size > 2 and rng.random() < 0.4:
        value -= value % 10 ** (size - 1)
    return f"{value:,}" + (f".{rng.randrange(100):02}" if rng.random() < 0.4 else "")


def _turned(number: str) -> str:
    """`1,250.50` -> `1.250,50`."""
    return number.translate({ord(","): ".", ord("."): ","})
