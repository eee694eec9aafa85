"""Do the numbers of a sentence survive its translation?

A number may be written in many ways, and its digits may mean several: `1.250,50` and `1,250.50` are one number, `15.30`
is a decimal or a time, which is `15:30` or `3:30 p.m.`, `'80` is `1980`, and `3` may become `three`. So every number
becomes the set of its readings, and two are the same if they share one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from training.data.noise import drop_accents

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
    "en": "first second third fourth fifth sixth seventh eighth ninth tenth",
    "it": "primo secondo terzo quarto quinto sesto settimo ottavo nono decimo",
}
HALF_PAST = {"en": (r"\bhalf past (\w+)", r"\1 thirty"), "it": (r"\bmezz[ao]\b", "trenta")}
LINKING = ("e", "and")
OTHERS = {"en": {"a": 1, "an": 1, "thousand": 1000}, "it": {"un": 1, "una": 1, "mille": 1000}}


def _words(language: str) -> dict[str, int]:
    """Numbers that are one word, without accents."""
    ordinals = {word: rank for rank, word in enumerate(ORDINALS[language].split(), 1)}
    small = {word: value for value, word in enumerate(SMALL[language].split())}
    tens = {word: 10 * value for value, word in enumerate(TENS[language].split(), 2)}
    words = ordinals | small | tens | OTHERS[language]
    if language == "it":
        compounds = {_italian(value): value for value in range(1000)}
        elided = {word[:-1]: value for word, value in compounds.items() if value >= 8}  # diciott'anni
        thousands = {f"{word}mila": 1000 * value for word, value in compounds.items()}
        thousands |= {f"mille{word}": 1000 + value for word, value in compounds.items()}
        words |= {word[:-1] + ending: rank for word, rank in ordinals.items() for ending in "aie"}
        words |= compounds | elided | thousands
    return words


def _italian(value: int) -> str:
    """The Italian word for a number below 1000."""
    small, tens = SMALL["it"].split(), TENS["it"].split()
    if value < 20:
        return small[value]
    if value < 100:
        ten, unit = tens[value // 10 - 2], value % 10
        return (ten[:-1] if unit in (1, 8) else ten) + (small[unit] if unit else "")
    hundreds = (small[value // 100] if value >= 200 else "") + "cento"
    return hundreds + (_italian(value % 100) if value % 100 else "")


WORDS = {language: _words(language) for language in SMALL}
"""Language -> number in one word -> its value."""


def has_number(text: str) -> bool:
    """Whether there are digits in `text`."""
    return re.search(r"\d", text) is not None


def numbers_differ(source: str, hypothesis: str, reference: str, pair: str) -> bool:
    """Whether the translation lost or invented a number that is written in digits.

    Each number that has digits in the source must be in the translation, in digits or in words, as often; and each that
    has digits in the translation must be in the source likewise. What the reference lacks or adds, the translation may
    lack or add too.
    """
    from_language, to_language = pair.split("-")
    given, ours, theirs = (
        _Mentions(text, language)
        for text, language in ((source, from_language), (hypothesis, to_language), (reference, to_language))
    )
    lost, lost_by_reference = (_unmatched(given.digits, other.all) for other in (ours, theirs))
    invented, added_by_reference = _unmatched(ours.digits, given.all), _unmatched(theirs.all, given.all)
    return bool(_unmatched(lost, lost_by_reference) or _unmatched(invented, added_by_reference))


class _Mentions:
    """The numbers of a text."""

    def __init__(self, text: str, language: str) -> None:
        self.digits = [readings for match in NUMBER.finditer(text) for readings in _readings(match)]
        self.all = self.digits + [frozenset({reading}) for reading in _spelt(text, language)]


def _spelt(text: str, language: str) -> Iterator[Reading]:
    """Numbers in words: each word that is one, and what two neighbours make together."""
    known = WORDS.get(language, {})
    pattern, said = HALF_PAST.get(language, ("$^", ""))
    before: int | None = None
    for word in re.findall(r"[^\W\d_]+", re.sub(pattern, said, drop_accents(text.lower()))):
        if word in LINKING:
            continue
        value = known.get(word)
        if value is not None:
            yield Decimal(value)
            if before is not None:
                yield from _together(before, value)
        before = value


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


def _unmatched(wanted: list[Readings], given: list[Readings]) -> list[Readings]:
    """Those of `wanted` for which nothing is left in `given`; each of `given` serves once."""
    rest, without = list(given), []
    for readings in wanted:
        partner = next((other for other in rest if other & readings), None)
        if partner is None:
            without.append(readings)
        else:
            rest.remove(partner)
    return without


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
