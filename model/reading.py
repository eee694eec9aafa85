"""What the search found for a part -> its translation: words, confidence, alignment, coverage, names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.search.hypothesis import Hypothesis
from model.text.alignment import WordPieces, coverage, on_words, word_groups, words_of
from model.text.names import restore_names
from model.text.parts import Part
from model.text.preparation import clean
from model.text.tokenizer import Tokenizer
from model.translation import Scored, Translation


class Reader:
    """Reads the ids of one pair of vocabularies."""

    def __init__(self, source: Tokenizer, target: Tokenizer) -> None:
        self._target = target
        self._source_pieces, self._target_pieces = WordPieces(source), WordPieces(target)

    def read(self, part: Part, hypotheses: Sequence[Hypothesis]) -> list[Scored]:
        """The translations that `hypotheses` are of `part`, in their order."""
        ids = part.ids or []
        source = _Source(part, [*self._source_pieces.starts(ids), len(ids)], len(part.text.split()))
        return [self._one(source, hypothesis) for hypothesis in hypotheses]

    def _one(self, source: _Source, hypothesis: Hypothesis) -> Scored:
        text = clean(self._target.decode(hypothesis.tokens))
        starts = self._target_pieces.starts(hypothesis.tokens)
        groups = word_groups(text, hypothesis.tokens, starts, self._target)
        attention, tokens = on_words(hypothesis.attention, source.starts), len(hypothesis.log_probs)
        words = words_of(groups, hypothesis.log_probs[: len(hypothesis.tokens)], attention, source.words)
        score = sum(hypothesis.log_probs) / tokens
        translation = Translation(text, score, words, truncated=not hypothesis.finished, tokens=tokens)
        if not source.part.prefix:  # what is forced stays as it is
            translation = restore_names(source.part.text, translation)
        return Scored(translation, coverage(attention))


@dataclass(frozen=True, slots=True)
class _Source:
    part: Part
    starts: list[int]
    """Index of the first piece of each word, the end mark's index last."""
    words: int
    """Words between spaces."""
