"""Numbers, money, quantities and times as the other language writes them, where it is certain what they are.

1.350,20 €  <->  €1,350.20        3 mln €  <->  €3m        -2.5 °C  <->  -2,5 °C        7:30 pm  ->  19:30
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from model.translation import Translation, with_text

GROUPED = {"it": re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?"), "en": re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")}
"""A language's number with marks between thousands: with 1.350 in Italian nothing else is meant."""
DECIMAL = {"it": re.compile(r"\d+,(?:\d{1,2}|\d{4,})"), "en": re.compile(r"\d+\.\d+")}
"""In English only within an amount, or where `_is_decimal` says so: a point may also be that of a version or a time."""
SWAPPED = str.maketrans(".,", ",.")
NUMBER = r"\d[\d.,]*"
SIGN = "[€$£¥₽₹]"
MONEY = re.compile(
    rf"(?P<minus>[-+\u2212]?)(?P<before>{SIGN})?\s?(?P<numbers>{NUMBER}(?:\s?[-–]\s?{NUMBER})?)"
    rf"\s?(?P<scale>[a-zA-Z]+)?(?:\s?di)?\s?(?P<after>{SIGN})?(?P<per>/.+)?"
)
CLOCK = re.compile(r"(?P<hour>\d{1,2})(?:[.:](?P<minute>\d\d))?\s?(?P<half>[ap])\.?m\.?")
DIGIT = re.compile(r"\d")
ANY_NUMBER = re.compile(NUMBER)
SCALES = {
    "thousand": "mila", "million": "milioni", "billion": "miliardi", "m": "mln", "mn": "mln", "M": "mln", "bn": "mld",
    "B": "mld",
}  # fmt: skip
BACK = {"mila": "thousand", "milione": "million", "milioni": "million", "miliardo": "billion", "miliardi": "billion",
        "mln": "m", "mld": "bn"}  # fmt: skip
"""Words are parted from the number, letters are not."""
SINGULAR = {"million": "milione", "billion": "miliardo"}
LARGE = ("million", "billion")
LONE = re.compile(rf"(?<![\w.,:/-])({NUMBER}\d|\d)(?![\w:/-]|[.,]\d)")
ORDINAL = re.compile(r"(?<!\w)(\d{1,3})(?:st|nd|rd|th)(?!\w)")
ITALIAN_ORDINAL = re.compile(r"(\d{1,3})[ºª]|1°")
"""Of others `°` is that of degrees."""
CLOCK_TIME = re.compile(r"\b(?:ore|alle|dalle|le|h)\s((?:[01]?\d|2[0-3])\.[0-5]\d)(?![\w.,]*\d|\s?(?:€|euro|%))")
"""With a point, which English writes as a colon."""
FEMININE = frozenset(["la", "alla", "della", "nella", "sulla", "dalla", "una", "questa"])
MASCULINE = frozenset(["il", "al", "del", "nel", "sul", "dal", "un", "questo", "lo"])
ENDINGS = {1: "st", 2: "nd", 3: "rd"}
ENGLISH_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
ITALIAN_MONTHS = "gennaio|febbraio|marzo|aprile|maggio|giugno|luglio|agosto|settembre|ottobre|novembre|dicembre"
ENGLISH_DATE = re.compile(rf"\b(?:{ENGLISH_MONTHS})\s\d{{1,2}}(?!\d)")
ITALIAN_DATE = re.compile(rf"\b({ITALIAN_MONTHS})\s(\d{{1,2}})(?![\d:.]*\d)", re.IGNORECASE)
MEASURES = (
    "% percent per million billion thousand pounds dollars euros euro pence miles km kg metres meters inches feet"
    " litres liters degrees points times hours years percentage seconds tons tonnes"
)
MEASURED = tuple(MEASURES.split())
"""What a decimal number may stand before, also if it could be a time."""
PARTS = "version chapter section release paragraph step figure table page note no number at by from until till"
LEAST_DECIMALS = 4
"""Digits behind a point that no version or time has: *3.14159*."""
NUMBERED = frozenset(PARTS.split())
"""After these, and words with a capital, a point is not that of a decimal number."""


def in_other_language(number: str, source: str, *, decimal: bool = False) -> str:
    """`number`, in the language `source`, as the other one writes it, where it is certain what it is.

    `decimal`: in English too, a point can only be that of a decimal.
    """
    certain = GROUPED[source].fullmatch(number) or ((source == "it" or decimal) and DECIMAL[source].fullmatch(number))
    return number.translate(SWAPPED) if certain else number


