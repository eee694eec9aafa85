"""Pieces -> words, on both sides, and which source word each target word was read from."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.text.preparation import clean
from model.text.tokenizer import SPACE, Tokenizer
from model.translation import Word


class WordPieces:
    """Which ids of one vocabulary begin a word; asked once for the whole vocabulary."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        pieces = tokenizer.pieces(range(tokenizer.vocab_size))
        self._begins = [piece.startswith(SPACE) for piece in pieces]

    def starts(self, ids: Sequence[int]) -> list[int]:
        """The index of the first piece of each word of `ids`; the first piece always is one."""
        begins = self._begins
        return [index for index, id in enumerate(ids) if begins[id] or index == 0]


def word_groups(text: str, ids: Sequence[int], starts: Sequence[int], tokenizer: Tokenizer) -> list[tuple[str, int]]:
    """`(word, index of its first piece)` for the words of `text`, which is what `ids` decode to.

    Usually each group of pieces is one word. Where it is not (a lone space piece, bytes that are no character), each
    group is decoded on its own and those that come to nothing are left out.
    """
    words = text.split()
    if len(words) == len(starts):
        return list(zip(words, starts, strict=True))
    ends = [*starts[1:], len(ids)]
    groups = (
        ("".join(clean(tokenizer.decode(ids[start:end])).split()), start)
        for start, end in zip(starts, ends, strict=True)
    )
    return [(word, start) for word, start in groups if word]


def on_words(attention: NDArray[np.float32] | None, source_starts: Sequence[int]) -> NDArray[np.float32] | None:
    """The attention that each target token paid to each source word, `[target, source words]`; None if there is none.

    Args:
        attention: `[target, source]` with the source's end mark and padding last; None if there is none.
        source_starts: index of the first piece of each source word, the end mark's index last.
    """
    if attention is None or len(source_starts) < 2:
        return None
    read: NDArray[np.float32] = np.add.reduceat(attention[:, : source_starts[-1]], source_starts[:-1], axis=1)
    return read


def words_of(
    groups: Sequence[tuple[str, int]],
    log_probs: Sequence[float],
    attention: NDArray[np.float32] | None,
    source_words: int,
) -> tuple[Word, ...]:
    """The words of a translation, with confidence and alignment.

    Each target word is aligned to the source word with the highest attention weight, summed over the pieces of both.

    Args:
        groups: from `word_groups`.
        log_probs: natural-log probability of each target piece, without the end mark's.
        attention: from `on_words`.
        source_words: how many words the source has between its spaces.
    """
    starts = [start for _, start in groups]
    aligned = _align(attention, starts)
    ends = [*starts, len(log_probs)][1:]
    words = []
    for (text, start), end, source in zip(groups, ends, aligned, strict=True):
        mean = sum(log_probs[start:end]) / (end - start)
        # Normalising may part one written word into two; the count of written words is what callers can index.
        words.append(Word(text, math.exp(mean), () if source is None else (min(source, source_words - 1),)))
    return tuple(words)


def _align(attention: NDArray[np.float32] | None, starts: list[int]) -> Sequence[int | None]:
    """The source word of each target word, or None where there is nothing to align with."""
    if attention is None or not starts:
        return [None] * len(starts)
    best: list[int | None] = np.add.reduceat(attention, starts, axis=0).argmax(axis=1).tolist()
    return best


def coverage(attention: NDArray[np.float32] | None) -> tuple[float, ...]:
    """The attention that each source word got from all target tokens together; empty without attention.

    `attention` is from `on_words`.
    """
    return () if attention is None else tuple(attention.sum(axis=0).tolist())
