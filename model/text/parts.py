"""Sentences -> the parts that are translated apart, and back.

sentence -> clauses, where it is long -> parts -> (translated or copied) -> one translation
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.text.ids import UNK
from model.text.marks import with_marks_of
from model.text.preparation import clean, nothing_to_translate, split_long
from model.text.tokenizer import Tokenizer
from model.translation import EMPTY, Scored, Translation, join_ranked, with_alternatives

WHOLE_SHARE = 0.625
"""Sentences of more than this share of the tokens that the network may read are cut at clauses: it saw few of them.

BLEU / chrF on 900 sentences of prose: 64 tokens 30.6 / 55.6, 48 31.0 / 56.1, 40 30.9 / 56.3, 32 30.5 / 56.3; on 334 of
phone calls 30.2 / 53.2, 30.2 / 53.2, 30.6 / 53.4, 30.5 / 53.6.
"""


@dataclass(frozen=True)
class Part:
    """A sentence or one part of it."""

    text: str
    ids: list[int] | None
    """Source ids without the end mark, or None if the part is copied."""
    prefix: list[int]
    """Target ids that its translation must begin with."""
    word_ended: bool = False
    """Whether what is forced ends with a space: the next piece must not go on with its last word."""


@dataclass(frozen=True)
class Cutter:
    """Cuts sentences into parts for a network that reads at most `max_tokens` at once."""

    source: Tokenizer
    target: Tokenizer
    max_tokens: int
    never_small: str = ""
    """A word that the target language never writes so: English *i*."""

    def parts(self, sentences: Sequence[str], prefixes: Sequence[str], *, whole: bool = False) -> list[list[Part]]:
        """The parts of each sentence: none if it is empty, usually one; `whole`: one if it can be read at once."""
        cleaned = [clean(sentence) for sentence in sentences]
        return [
            self._parts_of(text, ids, prefix, whole=whole)
            for text, ids, prefix in zip(cleaned, self.source.encode_batch(cleaned), prefixes, strict=True)
        ]

    def _parts_of(self, text: str, ids: list[int], begun: str, *, whole: bool) -> list[Part]:
        if not text:
            return []
        forced = self.target.encode(clean(begun)) if begun else []
        word_ended = bool(forced) and begun[-1].isspace()
        whole = (whole or bool(forced)) and len(ids) <= self.max_tokens
        pieces = [text] if whole else self._pieces(text, ids)
        encoded = [ids] if len(pieces) == 1 else self.source.encode_batch(pieces)
        parts: list[Part] = []
        for piece, ids_of_piece in zip(pieces, encoded, strict=True):
            prefix = [] if parts else forced
            endless = len(ids_of_piece) > self.max_tokens  # a word so long that it cannot be one
            copy = endless or (nothing_to_translate(piece) and not prefix)
            parts.append(Part(piece, None if copy else ids_of_piece, prefix, word_ended and not parts))
        return parts

    def _pieces(self, text: str, ids: list[int]) -> list[str]:
        """`text`, or its clauses if it is long."""
        limit = int(WHOLE_SHARE * self.max_tokens)
        if len(ids) <= limit or nothing_to_translate(text):
            return [text]
        return split_long(text, self._count, limit)

    def _count(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self.source.encode_batch(texts)]

    def assemble(self, parts: Sequence[Part], found: Sequence[Sequence[Scored]]) -> Translation:
        """One sentence's translation from those of its parts."""
        if not parts:
            return EMPTY
        if len(parts) == 1:
            return with_alternatives([scored.translation for scored in found[0]])
        fitted = [
            [self._fitted(part, scored.translation) for scored in of_part]
            for part, of_part in zip(parts, found, strict=True)
        ]
        return join_ranked(fitted, [len(part.text.split()) for part in parts])

    def _fitted(self, part: Part, translation: Translation) -> Translation:
        """A clause's translation without the capital and the full stop that the network gives it as a sentence."""
        as_it_is = translation.copied or part.prefix
        return translation if as_it_is else with_marks_of(part.text, translation, self.is_word)

    def knows(self, word: str) -> bool:
        """Whether the source's vocabulary has `word` as a whole."""
        return _has_whole(self.source, word)

    def is_word(self, word: str) -> bool:
        """Whether the target language writes `word` so, in small letters, and its vocabulary has it as a whole."""
        return _has_whole(self.target, word) and word != self.never_small


def _has_whole(tokenizer: Tokenizer, word: str) -> bool:
    ids = tokenizer.encode(word)
    return len(ids) == 1 and ids[0] != UNK
