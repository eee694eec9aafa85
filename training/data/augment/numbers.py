"""Other digits for the digits of a pair, the same on both sides.

A number keeps its count of digits and what it is: a year stays one, an hour an hour, 1 stays 1 and no other becomes 1,
for the words around agree with it. Articles mind the first sound of a number (`l'8`, `gli 11`, `an 80`, but `il 7`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from training.data.cleaning import Pair

DIGIT = re.compile(r"\d")
PART = re.compile(r"\d+")
ORDINAL = re.compile(r"(\d+)(?:(st|nd|rd|th)\b)?")
ORDINAL_END = re.compile(r"(?:st|nd|rd|th)\b")
BEHIND_WORD = re.compile(r"\b([^\W\d]+) (\d+)")
TIME = re.compile(r"\b(\d{1,2}):(\d\d)\b")
DATE = re.compile(r"\b(?:\d{4}[-/])?(\d{1,2})[-/](\d{1,2})\b")
DAY = re.compile(r"\b(\d{1,2}) (?:genn|febb|marz|april|magg|giugn|lugl|agost|sett|otto|nove|dice)", re.IGNORECASE)
YEAR = re.compile(r"(?<![\d.,])(?:1\d|20)\d\d(?![.,]?\d)")
PERCENT = re.compile(r"\b(\d+) ?(?:%|per cento)")
FIXED = re.compile("0*1?")

BEFORE_VOWEL = frozenset(("gli", "degli", "agli", "dagli", "negli", "sugli", "quegli", "begli", "an"))
"""The number behind these begins with a vowel, and so must another: it stays."""
BEFORE_CONSONANT = frozenset(
    ("il", "del", "al", "dal", "nel", "sul", "i", "dei", "ai", "dai", "nei", "sui", "quei", "bei", "un", "uno", "a")
)
"""The number behind these begins with a consonant, and so must another."""
BEFORE_HOUR = frozenset(("alle", "dalle", "le", "ore"))

YEARS, LATE_YEARS, LATE = (1400, 2039), (1930, 2039), 0.7
"""All years, and those that most of the new ones are of."""
DAYS, MONTHS, HOURS, MINUTES = (2, 28), (2, 12), (2, 23), (2, 59)
LONGEST = 15
"""Digits of a number that is changed."""
TRIES = 8

Limits = tuple[int, int]


def renumber(pair: Pair, rng: random.Random) -> Pair:
    """The pair with other digits; itself where the digits of the sides differ, or there are none."""
    parts = PART.findall(pair[0])
    if not parts or sorted(parts) != sorted(PART.findall(pair[1])):
        return pair
    new = _new_parts(pair, parts, rng)
    return PART.sub(lambda part: new[part[0]], pair[0]), ORDINAL.sub(lambda part: _ordinal(part, new), pair[1])


def _new_parts(pair: Pair, parts: list[str], rng: random.Random) -> dict[str, str]:
    """Part -> other digits. What it is on either side limits them; the first limit that is found holds."""
    behind = [(word.lower(), part) for side in pair for word, part in BEHIND_WORD.findall(side)]
    new = {part: part for part in _lasting(pair, parts)} | {part: part for word, part in behind if word in BEFORE_VOWEL}
    consonant = {part for word, part in behind if word in BEFORE_CONSONANT}
    hours = [part for word, part in behind if word in BEFORE_HOUR]
    for part, limits in _limits(pair, parts, hours, rng):
        if part not in new:
            new[part] = _draw(part, limits, part in consonant, new, rng)
    return new


def _lasting(pair: Pair, parts: list[str]) -> Iterator[str]:
    """Those that stay: 0 and 1, a hundred per cent, endless ones, and what is part of a word."""
    yield from (part for part in parts if FIXED.fullmatch(part) or len(part) > LONGEST)
    if "%" in pair[0] or "per cento" in pair[0]:
        yield from (part for part in PERCENT.findall(pair[0]) if len(part) > 2)
    for text in pair:
        yield from (part[0] for part in PART.finditer(text) if _is_stuck(text, part.start(), part.end()))


def _is_stuck(text: str, start: int, end: int) -> bool:
    """Whether the digits at `start` to `end` belong to a name or a word: `MP3`, `UTF-8`, `'80`, `80s`; not `20th`."""
    before, after = text[max(0, start - 2) : start], text[end : end + 1]
    if before.endswith(("'", "’")) or before[-1:].isalpha() or (before.endswith("-") and before[0].isalpha()):
        return True
    return after.startswith(("'", "’", "°")) or (after.isalpha() and not ORDINAL_END.match(text, end))


def _limits(pair: Pair, parts: list[str], hours: list[str], rng: random.Random) -> Iterator[tuple[str, Limits]]:
    """What each part may become, the narrowest first."""
    both = "\n".join(pair)
    if ":" in both:
        for hour, minute in TIME.findall(both):
            yield hour, _hours(hour)
            yield minute, MINUTES
    yield from ((hour, _hours(hour)) for hour in hours)
    if "/" in both or "-" in both:
        for date in DATE.findall(both):
            yield from ((part, MONTHS if int(part) <= MONTHS[1] else DAYS) for part in date)
    yield from ((day, DAYS) for day in DAY.findall(pair[0]))
    if max(map(len, parts)) >= len("1999"):
        yield from ((year, LATE_YEARS if rng.random() < LATE else YEARS) for year in YEAR.findall(both))
    yield from ((part, (2, 10 ** len(part) - 1)) for part in parts)


def _hours(hour: str) -> Limits:
    return (2, 12) if int(hour) <= 12 else HOURS


def _draw(part: str, limits: Limits, consonant: bool, new: dict[str, str], rng: random.Random) -> str:
    """Digits within `limits`, as many as `part` has, with its zeros at the end in half the cases."""
    bare = part.lstrip("0")
    low, high = max(limits[0], int("1".ljust(len(bare), "0"))), min(limits[1], int("9" * len(part)))
    step = 10 ** (len(part) - len(part.rstrip("0")))
    if step > 1 and (rng.random() < 0.5 or high < 2 * step):
        step = 1
    first, last = -(-low // step), high // step
    for _ in range(TRIES if first <= last else 0):
        value = str(rng.randint(first, last) * step).zfill(len(part))
        if value not in new.values() and not (consonant and _begins_with_vowel(value)):
            return value
    return part


def _begins_with_vowel(digits: str) -> bool:
    """Of its name in either language: `otto`, `undici`, `eight`, `eighteen`."""
    return digits.startswith("8") or (digits[:2] in ("11", "18") and len(digits) in (2, 5, 8))


def _ordinal(part: re.Match[str], new: dict[str, str]) -> str:
    digits = new[part[1]]
    if part[2] is None:
        return digits
    teen = digits[-2:-1] == "1"
    return digits + ("th" if teen else {"1": "st", "2": "nd", "3": "rd"}.get(digits[-1], "th"))
