"""Texts -> the parts that are translated apart, and back.

text -> sentences -> clauses, where a sentence is long -> parts -> (translated or copied) -> one translation
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from model.text.preparation import clean, nothing_to_translate, sentences, split_long
from model.text.tokenizer import UNK, Tokenizer
from model.translation import EMPTY, Scored, Translation, join, with_alternatives

PAUSES = ",;:"
"""What may stand at the end of a clause in place of a full stop."""
WHOLE_SHARE = 0.625
"""Sentences of more than this share of the tokens that the network may read are cut at clauses: it saw few of them.

BLEU / chrF on 900 sentences of prose: 64 tokens 30.6 / 55.6, 48 31.0 / 56.1, 40 30.9 / 56.3, 32 30.5 / 56.3; on 334 of
phone calls 30.2 / 53.2, 30.2 / 53.2, 30.6 / 53.4, 30.5 / 53.6.
"""


@dataclass(frozen=True)
class Part:
    """A text or one part of it."""

    text: str
    ids: list[int] | None
    """Source ids without the end mark, or None if the part is copied."""
    prefix: list[int]
    """Target ids that its translation must begin with."""


@dataclass(frozen=True)
class Cutter:
    """Cuts texts into parts for a network that reads at most `max_tokens` at once."""

    source: Tokenizer
    target: Tokenizer
    max_tokens: int

    def parts(self, texts: Sequence[str], prefixes: Sequence[str]) -> list[list[Part]]:
        """The parts of each text: none if it is empty, usually one."""
        cleaned = [clean(text) for text in texts]
        return [
            self._parts_of(text, ids, self.target.encode(clean(prefix)) if prefix else [])
            for text, ids, prefix in zip(cleaned, self.source.encode_batch(cleaned), prefixes, strict=True)
        ]

    def _parts_of(self, text: str, ids: list[int], forced: list[int]) -> list[Part]:
        if not text:
            return []
        pieces = [text] if forced and len(ids) <= self.max_tokens else self._pieces(text, ids)
        encoded = [ids] if len(pieces) == 1 else self.source.encode_batch(pieces)
        parts: list[Part] = []
        for piece, ids_of_piece in zip(pieces, encoded, strict=True):
            prefix = [] if parts else forced
            endless = len(ids_of_piece) > self.max_tokens  # a word so long that it cannot be one
            copy = endless or (nothing_to_translate(piece) and not prefix)
            parts.append(Part(piece, None if copy else ids_of_piece, prefix))
        return parts

    def _pieces(self, text: str, ids: list[int]) -> list[str]:
        """The sentences of `text`, and the clauses of the long ones."""
        if nothing_to_translate(text):
            return [text]
        limit = int(WHOLE_SHARE * self.max_tokens)
        whole = sentences(text)
        if len(whole) == 1 and len(ids) <= limit:
            return whole
        return [piece for sentence in whole for piece in split_long(sentence, self._count, limit)]

    def _count(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self.source.encode_batch(texts)]

    def assemble(self, parts: Sequence[Part], found: Sequence[Sequence[Scored]]) -> Translation:
        """One text's translation from those of its parts; alternatives combine alternatives of equal rank."""
        if not parts:
            return EMPTY
        if len(parts) == 1:
            return with_alternatives([scored.translation for scored in found[0]])
        counts = [len(part.text.split()) for part in parts]
        depth = max(len(ranked) for ranked in found)
        ranked = [
            [
                self._fitted(part, of_part[min(rank, len(of_part) - 1)])
                for part, of_part in zip(parts, found, strict=True)
            ]
            for rank in range(depth)
        ]
        return with_alternatives([join(scored, counts) for scored in ranked])

    def _fitted(self, part: Part, scored: Scored) -> Scored:
        """A clause's translation without the capital and the full stop that the network gives it as a sentence.

        The capital stays where the small word is not in the vocabulary as a whole: names, *Monday*, *I*.
        """
        words = list(scored.translation.words)
        if not words or scored.translation.copied or part.prefix:
            return scored
        first, last = words[0].text, words[-1].text
        small = first[:1].lower() + first[1:]
        if part.text[:1].islower() and first not in part.text and self._is_whole(small):
            words[0] = replace(words[0], text=small)
        end = part.text[-1:]
        if last.endswith(".") and "." not in last[:-1] and (end in PAUSES or end.isalnum()):
            last = words[-1].text.removesuffix(".") + (end if end in PAUSES else "")
            words[-1] = replace(words[-1], text=last)
        text = " ".join(word.text for word in words)
        return replace(scored, translation=replace(scored.translation, text=text, words=tuple(words)))

    def _is_whole(self, word: str) -> bool:
        """Whether `word` is in the target's vocabulary, not only its pieces."""
        ids = self.target.encode(word)
        return len(ids) == 1 and ids[0] != UNK
