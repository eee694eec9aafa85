"""Signs of inline tags: out of a sentence before it is translated, and back where the alignment says.

    "È <b>chiuso</b> oggi." -> "È chiuso oggi." -> "It is closed today." -> "It is <b>closed</b> today."

A sign is a private character. An even one begins something or stands alone; the next, odd one ends what it has begun.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import NamedTuple

from model.text.kept.guard import WORD
from model.translation import Translation, Word

FIRST_SIGN, LAST_SIGN = 0xF0000, 0xFFFFD
SIGN = re.compile("[\U000f0000-\U000ffffd]")
LETTER = re.compile(r"[\w€$£¥%°]")
"""Or what belongs to a number."""


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
            kept = translation.words or tuple(Word(piece, 1.0, ()) for piece in text.split())  # a text of signs alone
            return replace(translation, text=text, words=kept, alternatives=others)
        before, after = self._placed([word.source_words for word in translation.words])
        decorated = [_decorated(word, before[place], after[place]) for place, word in enumerate(words)]
        found = iter(decorated)
        text = WORD.sub(lambda _: next(found), translation.text)
        new = tuple(replace(word, text=one) for word, one in zip(translation.words, decorated, strict=True))
        return replace(translation, text=text, words=new, alternatives=others)

    def _placed(self, aligned: Sequence[tuple[int, ...]]) -> tuple[_Places, _Places]:
        """The signs before and behind each word of a translation whose words are `aligned` to those of the text."""
        reach = _Reach(aligned)
        row_of = {mark.sign: row for row, mark in enumerate(self.marks)}
        pairs: list[_Pair] = []
        before: _Places = defaultdict(list)
        after: _Places = defaultdict(list)
        for row, mark in enumerate(self.marks):
            other = row_of.get(partner_of(mark.sign))
            if other is not None and row_of[mark.sign] != row:
                other = None  # it stands there twice, which no tag does
            first, last = sorted((mark.word, mark.word if other is None else self.marks[other].word))
            start, end = reach.of(first, last)
            if other is None:
                (after[end] if mark.ends else before[start]).append(mark)
            elif row < other:
                pairs.append(_Pair(start, end, row, other))
        for pair in _nested(pairs, len(aligned)):
            before[pair.start].append(self.marks[pair.opens])
            after[pair.end].insert(0, self.marks[pair.closes])
        return before, after


_Places = defaultdict[int, list[_Mark]]


class _Pair(NamedTuple):
    """The words of a translation around which two signs stand, and the signs as rows of all marks."""

    start: int
    end: int
    opens: int
    closes: int


def _nested(pairs: Sequence[_Pair], count: int) -> Iterator[_Pair]:
    """`pairs`, in the order of the source, one in another as there, outer ones first; others stand side by side.

    Where two that are neighbours render the same word, one takes a word beside it, if there is one among `count`.
    """
    inner: defaultdict[int, list[_Pair]] = defaultdict(list)
    open_: list[_Pair] = []
    for pair in pairs:
        while open_ and open_[-1].closes < pair.opens:
            open_.pop()
        inner[open_[-1].opens if open_ else -1].append(pair)
        open_.append(pair)
    waiting = [_Pair(0, count - 1, -1, -1)]
    while waiting:
        outer = waiting.pop()
        if outer.opens >= 0:
            yield outer
        waiting += reversed(_side_by_side(sorted(inner[outer.opens]), outer))


def _side_by_side(pairs: Sequence[_Pair], outer: _Pair) -> list[_Pair]:
    """`pairs`, sorted by their beginnings, within `outer`, and apart from each other as far as there is room."""
    placed: list[_Pair] = []
    free = outer.start
    for row, pair in enumerate(pairs):
        room = outer.end - (len(pairs) - 1 - row)
        start = max(outer.start, min(max(pair.start, free), room))
        last = outer.end if row + 1 == len(pairs) else max(start, min(pairs[row + 1].start, room + 1) - 1)
        end = max(start, min(pair.end, last, outer.end))
        if start < free and placed:  # no room: within the one before, at its last word
            start = end = placed[-1].end
        placed.append(pair._replace(start=start, end=end))
        free = end + 1
    return placed


class _Reach:
    """The first and the last word of a translation that render any of some words of the text, in logarithmic time."""

    def __init__(self, aligned: Sequence[tuple[int, ...]]) -> None:
        count = 1 + max((source for sources in aligned for source in sources), default=0)
        none = len(aligned)
        first, last = [none] * count, [-1] * count
        for place, sources in enumerate(aligned):
            for source in sources:
                first[source], last[source] = min(first[source], place), place
        self._first, self._last = [first], [last]
        width = 1
        while 2 * width <= count:
            first, last = self._first[-1], self._last[-1]
            self._first.append([min(pair) for pair in zip(first, first[width:], strict=False)])
            self._last.append([max(pair) for pair in zip(last, last[width:], strict=False)])
            width *= 2
        self._before = [0, *accumulate(self._last[0], max, initial=0)]

    def of(self, first: int, last: int) -> tuple[int, int]:
        """For the words from `first` to `last`; what stands before them where they have none themselves."""
        last = min(last, len(self._last[0]) - 1)
        if first <= last:
            level = (last - first + 1).bit_length() - 1
            second = last - (1 << level) + 1
            start = min(self._first[level][first], self._first[level][second])
            end = max(self._last[level][first], self._last[level][second])
            if end >= 0:
                return start, end
        nearest = self._before[min(first, len(self._last[0])) + 1]
        return nearest, nearest


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
    for signs in map(_in_order, (ends, starts)):
        for place in sorted({there for there, _ in signs}, reverse=True):
            word = word[:place] + "".join(sign for there, sign in signs if there == place) + word[place:]
    return word


def _in_order(signs: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """`signs`, each at a place in a word, none before the one that it follows."""
    places = accumulate((place for place, _ in signs), max)
    return [(place, sign) for place, (_, sign) in zip(places, signs, strict=True)]
