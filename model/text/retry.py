"""A second search where a translation loops, was cut off, skips a word, loses or invents a number or
a placeholder.

    translations -> those with a fault -> beam -> the best of what was found, the first one included

Measured, also what was not worth it: docs/decisions/0007-retries.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from model.config import SearchConfig
from model.text.faults import is_looping, is_skipping, misplaced, wrong_numbers
from model.translation import Scored

BEAM = 4
"""Of 6,468 sentences in both directions 67 loop then, and 21 numbers are lost; with 3, 80 and 29; with 5, 70 and 18."""
NO_REPEAT_NGRAM = 3
"""Of tokens, after a loop only. Of 133 loops in 4,000 sentences it leaves 10; a beam without it leaves 30."""
COVERAGE_WEIGHT = 0.2
"""Beta of Wu et al. 2016 (eq. 14), and their value. Of 58 sentences that skip a word 30 are left; with 0, 46."""
LEAST_ATTENTION = 1e-6
"""Of a word, where its logarithm is taken."""
LOOP_COST = 1.0
"""What a loop or a missing end costs, beside mean log-probabilities. With 0.25 19 loops are left, with 1 and 10 10."""
NUMBER_COST = 0.5
"""What each lost or invented number costs: the margin within which a translation without it is preferred."""

PLACEHOLDER_COST = 1.0
"""What each placeholder costs that is lost or comes twice."""


def second_search(source: str, found: Scored, search: SearchConfig) -> SearchConfig | None:
    """How to search again for a translation of `source` instead of `found`; None if nothing is wrong with that."""
    width = max(BEAM, search.beam)
    if _is_endless(source, found):
        guard = search.no_repeat_ngram or NO_REPEAT_NGRAM
        return replace(
            search,
            beam=width,
            n_best=width,
            no_repeat_ngram=guard,
            complete=misplaced(source, found.translation.text) > 0,
        )
    text = found.translation.text
    lost = misplaced(source, text) > 0
    if lost or is_skipping(source, found.coverage) or wrong_numbers(source, text):
        return replace(search, beam=width, n_best=width, complete=lost)
    return None


def best(source: str, first: Scored, others: Sequence[Scored]) -> Scored:
    """The best of `first` and `others` as a translation of `source`, marked as retried."""
    chosen = max((first, *others), key=lambda found: _rating(source, found))  # the first of equals
    return replace(chosen, translation=replace(chosen.translation, retried=True))


def marked(found: Scored) -> Scored:
    """`found`, whose fault nobody has tried to mend yet."""
    return replace(found, translation=replace(found.translation, faulty=True))


def _rating(source: str, found: Scored) -> float:
    """Mean log-probability and coverage penalty (Wu et al. 2016, eq. 14, over words), less what other faults cost."""
    penalty = COVERAGE_WEIGHT * sum(math.log(min(max(mass, LEAST_ATTENTION), 1.0)) for mass in found.coverage)
    text = found.translation.text
    cost = LOOP_COST * _is_endless(source, found) + NUMBER_COST * wrong_numbers(source, text)
    cost += PLACEHOLDER_COST * misplaced(source, text)
    return found.translation.score + penalty - cost


def _is_endless(source: str, found: Scored) -> bool:
    return found.translation.truncated or is_looping(source, found.translation.text)
