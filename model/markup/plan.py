"""Tokens of a document -> a plan of its sentences, in which inline tags are single signs, and back.

    <p>Leggi <b>qui</b>.</p>  ->  "<p>" | "Leggi ⟨1⟩qui⟨2⟩." | "</p>"  ->  "<p>" | "Read ⟨1⟩here⟨2⟩." | "</p>"

What is not text is kept byte for byte. A tag with a title, or another value that is translated, has a hole for it,
wherever the tag stands in the end.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate, chain, repeat

from model.markup.elements import Placed, joined_elements, whole_elements
from model.markup.tags import FIRST_SIGN, LAST_SIGN, partner_of
from model.markup.tokens import Document, Notation, Token
from model.text.lines import Passage
from model.text.plan import Plan
from model.text.segments import Segment, segments_of
from model.translation import EMPTY, Translation, by_rank, join, with_alternatives

LINE_BREAK = re.compile("\n")
WORDS_FROM = 0x10000
"""So much further up are the signs of what is a word of the sentence, such as code: `model.text.kept` keeps those."""
ANY_SIGN = re.compile("[\U000f0000-\U000ffffd\U00100000-\U0010fffd]")
Write = Callable[[str], str]
"""A text as people see it -> as it stands in a document."""
Part = str | int
"""What is kept, or the number of the sentence whose translation stands there."""


@dataclass(frozen=True)
class MarkupPlan(Plan):
    """A document, taken apart. Its sentences are in `segments`, which have no separators here."""

    frame: Sequence[Part] = ()
    """The document."""
    signs: Sequence[Sequence[Sequence[Part]]] = ()
    """For each sentence, what its signs stand for, by their numbers."""
    writes: Sequence[Write] = ()
    """For each sentence, how its text is written."""
    places: Sequence[tuple[int, int]] = ()
    """For each sentence, where it begins and ends in the document."""

    @property
    def spans(self) -> Sequence[tuple[int, int]]:
        """Where in the document each sentence begins and ends."""
        return self.places

    def shown(self, text: str) -> str:
        """A sentence without its tags."""
        return ANY_SIGN.sub("", text)

    def encoded(self, number: int, text: str) -> str:
        """Sentence `number`, or a translation of it, as it stands in the document; values of its tags as they were."""
        return self._written(number, text, [segment.text for segment in self.segments])

    def joined(self, texts: Sequence[str]) -> str:
        """The document with `texts` in the place of its sentences."""
        return self._filled(self.frame, texts)

    def put_together(self, translations: Sequence[Translation]) -> Translation:
        """The translated document."""
        if not translations:
            return replace(EMPTY, text=self.joined(()))
        counts = [len(segment.text.split()) for segment in self.segments]
        ranked = by_rank([(one, *one.alternatives) for one in translations])
        return with_alternatives(
            [replace(join(chosen, counts), text=self.joined([one.text for one in chosen])) for chosen in ranked]
        )

    def _filled(self, parts: Sequence[Part], texts: Sequence[str]) -> str:
        return "".join(part if isinstance(part, str) else self._written(part, texts[part], texts) for part in parts)

    def _written(self, number: int, text: str, texts: Sequence[str]) -> str:
        signs = self.signs[number]

        def tag(match: re.Match[str]) -> str:
            sign = _number_of(match.group())
            return self._filled(signs[sign], texts) if sign < len(signs) else match.group()

        return ANY_SIGN.sub(tag, self.writes[number](text))


def plan_document(document: Document, language: str) -> MarkupPlan:
    """Take `document` apart at its blocks, and these at their sentences, in `language`."""
    building = _Building(language, document.notation)
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
    breaks: dict[int, str] = field(default_factory=dict)
    """How line breaks are written that are more than that, by their places in the text."""


@dataclass
class _Building:
    """A plan that grows."""

    language: str
    notation: Notation
    frame: list[Part] = field(default_factory=list)
    _segments: list[Segment] = field(default_factory=list)
    _signs: list[Sequence[Sequence[Part]]] = field(default_factory=list)
    _writes: list[Write] = field(default_factory=list)
    _places: list[tuple[int, int]] = field(default_factory=list)

    def plan(self) -> MarkupPlan:
        """What has been built."""
        return MarkupPlan(self._segments, self.frame, self._signs, self._writes, self._places)

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
                if token.text == "\n" and token.raw[0] in "\r\n":
                    signed.breaks[len(signed.text)] = token.raw
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
                signed = _Signed(value, [*_places(value, raw, at + start), at + end])
                parts += self._sentences(signed, partial(self.notation.value, token.raw[start - 1]))
                done = end
        return [*parts, token.raw[done:]]

    def _sentences(self, signed: _Signed, write: Write) -> list[Part]:
        """Add the sentences of a text."""
        parts: list[Part] = []
        done = 0
        for start, end in _sentence_places(signed, self.language):
            parts += _outside(signed, done, start, write)
            parts.append(len(self._segments))
            self._segments.append(Segment(signed.text[start:end], ""))
            self._signs.append(signed.signs)
            self._writes.append(_with_breaks(signed, start, end, write))
            self._places.append((signed.places[start], signed.places[end]))
            done = end
        return [*parts, *_outside(signed, done, len(signed.text), write)]


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
    """Where in the document each character of `text` stands, which is written `raw`: all at its start if it differs."""
    return list(range(start, start + len(text))) if len(text) == len(raw) else [start] * len(text)


def _number_of(sign: str) -> int:
    return (ord(sign) - FIRST_SIGN) % WORDS_FROM


def _outside(signed: _Signed, start: int, end: int, write: Write) -> list[Part]:
    """White space and signs of that part of a text, which stands outside of sentences."""
    parts: list[Part] = []
    for place in range(start, end):
        char = signed.text[place]
        parts += signed.signs[_number_of(char)] if ANY_SIGN.match(char) else [signed.breaks.get(place) or write(char)]
    return parts


def _with_breaks(signed: _Signed, start: int, end: int, write: Write) -> Write:
    """How that sentence is written: its lines begin as in the document, such as with the mark of a quotation."""
    breaks = [signed.breaks[place] for place in range(start, end) if place in signed.breaks]
    if not breaks:
        return write

    def written(text: str) -> str:
        following = chain(breaks, repeat(breaks[-1]))
        return LINE_BREAK.sub(lambda _: next(following), write(text))

    return written


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
