"""Sentences whose untranslatable parts the network does not see: it gets `<ph0>` for them, and they come back exactly.

    sentence -> guard -> pieces with placeholders -> (network) -> restore -> the sentence's translation

What stands at an edge and says nothing about the sentence (emoji, hashtags, tags) does not go to the network at all.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from model.text.kept.amounts import amount_in_other_language
from model.text.kept.spans import Span, find_spans
from model.text.tokenizer import PLACEHOLDER, PLACEHOLDERS
from model.translation import Translation, Word, by_rank, copied, join, with_alternatives

LOOSE = frozenset(("symbol", "mention", "tag"))
"""Kinds that are left out of the sentence where they stand at its edge; others are words of it."""
MARKS = re.compile(r"[\s,;:/|–—-]*")
"""What follows such a part at the beginning goes with it."""
TOGETHER = re.compile(r"[\s/|]*")
"""Parts with nothing else between them are one placeholder."""
GLUED = re.compile(r"(<ph\d>)(?=(<ph\d>))")
WORD = re.compile(r"\S+")
ENDS = re.compile(r"[.,;:!?)\]…»”]+$")
LOST = "span"
"""A warning: such a part did not come back by itself, once, and stands where the alignment says."""


class Piece(NamedTuple):
    """What goes to the network at once."""

    before: str
    """What is not translated and stands before it, the white space too."""
    before_at: int
    """Where in the sentence that begins."""
    text: str
    """With placeholders."""
    spans: tuple[str, ...]
    """What `<ph0>`, `<ph1>` … stand for."""
    origins: tuple[tuple[int, ...], ...]
    """For each word of `text`, the words of the sentence that it is."""

    def expanded(self, text: str) -> str:
        """`text` of a translation with what its placeholders stand for, and a space between two, as in the source."""
        apart = GLUED.sub(lambda match: match[1] if match[1] + match[2] in self.text else f"{match[1]} ", text)
        return PLACEHOLDER.sub(
            lambda match: self.spans[int(match[1])] if int(match[1]) < len(self.spans) else "", apart
        )


@dataclass(frozen=True, slots=True)
class Guarded:
    """A sentence, taken apart at what must not be translated."""

    source: str
    pieces: tuple[Piece, ...]
    """None where nothing is left to translate; several where there are more such parts than placeholders."""
    after: str
    """What is not translated and stands at the end, the white space too."""


class _Stretch(NamedTuple):
    """A part of a piece's text, and what of the sentence it is."""

    at: int
    start: int
    end: int
    kept: bool


def guard(sentence: str, source: str, *, edges: bool = True) -> Guarded | None:
    """Take `sentence` apart, in the language `source`; None if it holds nothing that must be kept.

    `edges`: leave out what stands there and says nothing about the sentence.
    """
    spans = find_spans(sentence)
    if not spans:
        return None
    groups = _groups(sentence, spans)
    start, end = 0, len(sentence)
    while edges and groups and groups[0].kind in LOOSE and not sentence[start : groups[0].start].strip():
        start = _without_marks(sentence, groups.pop(0).end, end)
    while edges and groups and groups[-1].kind in LOOSE and not sentence[groups[-1].end : end].strip():
        end = groups.pop().start
    end = max(start, len(sentence[:end].rstrip()))
    pieces: list[Piece] = []
    words, literal_at, most = word_starts(sentence), 0, len(PLACEHOLDERS)
    for first in range(0, len(groups) or 1, most):
        chunk = groups[first : first + most]
        stop = end if first + most >= len(groups) else chunk[-1].end
        start = _without_marks(sentence, start, stop) if first else stop - len(sentence[start:stop].lstrip())
        text, stretches = _with_placeholders(sentence, start, stop, chunk)
        if any(map(str.isalpha, PLACEHOLDER.sub("", text))):
            kept = tuple(_in_translation(sentence, span, source) for span in chunk)
            origins = _origins(words, text, stretches)
            pieces.append(Piece(sentence[literal_at:start], literal_at, text, kept, origins))
            literal_at = stop
        start = stop
    return Guarded(
        sentence, tuple(pieces), sentence[literal_at:] if pieces else _without_words(sentence, spans, source)
    )


