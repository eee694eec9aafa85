"""How sure is a score? 95 % intervals, and paired comparison of two versions, by bootstrap resampling (Koehn 2004).

sacreBLEU computes the counts of each sentence and the score of their sums. It is used through the two methods that each
of its metrics must have (`_extract_corpus_statistics`, `_compute_score_from_stats`) because its public functions give
neither the ends of an interval nor the interval of a difference. A test holds the results against the public ones.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from model.config import require

RESAMPLES = 1000
SEED = 12345
"""The draws depend on the number of sentences alone: results can be repeated, and two versions are paired."""
LEVEL = (2.5, 97.5)
"""Percentiles at the ends of an interval."""

Interval = tuple[float, float]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """Scores of some sentences, 0 to 100, each with its 95 % interval."""

    sentences: int
    bleu: float
    bleu_interval: Interval
    chrf: float
    chrf_interval: Interval


@dataclass(frozen=True)
class Difference:
    """How much better one version is than another on the same sentences."""

    delta: float
    """Points; above 0 the one is better."""
    interval: Interval
    """95 % of the resampled differences lie in it."""
    p: float
    """How often chance alone makes a difference as large as this, in either direction; never below 1/1001."""


class Statistics:
    """What each sentence adds to BLEU and chrF, so that the scores of any selection of sentences are quickly there.

    Counted once, when first asked for.
    """

    def __init__(self, hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> None:
        """`references` has all those of each sentence, at least one.

        Raises:
            ConfigError: there are no sentences, or not as many of both.
        """
        same = bool(hypotheses) and len(hypotheses) == len(references)
        require(same, f"cannot score {len(hypotheses)} translations against {len(references)} references")
        self._texts = hypotheses, references

    @functools.cached_property
    def _bleu(self) -> _Counts:
        return _Counts.of(BLEU(force=True), *self._texts)

    @functools.cached_property
    def _chrf(self) -> _Counts:
        return _Counts.of(CHRF(), *self._texts)

    @property
    def bleu_signature(self) -> str:
        """How BLEU was computed."""
        return str(self._bleu.metric.get_signature())

    @property
    def chrf_signature(self) -> str:
        """How chrF was computed."""
        return str(self._chrf.metric.get_signature())

    @property
    def bleu(self) -> float:
        """Of all sentences, without an interval."""
        return self._bleu.score()

    def estimate(self, rows: Sequence[int] | None = None) -> Estimate:
        """Scores of the sentences with these indexes, at least one; of all by default."""
        bleu, chrf = self._bleu.select(rows), self._chrf.select(rows)
        return Estimate(
            len(bleu.rows), bleu.score(), _interval(bleu.resampled()), chrf.score(), _interval(chrf.resampled())
        )

    def compare(self, other: Statistics) -> dict[str, Difference]:
        """`bleu` and `chrf`: these translations against `other` ones of the same sentences."""
        return {"bleu": self.compare_bleu(other), "chrf": _difference(self._chrf, other._chrf)}

    def compare_bleu(self, other: Statistics) -> Difference:
        """The one that the gate asks for, in a fifth of the time."""
        return _difference(self._bleu, other._bleu)


@dataclass(frozen=True)
class _Counts:
    """The counts of one metric, a row for each sentence."""

    metric: Any
    rows: Floats

    @classmethod
    def of(cls, metric: Any, hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Self:
        depth = max(map(len, references))
        streams = [[own[rank] if rank < len(own) else None for own in references] for rank in range(depth)]
        return cls(metric, np.array(metric._extract_corpus_statistics(hypotheses, streams), dtype=np.float64))

    def select(self, rows: Sequence[int] | None) -> _Counts:
        return self if rows is None else _Counts(self.metric, self.rows[list(rows)])

    def score(self) -> float:
        return self._score(self.rows.sum(axis=0))

    def resampled(self) -> Floats:
        """The scores of `RESAMPLES` draws."""
        return np.array([self._score(draw @ self.rows) for draw in _draws(len(self.rows))])

    def _score(self, sums: Floats) -> float:
        return float(self.metric._compute_score_from_stats(sums.tolist()).score)


def mean_interval(values: Floats) -> Interval:
    """95 % interval of the mean of `values` `[sentences]`."""
    return _interval(np.array([draw @ values / len(values) for draw in _draws(len(values))]))


def _draws(sentences: int) -> Iterator[Floats]:
    """`[sentences]` each: how often a sentence is drawn when as many as there are are drawn with replacement."""
    generator = np.random.default_rng(SEED)
    for _ in range(RESAMPLES):
        drawn = generator.integers(sentences, size=sentences)
        yield np.bincount(drawn, minlength=sentences).astype(np.float64)


def _interval(values: Floats) -> Interval:
    low, high = np.percentile(values, LEVEL)
    return float(low), float(high)


def _difference(ours: _Counts, theirs: _Counts) -> Difference:
    delta = ours.score() - theirs.score()
    deltas = ours.resampled() - theirs.resampled()
    # what the differences would be if there were none: these, moved so that their mean is 0 (Riezler and Maxwell 2005)
    as_large = int((np.abs(deltas - deltas.mean()) >= abs(delta)).sum())
    return Difference(delta, _interval(deltas), (as_large + 1) / (len(deltas) + 1))
