"""Signs of inline tags: out of a sentence before it is translated, and back where the alignment says.

    "È <b>chiuso</b> oggi." -> "È chiuso oggi." -> "It is closed today." -> "It is <b>closed</b> today."

A sign is a private character. An even one begins something or stands alone; the next, odd one ends what it has begun.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from model.text.kept.guard import WORD
from model.translation import Translation

FIRST_SIGN, LAST_SIGN = 0xF0000, 0xFFFFD
SIGN = re.compile("[\U000f0000-\U000ffffd]")
LETTER = re.compile(r"\w")


class _Mark(NamedTuple):
    """A sign, and the word of the plain sentence at which it stands."""

    sign: str
    word: int
    ends: bool
    """It stands behind the word, else before it."""
    inside: int
    """How many marks, such as brackets, stand between the sign and the letters of the word."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """A sentence without its signs."""

    text: str
    marks: Sequence[_Mark]

    def put_on(self, translation: Translation) -> Translation:
        """`translation` of the text with the signs, each once."""
        others = tuple(map(self.put_on, translation.alternatives))
        words = [word.text for word in translation.words]
        if words != translation.text.split() or not words:
            text = translation.text + "".join(mark.sign for mark in self.marks)
            return replace(translation, text=text, alternatives=others)
        before, after = self._placed([word.source_words for word in translation.words])
        decorated = [_decorated(word, before[place], after[place]) for place, word in enumerate(words)]
        found = iter(decorated)
        text = WORD.sub(lambda _: next(found), translation.text)
        new = tuple(replace(word, text=one) for word, one in zip(translation.words, decorated, strict=True))
        return replace(translation, text=text, words=new, alternatives=others)

    def _placed(
        self, aligned: Sequence[tuple[int, ...]]
    ) -> tuple[defaultdict[int, list[_Mark]], defaultdict[int, list[_Mark]]]:
        """The signs before and behind each word of a translation whose words are `aligned` to those of the text."""
        places: defaultdict[int, list[int]] = defaultdict(list)
        for place, sources in enumerate(aligned):
            for source in sources:
                places[source].append(place)
        partner = {mark.sign: mark for mark in self.marks}
        before: defaultdict[int, list[_Mark]] = defaultdict(list)
        after: defaultdict[int, list[_Mark]] = defaultdict(list)
        for mark in self.marks:
            other = partner.get(partner_of(mark.sign))
            first, last = sorted((mark.word, mark.word if other is None else other.word))
            reached = [place for source in range(first, last + 1) for place in places.get(source, ())]
            if not reached:
                reached = [_nearest(places, first, len(aligned))]
            if mark.ends:
                after[max(reached)].append(mark)
            else:
                before[min(reached)].append(mark)
        return before, after


def untagged(sentence: str) -> Tagged | None:
    """Take the signs out of `sentence`; None if it has none."""
    found = list(SIGN.finditer(sentence))
    if not found:
        return None
    text = SIGN.sub("", sentence)
    words = [match.span() for match in WORD.finditer(text)]
    starts = [start for start, _ in words]
    signs = {match.group() for match in found}
    marks = []
    for number, match in enumerate(found):
        place = match.start() - number  # in the text
        last = bisect_right(starts, place - 1) - 1  # the last word that begins before it
        touches = last >= 0 and words[last][1] >= place
        ends = ord(match.group()) % 2 == 1 or (touches and partner_of(match.group()) not in signs)
        ends = (ends or last + 1 >= len(words)) and last >= 0
        word = last if ends or (touches and words[last][1] > place) else last + 1
        word = min(word, max(0, len(words) - 1))
        start, end = words[word] if words else (0, 0)
        marks.append(
            _Mark(match.group(), word, ends, _trailing(text, start, place) if ends else _leading(text, place, end))
        )
    return Tagged(text, marks)


def partner_of(sign: str) -> str:
    """The sign that ends what `sign` begins, or the other way round."""
    return chr(ord(sign) ^ 1)


def _nearest(places: dict[int, list[int]], source: int, count: int) -> int:
    """The place of what stands before `source` where that has none itself."""
    found = [place for other, there in places.items() if other < source for place in there]
    return min(max(found, default=0), count - 1)


def _leading(text: str, start: int, end: int) -> int:
    """How many marks, not letters or digits, stand at the beginning of that part of `text`."""
    return next((place for place in range(start, end) if LETTER.match(text, place)), end) - start


def _trailing(text: str, start: int, end: int) -> int:
    """The same at its end."""
    return end - 1 - next((place for place in range(end - 1, start - 1, -1) if LETTER.match(text, place)), start - 1)


def _decorated(word: str, before: Iterable[_Mark], after: Iterable[_Mark]) -> str:
    """`word` with signs at it, each with as many of the word's own marks inside as in the source."""
    leading, trailing = _leading(word, 0, len(word)), _trailing(word, 0, len(word))
    if leading == len(word):  # nothing but marks
        return "".join(mark.sign for mark in before) + word + "".join(mark.sign for mark in after)
    starts = [(leading - min(mark.inside, leading), mark.sign) for mark in before]
    ends = [(len(word) - trailing + min(mark.inside, trailing), mark.sign) for mark in after]
    for signs in (ends, starts):
        for place in sorted({there for there, _ in signs}, reverse=True):
            word = word[:place] + "".join(sign for there, sign in signs if there == place) + word[place:]
    return word
