"""Pieces -> words on both sides, and which source word a target word was read from."""

from __future__ import annotations

import math

import numpy as np
import pytest

from model.text.alignment import WordPieces, coverage, on_words, word_groups, words_of
from model.text.tokenizer import WordTokenizer


class Pieces(WordTokenizer):
    """A vocabulary whose pieces are given: `_` begins a word."""

    def __init__(self, *pieces: str) -> None:
        self._pieces = tuple(piece.replace("_", "▁") for piece in pieces)

    def pieces(self, ids: object) -> list[str]:
        return [self._pieces[id] for id in ids]  # type: ignore[attr-defined]

    def decode(self, ids: object) -> str:
        return "".join(self.pieces(ids)).replace("▁", " ").strip()


def test_words_are_aligned_by_the_attention_summed_over_the_pieces_of_both_sides() -> None:
    source, target = Pieces("_la", "_can", "tan", "te"), Pieces("_the", "_sing", "er")
    attention = np.array(
        # la   can  tan  te   end  padding
        [[0.4, 0.1, 0.1, 0.1, 0.9, 0.9],
         [0.5, 0.2, 0.2, 0.1, 0.0, 0.0],
         [0.1, 0.3, 0.3, 0.1, 0.0, 0.0]], dtype=np.float32
    )  # fmt: skip
    log_probs = [math.log(0.5), math.log(0.9), math.log(0.4)]
    groups = word_groups("the singer", [0, 1, 2], WordPieces(target).starts([0, 1, 2]), target)
    starts = [*WordPieces(source).starts([0, 1, 2, 3]), 4]
    the, singer = words_of(groups, log_probs, on_words(attention, starts), source_words=2)
    assert (the.text, the.source_words) == ("the", (0,))
    assert (singer.text, singer.source_words) == ("singer", (1,))
    assert the.confidence == pytest.approx(0.5)
    assert singer.confidence == pytest.approx(math.sqrt(0.9 * 0.4))


def test_pieces_that_make_no_word_of_their_own_are_left_out_of_the_words() -> None:
    target = Pieces("_", "_a", "b", "_c")
    ids = [1, 2, 0, 3]  # "ab", a lone space, "c": three groups and two words
    starts = WordPieces(target).starts(ids)
    assert word_groups("ab c", ids, starts, target) == [("ab", 0), ("c", 3)]


def test_coverage_is_the_attention_that_each_source_word_got_from_all_tokens() -> None:
    attention = np.array([[0.5, 0.1, 0.1, 0.3, 0.0], [0.0, 0.3, 0.6, 0.1, 0.0]], dtype=np.float32)
    starts = [0, 1, 3]  # two words of one and two pieces, end, padding
    assert coverage(on_words(attention, starts)) == pytest.approx((0.5, 1.1))
    assert coverage(on_words(None, starts)) == ()
