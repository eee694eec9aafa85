"""Translated texts: sentences, from the model or from memory, and what stands between them.

Lists stand where generators would do: most texts have one sentence, and thousands are put together each second.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from app.engine.decoder import Outcome
from app.memory.store import Hit
from app.translating.detection import Detection
from app.translating.preparing import Prepared
from model.text.lines import wrapped_as
from model.text.plan import Plan
from model.translation import Translation


class TranslatedSentence(NamedTuple):
    """One sentence and its translation."""

    source_text: str
    outcome: Outcome | None
    """The model's; None where memory answered or there was nothing to translate."""
    hit: Hit | None = None
    """Memory's."""

    def ranked(self, rank: int) -> str:
        """The text for rank 0, else that alternative, of which memory has none."""
        if self.hit is not None:
            return wrapped_as(self.source_text, self.hit.text)
        return self.source_text if self.outcome is None else _ranked(self.outcome, rank).text


class TranslatedText(NamedTuple):
    """One text of the request, translated."""

    source: str | None
    """None: it is in neither language, and stays as it is."""
    target: str
    detection: Detection | None
    sentences: Sequence[TranslatedSentence]
    """One for each segment of `plan`."""
    plan: Plan
    """What stands between them."""

    @property
    def text(self) -> str:
        """The whole translation, with the separators of the source."""
        return self._join(0)

    @property
    def score(self) -> float | None:
        """Mean log-probability per token over the model's sentences, 0 for copied ones; None where it was not asked."""
        return self._mean_score(0)

    @property
    def truncated(self) -> bool:
        """Whether any sentence was cut by the search."""
        return any(part.outcome is not None and part.outcome.translation.truncated for part in self.sentences)

    @property
    def version(self) -> str | None:
        """The model version; None where no model was asked."""
        versions = {part.outcome.version for part in self.sentences if part.outcome is not None}
        return "+".join(sorted(versions)) or None

    @property
    def correction_ids(self) -> list[uuid.UUID]:
        """The approved corrections that answered, in order, each once."""
        return list(dict.fromkeys([part.hit.correction_id for part in self.sentences if part.hit is not None]))

    @property
    def from_memory(self) -> bool:
        """Whether approved corrections answered all of it."""
        with_text = [part for part in self.sentences if part.source_text]
        return bool(with_text) and all(part.hit is not None for part in with_text)

    def alternatives(self, count: int) -> Iterator[tuple[str, float | None]]:
        """Up to `count` other translations: the i-th joins the i-th hypothesis of each sentence that has one."""
        seen = {self.text}
        for rank in range(1, count + 1):
            text = self._join(rank)
            if text not in seen:
                seen.add(text)
                yield text, self._mean_score(rank)

    def _join(self, rank: int) -> str:
        return self.plan.joined([part.ranked(rank) for part in self.sentences])

    def _mean_score(self, rank: int) -> float | None:
        chosen = [_ranked(part.outcome, rank) for part in self.sentences if part.outcome is not None]
        tokens = sum([one.tokens for one in chosen])
        total = sum([one.score * one.tokens for one in chosen])
        return total / max(1, tokens) if chosen and math.isfinite(total) else None


def assemble(text: Prepared, target: str, outcomes: Iterator[Outcome]) -> TranslatedText:
    """The translation of `text`, whose sentences take the next of `outcomes`."""
    sentences = [
        TranslatedSentence(segment.text, next(outcomes) if awaits else None, hit)
        for segment, hit, awaits in text.awaiting()
    ]
    return TranslatedText(text.source, target, text.detection, sentences, text.plan)


def _ranked(outcome: Outcome, rank: int) -> Translation:
    """The best translation for rank 0, else that alternative; the best where there are not so many."""
    alternatives = outcome.translation.alternatives
    return alternatives[rank - 1] if 0 < rank <= len(alternatives) else outcome.translation