def _without_marks(sentence: str, start: int, stop: int) -> int:
    marks = MARKS.match(sentence, start, stop)
    return marks.end() if marks else start


def _without_words(sentence: str, spans: Sequence[Span], source: str) -> str:
    """`sentence`, which has nothing to translate, with its amounts as the other language writes them."""
    done, text = 0, ""
    for span in spans:
        text += sentence[done : span.start] + _in_translation(sentence, span, source)
        done = span.end
    return text + sentence[done:]


def masked(sentence: str, spans: Sequence[Span], texts: Sequence[str]) -> Guarded | None:
    """`sentence` with placeholders for `spans`, for which `texts` come back; None if there are none, or too many."""
    if not 0 < len(spans) <= len(PLACEHOLDERS):
        return None
    text, stretches = _with_placeholders(sentence, 0, len(sentence), spans)
    origins = _origins(word_starts(sentence), text, stretches)
    return Guarded(sentence, (Piece("", 0, text, tuple(texts), origins),), "")


def restore(guarded: Guarded, translations: Sequence[Translation]) -> Translation:
    """The translation of a sentence from those of its pieces; alternatives join those of equal rank."""
    if not guarded.pieces:
        last = len(guarded.source.split()) - 1
        whole = copied(guarded.after)
        words = (replace(word, source_words=(min(row, last),)) for row, word in enumerate(whole.words))
        return replace(whole, words=tuple(words))
    ranked = [(translation, *translation.alternatives) for translation in translations]
    return with_alternatives([_restored(guarded, chosen) for chosen in by_rank(ranked)])


def _in_translation(sentence: str, span: Span, source: str) -> str:
    text = sentence[span.start : span.end]
    return amount_in_other_language(text, source) if span.kind == "amount" else text


def _groups(sentence: str, spans: Sequence[Span]) -> list[Span]:
    """Neighbours as one; of the kind of those that need a place in the sentence, if one does."""
    groups = [spans[0]]
    for span in spans[1:]:
        last = groups[-1]
        if "amount" not in (last.kind, span.kind) and TOGETHER.fullmatch(sentence, last.end, span.start):
            groups[-1] = Span(last.start, span.end, span.kind if last.kind in LOOSE else last.kind)
        else:
            groups.append(span)
    return groups


def _with_placeholders(sentence: str, start: int, stop: int, spans: Iterable[Span]) -> tuple[str, list[_Stretch]]:
    """That part of `sentence` with placeholders, and what each stretch of the text is."""
    text, stretches = "", []
    for number, span in enumerate(spans):
        stretches.append(_Stretch(len(text), start, span.start, kept=False))
        text += sentence[start : span.start]
        stretches.append(_Stretch(len(text), span.start, span.end, kept=True))
        text += PLACEHOLDERS[number]
        start = span.end
    stretches.append(_Stretch(len(text), start, stop, kept=False))
    return text + sentence[start:stop], stretches


def word_starts(sentence: str) -> list[int]:
    """Where each word of `sentence` begins."""
    return [match.start() for match in WORD.finditer(sentence)]


def _origins(starts: Sequence[int], text: str, stretches: Sequence[_Stretch]) -> tuple[tuple[int, ...], ...]:
    """For each word of `text`, the words of the sentence that it stands for; those begin at `starts`."""
    begins = [stretch.at for stretch in stretches]

    def sources(place: int) -> tuple[int, int]:
        """First and last character of the sentence of which the one at `place` of `text` is a part."""
        stretch = stretches[bisect_right(begins, place) - 1]
        there = stretch.start + place - stretch.at
        return (stretch.start, stretch.end - 1) if stretch.kept else (there, there)

    words = ((sources(match.start())[0], sources(match.end() - 1)[1]) for match in WORD.finditer(text))
    return tuple(tuple(range(bisect_right(starts, first) - 1, bisect_right(starts, last))) for first, last in words)


