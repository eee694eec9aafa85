"""How the two languages write numbers and money: 1.350,20 € and €1,350.20."""

from __future__ import annotations

import re

GROUPED = {"it": re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?"), "en": re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")}
"""A language's number with marks between thousands: with 1.350 in Italian nothing else is meant."""
DECIMAL = re.compile(r"\d+,(?:\d{1,2}|\d{4,})")
"""In Italian. What an English point is may be a version, a time, a chapter."""
SWAPPED = str.maketrans(".,", ",.")
AMOUNT = re.compile(r"(?P<before>[€$£¥])?\s?(?P<minus>[-+\u2212]?)(?P<number>\d[\d.,]*)(?P<space>\s?)(?P<after>\S.*)?")


def in_other_language(number: str, source: str) -> str:
    """`number` as the other language writes it, where it is certain what it is."""
    certain = GROUPED[source].fullmatch(number) or (source == "it" and DECIMAL.fullmatch(number))
    return number.translate(SWAPPED) if certain else number


def amount_in_other_language(amount: str, source: str) -> str:
    """Money or degrees as the other language writes them: English has the sign of money in front, Italian behind."""
    match = AMOUNT.fullmatch(amount)
    if match is None:
        return amount
    number, after = match["minus"] + in_other_language(match["number"], source), match["after"] or ""
    sign = match["before"] or (after if after in "€$£¥" else "")
    if not sign:
        return f"{number}{match['space']}{after}"
    return f"{sign}{number}" if source == "it" else f"{number} {sign}"