def amount_in_other_language(amount: str, source: str) -> str:
    """The same of money, a quantity or a time: English has the sign of money in front, Italian behind."""
    clock = CLOCK.fullmatch(amount)
    if clock is not None:
        return _on_24_hours(clock) if source == "en" else amount
    ordinal = ITALIAN_ORDINAL.fullmatch(amount)
    if ordinal is not None:
        return _english_ordinal(int(ordinal[1] or 1)) if source == "it" else amount
    match = MONEY.fullmatch(amount)
    if match is None or not (match["before"] or match["after"]):
        return _numbers(amount, source)
    sign = match["before"] or match["after"]
    number, scale, per = _numbers(match["numbers"], source), match["scale"] or "", match["per"] or ""
    if source == "it":
        word = BACK.get(scale, scale)
        return f"{match['minus']}{sign}{number}{' ' if len(word) > 2 else ''}{word}{per}"
    if scale in ("k", "K"):
        return f"{match['minus']}{number}{scale} {sign}"
    word = (SINGULAR if number == "1" else SCALES).get(scale) or SCALES.get(scale, scale)
    of = " di" if scale in LARGE else ""
    return f"{match['minus']}{number}{' ' if word else ''}{word}{of} {sign}{per}"


def _english_ordinal(number: int) -> str:
    teens = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teens else ENDINGS.get(number % 10, 'th')}"


def _numbers(text: str, source: str) -> str:
    return ANY_NUMBER.sub(lambda match: in_other_language(match.group(), source, decimal=True), text)


def _on_24_hours(clock: re.Match[str]) -> str:
    hour = int(clock["hour"])
    if not 1 <= hour <= 12:
        return clock.group()
    return f"{hour % 12 + (12 if clock['half'] == 'p' else 0)}:{clock['minute'] or '00'}"


def with_numbers_in_other_language(sentence: str, source: str, translation: Translation) -> Translation:
    """`translation` of `sentence` with the numbers that the network copied as the other language writes them."""
    if DIGIT.search(sentence) is None:
        return translation
    if source == "en" and ENGLISH_DATE.search(sentence):
        translation = _with_days_first(translation)
    written = dict(_written_otherwise(sentence, source))
    ordinals: set[str] = set()
    if source == "it":
        written |= {time: time.replace(".", ":") for time in CLOCK_TIME.findall(sentence)}
    else:
        ordinals = {match.group() for match in ORDINAL.finditer(sentence)}
    if not written and not ordinals:
        return translation
    text = LONE.sub(lambda match: written.get(match.group(), match.group()), translation.text)
    text = ORDINAL.sub(lambda match: _italian_ordinal(match) if match.group() in ordinals else match.group(), text)
    others = tuple(with_numbers_in_other_language(sentence, source, other) for other in translation.alternatives)
    return replace(with_text(translation, text), alternatives=others)


def _italian_ordinal(match: re.Match[str]) -> str:
    """Of the gender of what stands beside it."""
    before, after = match.string[: match.start()].split()[-1:], match.string[match.end() :].split()[:1]
    feminine = before and before[0].lower() in FEMININE
    masculine = before and before[0].lower() in MASCULINE
    ends = after and after[0].rstrip(".,;:!?").endswith("a")
    return f"{match[1]}{'ª' if feminine or (ends and not masculine) else 'º'}"


def _with_days_first(translation: Translation) -> Translation:
    """`translation` into Italian, which has the day before the month."""
    return with_text(translation, ITALIAN_DATE.sub(r"\2 \1", translation.text))


def _written_otherwise(sentence: str, source: str) -> Iterator[tuple[str, str]]:
    """The numbers of `sentence` that the other language writes otherwise, with how it does."""
    found = list(LONE.finditer(sentence))
    decimals = [source == "en" and _is_decimal(sentence, match) for match in found]
    others = {match.group() for match, decimal in zip(found, decimals, strict=True) if not decimal}
    for match, decimal in zip(found, decimals, strict=True):
        other = in_other_language(match.group(), source, decimal=decimal)
        if other != match.group() and not (decimal and match.group() in others):
            yield match.group(), other


def _is_decimal(sentence: str, match: re.Match[str]) -> bool:
    """Whether the point in an English number is that of a decimal."""
    before = sentence[: match.start()].split()[-1:]
    after = sentence[match.end() :].lstrip(" -")
    measured = after.startswith(MEASURED) or match.group().startswith("0.")
    if before and before[0].rstrip(",").isalpha() and (before[0][0].isupper() or before[0].lower() in NUMBERED):
        return measured and len(sentence.split()) > 2
    return measured or len(match.group().partition(".")[2]) >= LEAST_DECIMALS
