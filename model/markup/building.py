"""Tokens of a document -> its plan (`model.markup.plan`)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, chain, repeat

from model.markup.elements import Placed, joined_elements, whole_elements
from model.markup.plan import ANY_SIGN, WORDS_FROM, MarkupPlan, Part, Write, number_of
from model.markup.tags import FIRST_SIGN, LAST_SIGN, partner_of
from model.markup.tokens import Document, Notation, Token
from model.text.lines import Passage
from model.text.segments import Segment, segments_of

ENTITY_OR_CHAR = re.compile(r"&#?\w+;|[\s\S]")
LINE_BREAK = re.compile("\n")


def plan_document(document: Document, language: str) -> MarkupPlan:
    """Take `document` apart at its blocks, and these at their sentences, in `language`."""
    text = "".join(token.raw for token in document.tokens)
    building = _Building(text, language, document.notation)
    starts = accumulate((len(token.raw) for token in document.tokens), initial=0)
    block: list[Placed] = []
    for placed in whole_elements([Placed(*pair) for pair in zip(document.tokens, starts, strict=False)]):
        if placed.token.kind == "text" or placed.token.inline:
            block.append(placed)
        else:
            building.add_block(block)
            block = []
            building.frame += building.tag(placed)
    building.add_block(block)
    return building.plan()


@dataclass
class _Signed:
    """A text with signs."""

    text: str
    places: list[int]
    """Where in the document each character stands, and where the last one ends."""
    signs: list[Sequence[Part]] = field(default_factory=list)
    """What they stand for."""
    loose: set[str] = field(default_factory=set)
    """Signs of words that need not move with others."""


@dataclass
class _Building:
    """A plan that grows."""

    document: str
    language: str
    notation: Notation
    frame: list[Part] = field(default_factory=list)
    _segments: list[Segment] = field(default_factory=list)
    _signs: list[Sequence[Sequence[Part]]] = field(default_factory=list)
    _writes: list[Write] = field(default_factory=list)
    _places: list[tuple[int, int]] = field(default_factory=list)

    def plan(self) -> MarkupPlan:
        """What has been built."""
        return MarkupPlan(self._segments, self.frame, self._signs, self._writes, self._places, self.document)

    def add_block(self, block: Sequence[Placed]) -> None:
        """Add a block; it is kept as it is where it has no words, or more tags than there are signs."""
        words = any(map(str.isalpha, "".join(token.text for token, _ in block)))
        if words and 2 * len(block) <= LAST_SIGN - FIRST_SIGN:
            self.frame += self._sentences(self._signed(block), self.notation.text)
        else:
            for placed in block:
                self.frame += self.tag(placed)

    def _signed(self, block: Sequence[Placed]) -> _Signed:
        """The text of a block with a sign for each tag."""
        signed = _Signed("", [])
        open_: defaultdict[str, list[int]] = defaultdict(list)
        joined = joined_elements(block)
        for row, placed in enumerate(joined):
            token = placed.token
            if token.kind == "text" and not ANY_SIGN.search(token.text):
                signed.text += token.text
                signed.places += _places(token.text, token.raw, placed.start)
                continue
            if token.kind == "end" and open_[token.name]:
                number = open_[token.name].pop() + 1
                signed.signs[number] = self.tag(placed)
            else:
                number = len(signed.signs)
                signed.signs += [self.tag(placed), []]  # the second for what ends it
                if token.kind == "start":
                    open_[token.name].append(number)
            alone = _is_part(token) and _stands_alone(signed.text, row, joined)
            sign = chr(FIRST_SIGN + number + (WORDS_FROM if alone or token.kind == "word" else 0))
            signed.text += sign
            signed.places.append(placed.start)
            if alone:
                signed.loose.add(sign)
        last, start = block[-1]
        signed.places.append(start + len(last.raw))
        return signed

    def tag(self, placed: Placed) -> list[Part]:
        """A token that is kept, with holes for the values that are translated."""
        token, at = placed
        parts: list[Part] = []
        done = 0
        for start, end in token.values:
            raw = token.raw[start:end]
            value = self.notation.read_value(raw)
            if any(map(str.isalpha, value)) and not ANY_SIGN.search(value):
                parts.append(token.raw[done:start])
                places = _places(value, raw, at + start)
                signed = _Signed(value, [*places, at + end if places[-1] > at + start else at + start])
                parts += self._sentences(signed, partial(self.notation.value, token.raw[start - 1]))
                done = end
        return [*parts, token.raw[done:]]

    def _sentences(self, signed: _Signed, write: Write) -> list[Part]:
        """Add the sentences of a text."""
        parts: list[Part] = []
        done = 0
        for start, end in _sentence_places(signed, self.language):
            parts += self._outside(signed, done, start, write)
            parts.append(len(self._segments))
            self._segments.append(Segment(signed.text[start:end], ""))
            self._signs.append(signed.signs)
            self._writes.append(self._with_breaks(signed, start, end, write))
            self._places.append((signed.places[start], signed.places[end]))
            done = end
        return [*parts, *self._outside(signed, done, len(signed.text), write)]

    def _outside(self, signed: _Signed, start: int, end: int, write: Write) -> list[Part]:
        """White space and signs of that part of a text, which stands outside of sentences."""
        parts: list[Part] = []
        for place in range(start, end):
            char = signed.text[place]
            parts += (
                signed.signs[number_of(char)] if ANY_SIGN.match(char) else [self._raw(signed, place) or write(char)]
            )
        return parts

    def _with_breaks(self, signed: _Signed, start: int, end: int, write: Write) -> Write:
        """How that sentence is written: its lines begin as in the document, such as with the mark of a quotation."""
        breaks = [self._raw(signed, place) or "\n" for place in range(start, end) if signed.text[place] == "\n"]
        if set(breaks) <= {"\n"}:
            return write

        def written(text: str) -> str:
            following = chain(breaks, repeat(breaks[-1]))
            return LINE_BREAK.sub(lambda _: next(following), write(text))

        return written

    def _raw(self, signed: _Signed, place: int) -> str:
        """A character of a text as it stands in the document; empty if that is not known."""
        return self.document[signed.places[place] : signed.places[place + 1]]


def _sentence_places(signed: _Signed, language: str) -> Iterator[tuple[int, int]]:
    """Where the sentences of `text` begin and end, as they are without its tags, and without those around them."""
    text = signed.text
    kept = [place for place, char in enumerate(text) if not _is_tag(char)]
    start = done = 0
    segments = segments_of([Passage("".join(text[place] for place in kept), kept=False)], language)
    for row, segment in enumerate(segments):
        done += len(segment.text)
        end = kept[done - 1] + 1 if done else 0
        while end < len(text) and (row == len(segments) - 1 or _is_tag(text[end])):  # what ends at its end is its own
            end += 1
        if segment.text:
            first, last = _peeled(text[start:end], signed.loose)
            if first < last:
                yield start + first, start + last
        done += len(segment.separator_after)
        start = end


def _is_part(token: Token) -> bool:
    """Whether it is an element without text, such as a picture or an input, and no comment or other remark."""
    return token.kind == "other" and token.name not in ("", "wbr")


def _stands_alone(before: str, row: int, block: Sequence[Placed]) -> bool:
    """Whether there is white space on both sides of that part of a block, like of a word."""
    after = block[row + 1].token.text if row + 1 < len(block) else ""
    return before[-1:].isspace() and after[:1].isspace()


def _places(text: str, raw: str, start: int) -> list[int]:
    """Where in the document each character of `text` stands, which is written `raw`, with entities."""
    if len(text) == len(raw):
        return list(range(start, start + len(text)))
    if len(text) == 1:
        return [start]
    parts = list(ENTITY_OR_CHAR.finditer(raw))
    return [start + part.start() for part in parts] if len(parts) == len(text) else [start] * len(text)


def _peeled(text: str, loose: Container[str]) -> tuple[int, int]:
    """Where the sentence in `text` begins and ends without the tags around it, which need not move with any word.

    Nor need those signs of words that are `loose`.
    """
    first, last = 0, len(text)
    there = set(text)
    while first < last:
        left, right = text[first], text[last - 1]
        if left.isspace() or left in loose or (_is_tag(left) and partner_of(left) not in there):
            first += 1
        elif right.isspace() or right in loose or (_is_tag(right) and partner_of(right) not in there):
            last -= 1
        elif _is_tag(left) and partner_of(left) == right:
            first, last = first + 1, last - 1
        else:
            break
    return first, max(first, last)


def _is_tag(char: str) -> bool:
    return FIRST_SIGN <= ord(char) <= LAST_SIGN
