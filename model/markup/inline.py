"""Pairs of tags, or of marks of Markdown, in a plain text: they become signs, as the tags of HTML are.

    Leggi <b>qui</b> o **altrove**.  ->  Leggi ⟨0⟩qui⟨1⟩ o ⟨2⟩altrove⟨3⟩.

With placeholders for them the network hardly translates the words between.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from itertools import islice

from model.markup.tags import FIRST_SIGN, SIGN
from model.text.kept.spans import TAG, find_spans
from model.translation import Translation, with_each

NAMED_TAG = re.compile(TAG)
NAME = re.compile(r"[\w:-]+")
MOST_PAIRS = 100
"""Of a sentence with more nothing is taken for a pair."""
OPAQUE = ("tag", "code", "address", "placeholder", "message", "path")
"""Kinds of spans in which no mark is one."""
EMPHASIS = re.compile(
    r"(?<![\w*_~\\])(?P<open>\*\*|~~|\*)(?=[^\s*~])(?:[^*~\n]{0,200}[^\s*~\\])(?P<close>(?P=open))(?![\w*~])"
    r"|(?<![\w!\]])(?P<link>\[)[^\[\]\n]{1,200}(?P<to>\]\([^\s()]{1,300}\))"
)
"""Of Markdown, around words; the text of a link. Not `_`, which names of programs have."""
MAY_HOLD = re.compile(r"</|\*|~~|\]\(")

_Pair = tuple[tuple[int, int], tuple[int, int]]
"""Where what begins and what ends a pair stands."""


def with_signs(sentence: str) -> tuple[str, Sequence[str]] | None:
    """`sentence` with a sign for each tag of a pair, and what the signs stand for; None if it has no pair."""
    if MAY_HOLD.search(sentence) is None or SIGN.search(sentence):
        return None
    pairs = list(islice(_apart([*_of_tags(sentence), *_of_marks(sentence)]), MOST_PAIRS + 1))
    if not 0 < len(pairs) <= MOST_PAIRS:
        return None
    meant: list[str] = []
    signs: dict[tuple[int, int], str] = {}
    for pair in pairs:
        for start, end in pair:
            signs[start, end] = chr(FIRST_SIGN + len(meant))
            meant.append(sentence[start:end])
    text, done = "", 0
    for start, end in sorted(signs):
        text += sentence[done:start] + signs[start, end]
        done = end
    return text + sentence[done:], meant


def _apart(pairs: Sequence[_Pair]) -> Iterator[_Pair]:
    """Those of `pairs` that overlap none before them."""
    taken: list[tuple[int, int]] = []
    for pair in pairs:
        places = [bisect_left(taken, one) for one in pair]
        free = all(
            (at == 0 or taken[at - 1][1] <= start) and (at == len(taken) or end <= taken[at][0])
            for at, (start, end) in zip(places, pair, strict=True)
        )
        if free:
            for one in pair:
                insort(taken, one)
            yield pair


def without_signs(translation: Translation, meant: Sequence[str]) -> Translation:
    """`translation` with what its signs stand for."""
    return with_each(translation, lambda text: SIGN.sub(lambda match: meant[ord(match.group()) - FIRST_SIGN], text))


def _of_marks(sentence: str) -> Iterator[_Pair]:
    """Where marks of Markdown stand that belong together; none within tags, code or addresses."""
    kept = [(span.start, span.end) for span in find_spans(sentence) if span.kind in OPAQUE]
    for match in EMPHASIS.finditer(sentence):
        first, last = ("open", "close") if match["open"] else ("link", "to")
        pair = (match.span(first), match.span(last))
        if not any(_is_within(one, kept) for one in (pair if match["open"] else pair[:1])):
            yield pair


def _is_within(place: tuple[int, int], spans: Sequence[tuple[int, int]]) -> bool:
    at = bisect_left(spans, (place[0] + 1, 0))
    return at > 0 and place[0] < spans[at - 1][1]


def _of_tags(sentence: str) -> Iterator[_Pair]:
    """Where start and end tags stand that belong together."""
    tags = list(NAMED_TAG.finditer(sentence)) if "</" in sentence else []
    open_: list[tuple[str, int]] = []
    for index, tag in enumerate(tags):
        match = NAME.search(tag.group())
        name = match.group() if match else ""
        if tag.group().startswith("</"):
            place = next((row for row in range(len(open_) - 1, -1, -1) if open_[row][0] == name), None)
            if place is not None:
                yield tags[open_[place][1]].span(), tag.span()
                del open_[place:]
        elif not tag.group().endswith("/>"):
            open_.append((name, index))
