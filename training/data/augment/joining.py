"""Several pairs in one: words as a list, sentences one behind the other."""

from __future__ import annotations

import random
from collections.abc import Callable

from training.data.augment.forms import MARKS, is_unmarked
from training.data.cleaning import Pair

TRIES = 6
"""So many neighbours are looked at for one that fits."""

Neighbour = Callable[[], Pair]
"""Draws another pair of the same group."""


def enlist(pair: Pair, rng: random.Random, neighbour: Neighbour, words: int) -> Pair:
    """`casa` -> `casa, gatto, correre`, two to five of them; the last may come behind `e` and `and`."""
    items = [pair, *_fitting(neighbour, rng.randint(1, 4), lambda other: _is_item(other, words))]
    if len(items) < 2 or not _is_item(pair, words):
        return pair
    last = (" e ", " and ") if rng.random() < 0.3 else (", ", ", ")
    italian, english = (
        ", ".join(item[side] for item in items[:-1]) + last[side] + items[-1][side] for side in range(2)
    )
    return italian, english


def _is_item(pair: Pair, words: int) -> bool:
    return is_unmarked(pair, words) and "," not in pair[0] + pair[1]


def join(pair: Pair, neighbour: Neighbour, max_chars: int) -> Pair:
    """The pair and another one behind it, both with a mark at their end and together at most `max_chars` a side."""
    if not _is_sentence(pair):
        return pair
    room = max_chars - 1 - max(map(len, pair))
    for other in _fitting(neighbour, 1, lambda other: _is_sentence(other) and max(map(len, other)) <= room):
        return f"{pair[0]} {other[0]}", f"{pair[1]} {other[1]}"
    return pair


def _is_sentence(pair: Pair) -> bool:
    return all(side and side[-1] in MARKS for side in pair)


def _fitting(neighbour: Neighbour, count: int, fits: Callable[[Pair], bool]) -> list[Pair]:
    """Up to `count` neighbours that fit, of a bounded number that is looked at."""
    drawn = (neighbour() for _ in range(count + TRIES))
    return [other for other in drawn if fits(other)][:count]
