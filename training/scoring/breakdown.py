"""A test set in groups: by length, and by how near a sentence is to one that was trained on; and all its references."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from training.data.pairs import normalise_key

LONGEST = {
    "1–4 words": 4, "5–8 words": 8, "9–14 words": 14, "15–25 words": 25, "26 words or more": sys.maxsize,
}  # fmt: skip
"""Groups by the words of the source between its spaces, and the most that each takes."""
SEEN, NEAR, FAR = "seen in training", "one word from training", "further from training"


def by_length(sources: Sequence[str]) -> dict[str, list[int]]:
    """Indexes of `sources` by their number of words; groups without any are left out."""
    groups: dict[str, list[int]] = {name: [] for name in LONGEST}
    for index, source in enumerate(sources):
        words = len(source.split())
        groups[next(name for name, most in LONGEST.items() if words <= most)].append(index)
    return {name: rows for name, rows in groups.items() if rows}


def by_nearness(sources: Sequence[str], training: Iterable[str]) -> dict[str, list[int]]:
    """Indexes of `sources` by the nearest of the `training` sentences; groups without any are left out.

    `one word from training`: a training sentence has the same words but for a single one in its place, spelling folded
    as by `normalise_key`. A sentence of one word is never near. Of `training` only what the sources ask for is kept.
    """
    asked: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for index, source in enumerate(sources):
        for pattern, word in _patterns(normalise_key(source).split()):
            asked[pattern].append((index, word))
    lengths = {pattern.count(" ") + 1 for pattern in asked}
    seen: set[int] = set()
    near: set[int] = set()
    for sentence in training:
        words = normalise_key(sentence).split()
        if len(words) in lengths:
            for pattern, word in _patterns(words):
                for index, wanted in asked.get(pattern, ()):
                    (seen if word == wanted else near).add(index)
    groups: dict[str, list[int]] = {SEEN: [], NEAR: [], FAR: []}
    for index in range(len(sources)):
        groups[SEEN if index in seen else NEAR if index in near else FAR].append(index)
    return {name: rows for name, rows in groups.items() if rows}


def _patterns(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The sentence with each of its words left open, and that word."""
    if len(words) > 1:
        for index, word in enumerate(words):
            yield " ".join((*words[:index], "*", *words[index + 1 :])), word


def all_references(pairs: Sequence[tuple[str, str]], others: Iterable[tuple[str, str]]) -> list[list[str]]:
    """For each (source, reference) of `pairs`: its reference, then those that `others` has for the same source.

    Sources are the same as `normalise_key` says; a reference counts once.
    """
    found: dict[str, dict[str, None]] = {normalise_key(source): {} for source, _ in pairs}
    for source, reference in others:
        if (references := found.get(normalise_key(source))) is not None:
            references[reference] = None
    return [list({reference: None} | found[normalise_key(source)]) for source, reference in pairs]
