"""Tokens that must occur: the beam finds the best of all sequences that have them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

import pytest
import torch
from test_model_search import NEVER, WORDS, TableModel, off

from model.errors import SearchError
from model.search.search import Options
from model.text.ids import EOS

LIMIT = 5


def every(model: TableModel, sentence: int, required: Sequence[int]) -> list[tuple[float, list[int]]]:
    """All that may be said with the `required` tokens and none of them too often, the best first."""
    wanted = Counter(required)
    said = (
        [*words, EOS]
        for length in range(LIMIT)
        for words in itertools.product(WORDS, repeat=length)
        if all(words.count(token) == count for token, count in wanted.items())
    )
    return sorted(((model.score(sentence, tokens, 1.0), tokens) for tokens in said), reverse=True)


@pytest.mark.parametrize("seed", range(6))
def test_a_wide_beam_finds_the_best_that_has_them(seed: int) -> None:
    required = [[5], [4, 6], [6, 6], []]
    model = TableModel.random(seed, len(required))
    found = model.run([LIMIT] * 4, off(60), options=Options(forbidden=NEVER, required=required))
    for sentence, (best, *_) in enumerate(found):
        score, tokens = every(model, sentence, required[sentence])[0]
        assert [*best.tokens, EOS] == tokens
        assert best.score == pytest.approx(score, abs=1e-5)


def test_a_narrow_one_ends_with_none_missing() -> None:
    required, ended = [[5], [4, 6], [6, 6, 5], []] * 6, 0
    model = TableModel.random(7, len(required))
    for beam in (2, 4):
        together = model.run([9] * len(required), off(beam), options=Options(forbidden=NEVER, required=required))
        for wanted, (best, *_) in zip(required, together, strict=True):
            ended += best.finished
            if best.finished:
                assert all(best.tokens.count(token) == count for token, count in Counter(wanted).items())
    assert ended > len(required)


def test_a_prefix_may_have_them() -> None:
    model = TableModel.random(1, 1)
    prefix = torch.tensor([[5, 4]])
    ((found,),) = model.run([LIMIT], off(4), prefix, Options(forbidden=NEVER, required=[[4, 6]]))
    assert found.tokens[:2] == [5, 4] and found.tokens.count(4) == 1 and 6 in found.tokens


def test_nothing_required_is_a_search_as_usual() -> None:
    model = TableModel.random(2, 3)
    usual = model.run([LIMIT] * 3, off(4, n_best=3))
    found = model.run([LIMIT] * 3, off(4, n_best=3), options=Options(forbidden=NEVER, required=[[], [], []]))
    assert [[one.tokens for one in of_one] for of_one in found] == [[one.tokens for one in of_one] for of_one in usual]


def test_it_needs_a_beam() -> None:
    with pytest.raises(SearchError, match="beam"):
        TableModel.random(1, 1).run([LIMIT], off(1), options=Options(forbidden=NEVER, required=[[5]]))
