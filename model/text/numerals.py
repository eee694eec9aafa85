"""The numbers of a text, in digits and in words, read so that those of a source and its translation can be compared.

A number may be written in many ways, and its digits may mean several: `1.250,50` and `1,250.50` are one number, `15.30`
is a decimal or a time, which is `15:30` or `3:30 p.m.`, `'80` is `1980`, and `3` may become `three`. So every number
becomes the set of its readings, and two are the same if they share one.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from decimal import Decimal

Reading = Decimal | tuple[int, int]
"""A value, or a time as (hour of the 12-hour clock, minute)."""
Readings = frozenset[Reading]

SCALES = {
    "mila": 10**3, "thousand": 10**3, "milione": 10**6, "milioni": 10**6, "million": 10**6,
    "miliardo": 10**9, "miliardi": 10**9, "billion": 10**9,
}  # fmt: skip
NUMBER = re.compile(
    r"(?P<short>['’])?(?P<number>\d+(?:[.,:]\d+)*)"
    rf"(?:\s*(?P<half>[ap])\.?m\b|\s*(?P<scale>{'|'.join(SCALES)})\b|(?P<decade>s)\b)?",
    re.IGNORECASE,
)
DIGIT = re.compile(r"\d")
TIME = re.compile(r"(?:[01]?\d|2[0-3])[.:][0-5]\d")

SMALL = {
    "en": "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen",
    "it": "zero uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici sedici "
    "diciassette diciotto diciannove",
}
TENS = {
    "en": "twenty thirty forty fifty sixty seventy eighty ninety hundred",
    "it": "venti trenta quaranta cinquanta sessanta settanta ottanta novanta cento",
}
ORDINALS = {
    "en": "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth",
    "it": "primo secondo terzo quarto quinto sesto settimo ottavo nono decimo",
}
HALF_PAST = {"en": (r"\bhalf past (\w+)", r"\1 thirty"), "it": (r"\bmezz[ao]\b", "trenta")}
LINKING = ("e", "and")
OTHERS = {
    "en": {"a": 1, "an": 1, "thousand": 1000, "noon": 12, "midnight": 12},
    "it": {"un": 1, "una": 1, "mille": 1000, "mezzogiorno": 12, "mezzanotte": 12},
}
WORD = re.compile(r"[^\W\d_]+")
ROMAN = re.compile(r"\b(?=[IVXLCDM]{2}|[VX]\b)M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})(?<=\w)\b")
ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


@functools.cache
def _words(language: str | None) -> dict[str, int]:
    """Numbers that are one word, without accents; of both languages for None."""
    if language is None:
        return _words("en") | _words("it")
    ordinals = {word: rank for rank, word in enumerate(ORDINALS[language].split(), 1)}
    small = {word: value for value, word in enumerate(SMALL[language].split())}
    tens = {word: 10 * value for value, word in enumerate(TENS[language].split(), 2)}
    words = ordinals | small | tens | OTHERS[language]
    if language == "it":
        compounds = {italian_word(value): value for value in range(1000)}
        elided = {word[:-1]: value for word, value in compounds.items() if value >= 8}  # diciott'anni
        thousands = {f"{word}mila": 1000 * value for word, value in compounds.items()}
        thousands |= {f"mille{word}": 1000 + value for word, value in compounds.items()}
        ordinals |= {_stem(word) + "esimo": value for word, value in compounds.items() if value > 10}  # ventitreesimo
        words |= {word[:-1] + ending: rank for word, rank in ordinals.items() for ending in "oaie"}
        words |= compounds | elided | thousands
    return words


def _stem(word: str) -> str:
    return word if word.endswith(("tre", "sei")) else word[:-1]


def italian_word(value: int) -> str:
    """The Italian word for a number below 1000."""
    small, tens = SMALL["it"].split(), TENS["it"].split()
    if value < 20:
        return small[value]
    if value < 100:
        ten, unit = tens[value // 10 - 2], value % 10
        return (ten[:-1] if unit in (1, 8) else ten) + (small[unit] if unit else "")
    hundreds = (small[value // 100] if value >= 200 else "") + "cento"
    return hundreds + (italian_word(value % 100) if value % 100 else "")


def has_digits(text: str) -> bool:
    """Whether there is a number in digits in `text`."""
    return DIGIT.search(text) is not None


def in_digits(text: str) -> list[Readings]:
    """The numbers of `text` that are written in digits."""
    return [readings for match in NUMBER.finditer(text) for readings in _readings(match)] if has_digits(text) else []


def written(text: str) -> list[str]:
    """The same as they stand there: `5 million`, `3 p.m`."""
    return [match.group() for match in NUMBER.finditer(text)]


def in_words(text: str, language: str | None = None) -> list[Readings]:
    """The numbers of `text` that are written in words of `language`, of either if it is not known."""
    return [frozenset({reading}) for reading in _spelt(text, language)]


def unmatched(wanted: Sequence[Readings], given: Sequence[Readings]) -> list[Readings]:
    """Those of `wanted` for which nothing is left in `given`; each of `given` serves once."""
    places: defaultdict[Reading, deque[int]] = defaultdict(deque)
    for place, readings in enumerate(given):
        for reading in readings:
            places[reading].append(place)
    used: set[int] = set()
    without = []
    for readings in wanted:
        there = [found for reading in readings if (found := _next_free(places[reading], used)) is not None]
        if there:
            used.add(min(there))
        else:
            without.append(readings)
    return without


def _next_free(places: deque[int], used: set[int]) -> int | None:
    """The first of `places` that is not in `used`; those before it are dropped, so that long texts are cheap too."""
    while places and places[0] in used:
        places.popleft()
    return places[0] if places else None


def _spelt(text: str, language: str | None) -> Iterator[Reading]:
    """Numbers in words: each word that is one, what two neighbours make together, and Roman ones."""
    known = _words(language)
    lowered = text.lower().replace("tré", "tre").replace("trè", "tre")  # ventitré
    for one, (pattern, said) in HALF_PAST.items():
        lowered = re.sub(pattern, said, lowered) if language in (one, None) else lowered
    before: int | None = None
    for word in WORD.findall(lowered):
        if word in LINKING:
            continue
        value = known.get(word)
        if value is not None:
            yield Decimal(value)
            if before is not None:
                yield from _together(before, value)
        before = value
    yield from (_roman(match.group()) for match in ROMAN.finditer(text))


def _roman(numeral: str) -> Decimal:
    """`XIX` is 19: a smaller sign before a larger one is taken off."""
    values = [ROMAN_VALUES[sign] for sign in numeral]
    return Decimal(sum(-one if one < after else one for one, after in zip(values, [*values[1:], 0], strict=True)))


def _together(before: int, value: int) -> Iterator[Reading]:
    """`three hundred`, `sixty-five`, `seven thirty`, `nineteen sixty`."""
    if value in (100, 1000):
        yield Decimal(before * value)
    elif before in range(20, 100, 10) and value < 10:
        yield Decimal(before + value)
    elif value in range(10, 100):
        yield Decimal(100 * before + value)
        if before < 24 and value < 60:
            yield before % 12, value


def _readings(match: re.Match[str]) -> Iterator[Readings]:
    """Of the number that was found, or of its parts where it is none: dates, versions, lists without spaces."""
    groups, marks = re.split(r"[.,:]", match["number"]), re.findall(r"[.,:]", match["number"])
    value = _value(groups, marks)
    found: set[Reading] = set() if value is None else {value}
    if TIME.fullmatch(match["number"]):
        found |= _time(int(groups[0]), int(groups[1]))
    if not found:
        yield from (frozenset({Decimal(group)}) for group in groups)
        return
    if value is not None:
        found |= _in_context(value, match)
    yield frozenset(found)


def _value(groups: list[str], marks: list[str]) -> Decimal | None:
    """The number that digits with points and commas between them make, in the notation of either language."""
    if ":" in marks:
        return None
    grouped = len(groups[0]) <= 3 and groups[0][0] != "0"
    if grouped and len(set(marks)) <= 1 and all(len(group) == 3 for group in groups[1:]):
        return Decimal("".join(groups))
    if not marks:
        return Decimal(groups[0])
    whole = grouped and len(set(marks[:-1])) == 1 and all(len(group) == 3 for group in groups[1:-1])
    if len(marks) == 1 or (whole and marks[-1] not in marks[:-1]):
        return Decimal("".join(groups[:-1]) + "." + groups[-1])
    return None


def _time(hour: int, minute: int) -> set[Reading]:
    """A time of the clock; on the hour it may be said without minutes."""
    bare: set[Reading] = {Decimal(hour), Decimal(hour % 12 or 12)} if minute == 0 else set()
    return {(hour % 12, minute), *bare}


def _in_context(value: Decimal, match: re.Match[str]) -> set[Reading]:
    """What `value` also means with what stands beside it: `2 p.m.`, `5 million`, `'80`, `1980s`."""
    if match["half"] and value <= 12 and value % 1 == 0:
        hour = int(value) % 12
        return {Decimal(hour + 12 if match["half"].lower() == "p" else hour), (hour, 0)}
    if match["scale"]:
        return {value * SCALES[match["scale"].lower()]}
    if match["short"] and 10 <= value < 100:
        return {value + 1900}
    return {value % 100} if match["decade"] and 1000 <= value < 2000 else set()
