"""All that is said of one set of sentences: scores with intervals, slips, groups, careless typing, a comparison."""

from __future__ import annotations

import time
from collections.abc import Container, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.progress import Progress

from model.config import SearchConfig
from model.translator import Translation, Translator
from training.data.noise import COPIES
from training.scoring.bootstrap import Difference, Estimate, Statistics
from training.scoring.breakdown import all_references, by_length, by_nearness
from training.scoring.diagnostics import Diagnostics, diagnose
from training.scoring.sets import Collection, Pairs

CHUNK = 1000
"""Sentences that are translated between two movements of the bar."""
CAPITALS = "capitals"


@dataclass(frozen=True)
class Subject:
    """A version under test; a bar moves while it translates."""

    translator: Translator
    search: SearchConfig
    progress: Progress

    def translate(self, texts: Sequence[str], what: str, prefixes: Sequence[str] = ()) -> list[Translation]:
        """Translations as users would get them, each beginning with its prefix if there are any; `what` is shown."""
        done: list[Translation] = []
        starts = range(0, len(texts), CHUNK)
        for start in self.progress.track(starts, description=f"{self.translator.version}: {what}"):
            chunk = slice(start, start + CHUNK)
            done += self.translator.translate(texts[chunk], self.search, prefixes[chunk] or None)
        return done

    def texts(self, texts: Sequence[str], what: str) -> list[str]:
        """The same as plain text."""
        return [translation.text for translation in self.translate(texts, what)]


@dataclass(frozen=True)
class MultiReference:
    """Scores against all translations that the collection has of each source."""

    scores: Estimate
    references: int
    """Of all sentences together."""
    bleu_signature: str
    chrf_signature: str


@dataclass(frozen=True)
class SetReport:
    """What was found; a part that was not asked for is None."""

    scores: Estimate
    seconds: float
    """Time spent translating."""
    bleu_signature: str
    chrf_signature: str
    diagnostics: Diagnostics
    groups: dict[str, Estimate] | None
    """By length and nearness to training."""
    multi_reference: MultiReference | None
    """None also if the collection has no second reference of any sentence."""
    noise: dict[str, Estimate] | None
    """Copy of the set -> scores."""
    against: dict[str, Difference] | None
    """`bleu` and `chrf` against the other version."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON: the scores on top, then the parts that there are."""
        parts = asdict(self)
        return {**parts.pop("scores"), **{name: part for name, part in parts.items() if part is not None}}


@dataclass(frozen=True)
class Parts:
    """What is to be said besides scores and slips."""

    breakdown: bool = False
    noise: bool = False
    collection: Collection | None = None
    """Where nearness and further references come from."""
    words: Container[str] | None = None
    """All words of the training tables, of both languages: others are invented."""


def report_set(name: str, pairs: Pairs, subject: Subject, other: Subject | None, parts: Parts) -> SetReport:
    """Translate and score `pairs`."""
    sources, references = [source for source, _ in pairs], [reference for _, reference in pairs]
    began = time.perf_counter()
    outputs = subject.texts(sources, name)
    seconds = round(time.perf_counter() - began, 3)
    statistics = _statistics(outputs, references)
    theirs = _statistics(other.texts(sources, name), references) if other else None
    return SetReport(
        scores=statistics.estimate(),
        seconds=seconds,
        bleu_signature=statistics.bleu_signature,
        chrf_signature=statistics.chrf_signature,
        diagnostics=diagnose(sources, outputs, references, subject.translator.pair, parts.words),
        groups=_groups(statistics, sources, subject, parts.collection) if parts.breakdown else None,
        multi_reference=_multi_reference(outputs, pairs, parts.collection) if parts.collection else None,
        noise=_noise(name, pairs, subject) if parts.noise else None,
        against=statistics.compare(theirs) if theirs else None,
    )


def _statistics(outputs: Sequence[str], references: Sequence[str]) -> Statistics:
    return Statistics(outputs, [[reference] for reference in references])


def _groups(
    statistics: Statistics, sources: Sequence[str], subject: Subject, collection: Collection | None
) -> dict[str, Estimate]:
    groups = by_length(sources)
    if collection and collection.training:
        training = subject.progress.track(collection.training, description="sentences near those of training")
        groups |= by_nearness(sources, (source for source, _ in training))
    return {name: statistics.estimate(rows) for name, rows in groups.items()}


def _multi_reference(outputs: Sequence[str], pairs: Pairs, collection: Collection) -> MultiReference | None:
    references = all_references(pairs, [*collection.held_out, *collection.training])
    count = sum(map(len, references))
    if count == len(pairs):
        return None
    statistics = Statistics(outputs, references)
    return MultiReference(statistics.estimate(), count, statistics.bleu_signature, statistics.chrf_signature)


def _noise(name: str, pairs: Pairs, subject: Subject) -> dict[str, Estimate]:
    found = {}
    for copy, disturb in COPIES.items():
        outputs = subject.texts([disturb(source) for source, _ in pairs], f"{name}, {copy}")
        # who shouts is answered in capitals, which no reference has
        fold = str.lower if copy == CAPITALS else str
        references = [fold(reference) for _, reference in pairs]
        found[copy] = _statistics([fold(output) for output in outputs], references).estimate()
    return found