class _Joiner:
    """Puts a translation together from what is kept and what was translated."""

    def __init__(self, source: str) -> None:
        self._starts = word_starts(source)
        self.text = ""
        self.words: list[Word] = []

    def keep(self, literal: str, at: int) -> None:
        """Add what stands at `at` of the source as it is."""
        words = [Word(match.group(), 1.0, (bisect_right(self._starts, at + match.start()) - 1,))
                 for match in WORD.finditer(literal)]  # fmt: skip
        self._add(literal, words)

    def translated(self, piece: Piece, translation: Translation) -> None:
        """Add the translation of `piece`, with what its placeholders stand for."""
        words: list[Word] = []
        for word in translation.words:
            origins = {origin for index in word.source_words for origin in piece.origins[index]}
            texts = piece.expanded(word.text).split()
            words += [replace(word, text=text, source_words=tuple(sorted(origins))) for text in texts]
        self._add(piece.expanded(translation.text), words)

    def _add(self, text: str, words: Sequence[Word]) -> None:
        if self.words and words and not self.text[-1:].isspace() and not text[:1].isspace():
            last, first = self.words.pop(), words[0]
            both = tuple(sorted({*last.source_words, *first.source_words}))
            glued = Word(last.text + first.text, min(last.confidence, first.confidence), both)
            words = [glued, *words[1:]]
        self.words += words
        self.text += text


def _restored(guarded: Guarded, translations: Sequence[Translation]) -> Translation:
    """The first translations of all pieces as one."""
    joiner = _Joiner(guarded.source)
    complete = [_complete(piece, one) for piece, one in zip(guarded.pieces, translations, strict=True)]
    for piece, translation in zip(guarded.pieces, complete, strict=True):
        joiner.keep(piece.before, piece.before_at)
        joiner.translated(piece, translation)
    joiner.keep(guarded.after, len(guarded.source) - len(guarded.after))
    joined = complete[0] if len(complete) == 1 else join(complete, [len(piece.origins) for piece in guarded.pieces])
    return replace(joined, text=joiner.text, words=tuple(joiner.words), alternatives=())


def _complete(piece: Piece, translation: Translation) -> Translation:
    """`translation` with each placeholder once: what came twice is left out, what did not come is put in its place."""
    counts = Counter(int(match[1]) for match in PLACEHOLDER.finditer(translation.text))
    if counts == Counter(range(len(piece.spans))):
        return translation
    seen: set[int] = set()

    def once(match: re.Match[str]) -> str:
        number = int(match[1])
        fresh = number < len(piece.spans) and number not in seen
        seen.add(number)
        return match.group() if fresh else ""

    words = [replace(word, text=PLACEHOLDER.sub(once, word.text)) for word in translation.words]
    words = [word for word in words if word.text]
    read = piece.text.split()
    for number in range(len(piece.spans)):
        if number not in seen:
            _insert(words, number, next(index for index, word in enumerate(read) if PLACEHOLDERS[number] in word))
    text = " ".join(word.text for word in words)
    return replace(translation, text=text, words=tuple(words), warnings=(*translation.warnings, LOST))


def _insert(words: list[Word], number: int, index: int) -> None:
    """Put a placeholder, of the source's word `index`, behind the last word that renders what stands before it."""
    before = [place for place, word in enumerate(words) if word.source_words and max(word.source_words) < index]
    place = before[-1] + 1 if before else 0
    marks = ""
    if place == len(words) and words and (match := ENDS.search(words[-1].text)):  # the end mark stays the end
        marks = match.group()
        words[-1] = replace(words[-1], text=words[-1].text.removesuffix(marks))
    words.insert(place, Word(PLACEHOLDERS[number] + marks, 0.0, (index,)))
