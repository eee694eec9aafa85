"""One pair -> the pair that a training step sees, before careless typing."""

from __future__ import annotations

import random
from collections.abc import Sequence

from training.data.augment.amounts import enlarge, pay
from training.data.augment.config import AugmentConfig
from training.data.augment.dates import add_day, add_minutes, dot_times
from training.data.augment.forms import drop_marks, entitle, is_unmarked, vary
from training.data.augment.joining import enlist, join
from training.data.augment.names import rename
from training.data.augment.numbers import DIGIT, renumber
from training.data.augment.places import move
from training.data.augment.spelt import in_digits
from training.data.cleaning import Pair


class Augmenter:
    """Changes pairs as its settings say, alike on both sides; a pure function of its arguments and the generator."""

    def __init__(self, config: AugmentConfig, pair: str) -> None:
        self._config = config
        self._turned = pair == "en-it"
        self._works = config.works

    def repeats(self, group: str, pair: tuple[str, str]) -> int:
        """How often a pair comes in a pass through its group."""
        return self._config.repeats(group, *pair)

    def __call__(self, pair: tuple[str, str], group: Sequence[tuple[str, str]], rng: random.Random) -> tuple[str, str]:
        """`pair` of (source, target) changed; joined, where it is, with others of its `group`.

        Where all is off, nothing is drawn from `rng` either.
        """
        if not self._works:
            return pair
        italian, english = self._join(pair[::-1] if self._turned else pair, group, rng)
        changed = self._form(self._count(self._name((italian, english), rng), rng), rng)
        return changed[::-1] if self._turned else changed

    def _join(self, pair: Pair, group: Sequence[tuple[str, str]], rng: random.Random) -> Pair:
        def neighbour() -> Pair:
            other = group[int(rng.random() * len(group))]
            return other[::-1] if self._turned else other

        config = self._config
        if rng.random() < config.joined:
            pair = join(pair, neighbour, config.joined_max_chars)
        if rng.random() < config.lists and is_unmarked(pair, config.form_words):
            pair = enlist(pair, rng, neighbour, config.form_words)
        return pair

    def _name(self, pair: Pair, rng: random.Random) -> Pair:
        config = self._config
        if rng.random() < config.places:
            pair = move(pair, rng)
        if rng.random() < config.names:
            pair = rename(pair, rng, config.invented, config.surnames)
        return pair

    def _count(self, pair: Pair, rng: random.Random) -> Pair:
        config = self._config
        if rng.random() < config.digits:
            pair = in_digits(pair)
        if not DIGIT.search(pair[1]):
            return pair
        if rng.random() < config.amounts:
            pair = pay(pair, rng)
        if rng.random() < config.large:
            pair = enlarge(pair, rng)
        if rng.random() < config.numbers:
            pair = renumber(pair, rng)
        if rng.random() < config.days:
            pair = add_day(pair, rng)
        if rng.random() < config.minutes:
            pair = add_minutes(pair, rng)
        if rng.random() < config.dotted_times:
            pair = dot_times(pair[0]), pair[1]
        return pair

    def _form(self, pair: Pair, rng: random.Random) -> Pair:
        config = self._config
        if rng.random() < config.forms and is_unmarked(pair, config.form_words):
            pair = vary(pair, rng)
        if rng.random() < config.no_final_mark:
            pair = drop_marks(pair)
        if rng.random() < config.title_case and max(side.count(" ") for side in pair) < config.title_words:
            pair = entitle(pair)
        return pair
