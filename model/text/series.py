"""Texts that say the same word again and again, and lists: the network loses count of both.

no, no, no, no            ->  no         ->  no, no, no, no
pane, latte, uova, sale … ->  each apart, where together some were lost
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from model.text.forms import capital
from model.text.marks import IsWord, with_marks_of
from model.text.tokenizer import PLACEHOLDER
from model.translation import Translation, Word, copied, join

REPEATED = re.compile(
    r"(?P<unit>[^\W\d_](?:[\w'’ ]{0,28}?[\w'’])??)"
    r"(?P<rest>(?:(?:,|!|…|\.\.\.)?\s+(?P=unit)(?![\w'’]))+)(?P<end>[.!?…]*)",
    re.IGNORECASE,
)
LEAST_TIMES = 3
"""What is said only twice may be a word of its own: *piano piano* is *slowly*."""
LEAST_SCORE = -1.05
"""Mean log-probability from which the words alone are believed."""
LONGEST_CRY = 4
"""Letters of a word that may be a cry or a noise."""
LEAST_ITEMS = 6
MOST_WORDS = 3
"""Of an item; the first and the last may have more."""
COMMA = re.compile(r",\s+")
CONJUNCTION = re.compile(r",?\s+(?:and|or|e|ed|o|od)\s+")


@dataclass(frozen=True, slots=True)
class Repeated:
    """A text of the same words, three times or more."""

    unit: str
    separators: tuple[str, ...]
    """Between them."""
    given: tuple[str, ...]
    """The words as they stand there."""
    end: str
    is_word: IsWord

    def reads(self, text: str) -> list[str]:
        """The whole, and the words once, small."""
        return [text, self.unit.lower()]

    def chosen(self, found: Sequence[Translation]) -> Translation:
        """The translation of the whole, if it repeats its words as often; else theirs, as often as they stand there.

        What the network hardly knows, such as *ha ha ha*, stays.
        """
        whole, once = found
        again = REPEATED.fullmatch(whole.text)
        if again is not None and len(_units(again)[1]) == len(self.given):
            return whole
        if once.score >= LEAST_SCORE:
            return self._repeated(once)
        return whole if max(map(len, self.unit.split())) > LONGEST_CRY else self._repeated(copied(self.unit.lower()))

    def _repeated(self, once: Translation) -> Translation:
        text, count = "", len(self.unit.split())
        words: list[Word] = []
        for number, (given, separator) in enumerate(zip(self.given, (*self.separators, self.end), strict=True)):
            one = _cased(given, with_marks_of(given.lower(), once, self.is_word).text)
            text += one + separator
            pieces = one.split()
            marks = separator.rstrip()
            if pieces:
                pieces[-1] += marks
            confidence = min((word.confidence for word in once.words), default=0.0)
            sources = tuple(range(number * count, (number + 1) * count))
            words += [Word(piece, confidence, sources) for piece in pieces]
        return replace(once, text=text, words=tuple(words), alternatives=())


def _cased(given: str, text: str) -> str:
    if given.isupper() and len(given) > 1:
        return text.upper()
    return capital(text) if given[:1].isupper() else text


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of short items."""

    items: tuple[str, ...]
    is_word: IsWord

    def reads(self, text: str) -> list[str]:
        """The whole, and each item, without the mark at the end."""
        return [text, *self.items[:-1], self.items[-1].rstrip(".!?…")]

    def chosen(self, found: Sequence[Translation]) -> Translation:
        """The translation of the whole, if it has as many items, and none twice; else those of the items."""
        whole, *apart = found
        items, given = _items(whole.text), _items(", ".join(self.items))
        if len(items) >= len(given) and len(set(map(str.lower, items))) >= len(set(map(str.lower, given))):
            return whole
        marked = [
            _ended(
                with_marks_of(_without_capital(item, one) if number else item, one, self.is_word),
                "," if number < len(self.items) - 1 else "",
            )
            for number, (item, one) in enumerate(zip(self.items, apart, strict=True))
        ]
        return join(marked, [len(item.split()) for item in self.items])


def _items(text: str) -> list[str]:
    """The items of a list, those with *and* or *or* between them too."""
    return COMMA.split(CONJUNCTION.sub(", ", text.rstrip(".!?…")))


def _without_capital(item: str, translation: Translation) -> str:
    """`item` in small letters: its capital may be one that only its language writes; but for names that were copied."""
    return item if item.split()[0] in translation.text.split() else item.lower()


def _ended(translation: Translation, mark: str) -> Translation:
    text = translation.text.rstrip(",;") + mark
    words = translation.words
    if words:
        words = (*words[:-1], replace(words[-1], text=words[-1].text.rstrip(",;") + mark))
    return replace(translation, text=text, words=words, alternatives=())


def series(text: str, is_word: IsWord) -> Repeated | Listed | None:
    """What `text` is, if it is either."""
    match = REPEATED.fullmatch(text)
    if match is not None:
        return _repeated(match, is_word)
    items = tuple(COMMA.split(text)) if text.count(",") >= LEAST_ITEMS - 1 else ()
    inner = items[1:-1]
    short = len(items) >= LEAST_ITEMS and all(0 < len(item.split()) <= MOST_WORDS for item in inner)
    return Listed(items, is_word) if short and not PLACEHOLDER.search(text) and len(items[-1].split()) <= 5 else None


def _repeated(match: re.Match[str], is_word: IsWord) -> Repeated | None:
    separators, given = _units(match)
    often = len(given) >= LEAST_TIMES or "," in separators[0]
    return Repeated(given[0], tuple(separators), tuple(given), match["end"], is_word) if often else None


def _units(match: re.Match[str]) -> tuple[list[str], list[str]]:
    """What stands between the words that are repeated, and they as they stand there."""
    found = re.findall(rf"(\W+)({re.escape(match['unit'])})", match["rest"], re.IGNORECASE)
    return [separator for separator, _ in found], [match["unit"], *(unit for _, unit in found)]
