"""Greedy and beam search on a language model that is a table, against the slow and obvious way."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.config import SearchConfig
from model.errors import SearchError
from model.search.search import Hypothesis, Options, search
from model.text.ids import BOS, EOS, PAD, UNK

VOCAB = 7
WORDS = (4, 5, 6)
NEVER = torch.tensor([index in (PAD, UNK, BOS) for index in range(VOCAB)])
SOURCE = 5


@dataclass(frozen=True)
class TableState:
    """Which sentence each row translates, and its last token but one."""

    sentence: Tensor
    before: Tensor

    def select(self, rows: Tensor) -> TableState:
        return TableState(self.sentence[rows], self.before[rows])


class Output(NamedTuple):
    logits: Tensor
    attention: Tensor | None
    state: TableState


class TableModel:
    """A trigram model per sentence: `table` is `[batch, vocab, vocab, vocab]` logits."""

    def __init__(self, table: Tensor) -> None:
        self.table = table
        self.rows_seen: list[int] = []

    @classmethod
    def random(cls, seed: int, batch: int, sharpness: float = 2.0) -> TableModel:
        generator = torch.Generator().manual_seed(seed)
        return cls(torch.randn(batch, VOCAB, VOCAB, VOCAB, generator=generator) * sharpness)

    def start(self) -> TableState:
        batch = torch.arange(self.table.shape[0])
        return TableState(batch, torch.full_like(batch, BOS))

    def step(self, tokens: Tensor, state: TableState) -> Output:
        self.rows_seen.append(len(tokens))
        logits = self.table[state.sentence, state.before, tokens]
        attention = self.attention(state.sentence, state.before, tokens)
        return Output(logits, attention, TableState(state.sentence, tokens))

    @staticmethod
    def attention(sentence: Tensor, before: Tensor, tokens: Tensor) -> Tensor:
        """Some `[rows, SOURCE]` that tells every row of every step apart."""
        key = (sentence * VOCAB + before) * VOCAB + tokens
        return key[:, None] + torch.arange(SOURCE)[None, :] / SOURCE

    def log_probs(self, sentence: int, tokens: list[int]) -> list[float]:
        """The log-probability of each token after the ones before it."""
        before, last, result = BOS, BOS, []
        for token in tokens:
            result.append(float(self.table[sentence, before, last].log_softmax(-1)[token]))
            before, last = last, token
        return result

    def score(self, sentence: int, tokens: list[int], penalty: float) -> float:
        return sum(self.log_probs(sentence, tokens)) / len(tokens) ** penalty

    def run(
        self,
        lengths: list[int],
        config: SearchConfig,
        prefix: Tensor | None = None,
        options: Options | None = None,
    ) -> list[list[Hypothesis]]:
        options = options or Options(forbidden=NEVER)
        return search(self.step, self.start(), torch.tensor(lengths), config, prefix, options)

    def only(self, sentence: int) -> TableModel:
        return TableModel(self.table[sentence : sentence + 1])


def off(beam: int = 1, **others: float) -> SearchConfig:
    """A search without guards."""
    return SearchConfig.from_dict({"beam": beam, "max_token_run": 0, **others})


def slow_greedy(model: TableModel, sentence: int, limit: int) -> list[int]:
    """Tokens with the end mark, one at a time."""
    tokens: list[int] = []
    while len(tokens) < limit and EOS not in tokens:
        tokens.append(max((*WORDS, EOS), key=lambda token: model.log_probs(sentence, [*tokens, token])[-1]))
    return tokens


def slow_beam(model: TableModel, sentence: int, limit: int, config: SearchConfig) -> list[list[int]]:
    """Beam search with lists and sorting: the best finished or cut hypotheses."""
    live: list[tuple[float, list[int]]] = [(0.0, [])]
    finished: list[tuple[float, list[int]]] = []

    def rank(item: tuple[float, list[int]]) -> float:
        return item[0] / len(item[1]) ** config.length_penalty

    for time in range(limit):
        proposals = [
            (total + model.log_probs(sentence, [*tokens, token])[-1], [*tokens, token])
            for total, tokens in live
            for token in (*WORDS, EOS)
        ]
        proposals = sorted(proposals, reverse=True)[: 2 * config.beam]
        finished += [item for item in proposals[: config.beam] if item[1][-1] == EOS]
        finished.sort(key=rank, reverse=True)
        live = [item for item in proposals if item[1][-1] != EOS][: config.beam]
        if len(finished) >= config.beam or time + 1 == limit or not live:
            break
        bound = live[0][0] / limit**config.length_penalty
        if len(finished) >= config.n_best and bound <= rank(finished[config.n_best - 1]):
            break
    return [tokens for _, tokens in (finished + live)][: config.n_best]


def with_end(hypothesis: Hypothesis) -> list[int]:
    return hypothesis.tokens + [EOS] * hypothesis.finished


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), lengths=st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_greedy_takes_the_best_token_at_each_step_up_to_each_sentences_own_limit(seed: int, lengths: list[int]) -> None:
    model = TableModel.random(seed, len(lengths))
    for sentence, (result, limit) in enumerate(zip(model.run(lengths, off()), lengths, strict=True)):
        assert with_end(result[0]) == slow_greedy(model, sentence, limit)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    beam=st.integers(2, 5),
    penalty=st.sampled_from([0.0, 0.6, 1.0, 2.0]),
    n_best=st.integers(1, 5),
    lengths=st.lists(st.integers(1, 8), min_size=1, max_size=5),
)
@example(seed=288, beam=5, penalty=0.0, n_best=5, lengths=[1, 1, 7, 1])  # two with the same steps in another order
def test_beam_search_agrees_with_a_beam_search_written_with_lists(
    seed: int, beam: int, penalty: float, n_best: int, lengths: list[int]
) -> None:
    model = TableModel.random(seed, len(lengths), sharpness=1.5)
    config = off(beam, n_best=min(n_best, beam), length_penalty=penalty)
    for sentence, (result, limit) in enumerate(zip(model.run(lengths, config), lengths, strict=True)):
        found, wanted = [with_end(hypothesis) for hypothesis in result], slow_beam(model, sentence, limit, config)
        scores = [[model.score(sentence, tokens, penalty) for tokens in each] for each in (found, wanted)]
        assert found == wanted or scores[0] == pytest.approx(scores[1], abs=1e-5), "the same, ties aside"
        assert len({tuple(tokens) for tokens in found}) == len(found)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), penalty=st.sampled_from([0.0, 0.7, 1.0, 3.0]))
def test_a_beam_that_holds_everything_finds_the_best_of_all_sequences(seed: int, penalty: float) -> None:
    limit = 4
    table = TableModel.random(seed, 2, sharpness=1.0).table
    table[..., 6] = -torch.inf  # two words are left: 8 live hypotheses at most, so that nothing falls off the beam
    model = TableModel(table)
    everything = [[*words, EOS] for length in range(limit) for words in itertools.product(WORDS[:2], repeat=length)]
    for sentence, result in enumerate(model.run([limit] * 2, off(64, n_best=3, length_penalty=penalty))):
        ranked = sorted(everything, key=lambda tokens: -model.score(sentence, tokens, penalty))
        assert [with_end(hypothesis) for hypothesis in result] == ranked[:3]


@pytest.mark.parametrize("beam", [1, 2, 4])
def test_log_probs_scores_and_attention_belong_to_the_tokens_they_come_with(beam: int) -> None:
    model = TableModel.random(5, 6)
    for sentence, result in enumerate(model.run([3, 8, 5, 1, 8, 8], off(beam, n_best=beam, length_penalty=0.8))):
        for hypothesis in result:
            tokens = with_end(hypothesis)
            assert hypothesis.log_probs == pytest.approx(model.log_probs(sentence, tokens), abs=1e-5)
            assert hypothesis.score == pytest.approx(model.score(sentence, tokens, 0.8), abs=1e-5)
            assert hypothesis.attention is not None
            assert hypothesis.attention.shape == (len(hypothesis.tokens), SOURCE)
            fed = torch.tensor([BOS, BOS, *hypothesis.tokens])[: len(hypothesis.tokens) + 1]
            expected = model.attention(torch.tensor(sentence), fed[:-1], fed[1:])
            np.testing.assert_allclose(hypothesis.attention, expected, rtol=1e-6)


@pytest.mark.parametrize("beam", [1, 3])
def test_attention_is_none_when_nobody_asks(beam: int) -> None:
    results = TableModel.random(1, 3).run([4] * 3, off(beam), options=Options(forbidden=NEVER, attention=False))
    assert all(result[0].attention is None for result in results)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), beam=st.integers(1, 4), batch=st.integers(2, 12))
def test_a_sentence_is_searched_the_same_alone_and_among_others(seed: int, beam: int, batch: int) -> None:
    model = TableModel.random(seed, batch)
    lengths = [1 + (seed + 3 * sentence) % 8 for sentence in range(batch)]
    config = SearchConfig(beam=beam, n_best=beam, max_token_run=2, no_repeat_ngram=3)
    together = model.run(lengths, config)
    for sentence in range(batch):
        (alone,) = model.only(sentence).run([lengths[sentence]], config)
        assert [hypothesis.tokens for hypothesis in alone] == [h.tokens for h in together[sentence]]
        assert [hypothesis.log_probs for hypothesis in alone] == [h.log_probs for h in together[sentence]]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), beam=st.integers(2, 6))
def test_n_best_lists_are_distinct_sorted_and_begin_with_the_finished(seed: int, beam: int) -> None:
    for result in TableModel.random(seed, 4).run([6, 3, 9, 1], off(beam, n_best=beam)):
        tokens = [tuple(with_end(hypothesis)) for hypothesis in result]
        assert len(set(tokens)) == len(tokens)
        keys = [(not hypothesis.finished, -hypothesis.score) for hypothesis in result]
        assert keys == sorted(keys)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    beam=st.integers(1, 4),
    prefixes=st.lists(st.lists(st.sampled_from([UNK, *WORDS]), max_size=4), min_size=1, max_size=5),
)
def test_results_begin_with_their_own_forced_prefix_and_then_go_on_freely(
    seed: int, beam: int, prefixes: list[list[int]]
) -> None:
    model = TableModel.random(seed, len(prefixes))
    width = max(map(len, prefixes))
    rows = [ids + [PAD] * (width - len(ids)) for ids in prefixes]
    prefix = torch.tensor(rows, dtype=torch.int64).reshape(len(prefixes), width)
    config = SearchConfig(beam=beam, n_best=beam, max_token_run=1)  # guards do not apply to what is forced
    for sentence, result in enumerate(model.run([9] * len(prefixes), config, prefix)):
        forced = prefixes[sentence]
        assert result
        for hypothesis in result:
            assert hypothesis.tokens[: len(forced)] == forced
            assert UNK not in hypothesis.tokens[len(forced) :]
            expected = model.log_probs(sentence, with_end(hypothesis))
            assert hypothesis.log_probs == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("beam", [1, 3])
def test_forbidden_tokens_can_differ_by_sentence(beam: int) -> None:
    forbidden = NEVER.repeat(2, 1)
    forbidden[0, WORDS[0]] = True
    forbidden[1, WORDS[1]] = True
    options = Options(forbidden=forbidden)
    first, second = babbler(2).run([8, 8], off(beam, n_best=beam), options=options)
    assert all(WORDS[0] not in hypothesis.tokens for hypothesis in first)
    assert all(WORDS[0] in hypothesis.tokens for hypothesis in second if len(hypothesis.tokens) > 3)
    assert all(WORDS[1] not in hypothesis.tokens for hypothesis in second)


def babbler(batch: int) -> TableModel:
    """Says token 4 for ever, then 5, then 6, and hardly ever ends."""
    logits = torch.tensor([-9.0, -9.0, -9.0, -5.0, 3.0, 2.0, 1.0])
    return TableModel(logits.expand(batch, VOCAB, VOCAB, VOCAB).clone())


def longest_run(tokens: list[int]) -> int:
    return max(len(list(run)) for _, run in itertools.groupby(tokens))


@pytest.mark.parametrize("beam", [1, 3])
def test_no_token_follows_itself_more_often_than_allowed(beam: int) -> None:
    (result,) = babbler(1).run([9], SearchConfig(beam=beam, max_token_run=3))
    assert longest_run(result[0].tokens) == 3


@pytest.mark.parametrize("beam", [1, 3])
def test_a_sentence_may_have_a_run_limit_of_its_own(beam: int) -> None:
    options = Options(forbidden=NEVER, max_runs=torch.tensor([0, 6, 2]))
    results = babbler(3).run([9] * 3, SearchConfig(beam=beam, max_token_run=4), options=options)
    runs = [longest_run(result[0].tokens) for result in results]
    assert runs[1:] == [6, 2]
    assert runs[0] >= 8  # no limit; a beam may end it with its last step


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_no_ngram_occurs_twice(beam: int, size: int) -> None:
    config = SearchConfig(beam=beam, n_best=beam, no_repeat_ngram=size, max_token_run=0)
    length = 4 if size == 1 else 8  # three words can be said once each
    results = TableModel.random(11, 4).run([length] * 4, config) + babbler(1).run([length], config)
    for hypothesis in itertools.chain(*results):
        ngrams = list(zip(*(hypothesis.tokens[start:] for start in range(size)), strict=False))
        assert len(set(ngrams)) == len(ngrams)


@pytest.mark.parametrize("beam", [1, 3])
def test_an_empty_result_can_be_ruled_out(beam: int) -> None:
    table = babbler(2).table
    table[..., EOS] = 9.0
    results = TableModel(table).run([5, 5], off(beam, n_best=beam))
    assert [result[0].tokens for result in results] == [[], []]
    results = TableModel(table).run([5, 5], off(beam, n_best=beam), options=Options(forbidden=NEVER, not_empty=True))
    assert [result[0].tokens for result in results] == [[4], [4]]
    assert all(hypothesis.tokens for hypothesis in itertools.chain(*results))


def test_greedy_drops_finished_rows() -> None:
    table = babbler(8).table
    table[2:] = torch.tensor([-9.0, -9.0, -9.0, 5.0, 0.0, 0.0, 0.0])
    model = TableModel(table)
    model.run([6] * 8, off())
    assert model.rows_seen == [8, 2, 2, 2, 2, 2]


def test_beam_stops_a_sentence_when_no_live_hypothesis_can_win() -> None:
    table = babbler(2).table
    table[0] = torch.tensor([-9.0, -9.0, -9.0, 12.0, 0.0, 0.0, 0.0])
    model = TableModel(table)
    first, _ = model.run([6, 3], off(4))
    assert first[0].tokens == [] and first[0].finished
    assert model.rows_seen == [2, 4, 4]  # the first sentence left after one step, the second at its limit


def test_a_cut_hypothesis_says_so_and_comes_after_finished_ones() -> None:
    (greedy,) = babbler(1).run([3], off())
    assert greedy[0].tokens == [4, 4, 4] and not greedy[0].finished and len(greedy[0].log_probs) == 3
    table = babbler(1).table
    table[..., EOS] = 1.5
    (beam,) = TableModel(table).run([2], off(3, n_best=3))
    assert [hypothesis.finished for hypothesis in beam] == [True, False, False]
    assert beam[0].score < beam[1].score


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_output_that_is_not_a_finite_number_is_an_error(beam: int, value: float) -> None:
    table = babbler(3).table
    table[1, 4, 4, 5] = value
    with pytest.raises(SearchError, match="not a finite number"):
        TableModel(table).run([5] * 3, off(beam))


@pytest.mark.parametrize("beam", [1, 3])
def test_forbidding_everything_is_an_error(beam: int) -> None:
    options = Options(forbidden=torch.ones(VOCAB, dtype=torch.bool))
    with pytest.raises(SearchError, match="nothing is left"):
        babbler(2).run([5, 5], off(beam), options=options)


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_logits_of_a_narrow_type_are_normalised_in_fp32(beam: int, dtype: torch.dtype) -> None:
    model = TableModel(TableModel.random(2, 2).table.to(dtype))
    exact = TableModel(model.table.float())
    for sentence, result in enumerate(model.run([6, 6], off(beam))):
        expected = exact.log_probs(sentence, with_end(result[0]))
        assert result[0].log_probs == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("vocab", [7, 1490, 4999, 6000, 8192])
def test_the_best_tokens_are_found_in_vocabularies_of_any_size(vocab: int) -> None:
    """Large vocabularies are searched block by block; a prime size cannot be."""
    batch = torch.arange(9)
    scores = torch.randn(9, vocab, generator=torch.Generator().manual_seed(vocab))

    def step(tokens: Tensor, state: TableState) -> Output:
        return Output(scores[state.sentence], None, state)

    one = torch.ones_like(batch)
    greedy = search(step, TableState(batch, batch), one, off())
    assert [with_end(result[0])[0] for result in greedy] == scores.argmax(dim=-1).tolist()
    beam = search(step, TableState(batch, batch), one, off(3, n_best=3), None, Options(forbidden=only_end(vocab)))
    expected = scores.index_fill(1, torch.tensor([EOS]), -torch.inf).topk(3, dim=-1).indices
    assert [[hypothesis.tokens[0] for hypothesis in result] for result in beam] == expected.tolist()


def only_end(vocab: int) -> Tensor:
    return torch.arange(vocab) == EOS


@pytest.mark.parametrize("beam", [1, 2])
def test_logits_are_not_written_to(beam: int) -> None:
    logits = torch.zeros(8, VOCAB)

    def step(tokens: Tensor, state: TableState) -> Output:
        return Output(logits[: len(tokens)], None, state)

    config = SearchConfig(beam=beam, no_repeat_ngram=2)
    search(step, babbler(4).start(), torch.tensor([4] * 4), config, None, Options(forbidden=NEVER))
    assert not logits.any()


def test_no_sentences_give_no_results() -> None:
    model = TableModel(torch.zeros(0, VOCAB, VOCAB, VOCAB))
    assert search(model.step, model.start(), torch.zeros(0, dtype=torch.int64), SearchConfig()) == []


@pytest.mark.parametrize(
    ("lengths", "prefix", "options", "message"),
    [
        (torch.tensor([3.0, 3.0]), None, Options(), "int64"),
        (torch.tensor([3, 0]), None, Options(), "at least 1"),
        (torch.tensor([3, 3]), torch.tensor([[4, 5]]), Options(), "prefix must be"),
        (torch.tensor([3, 3]), torch.tensor([[4, PAD, 4], [4, 4, PAD]]), Options(), "gap"),
        (torch.tensor([3, 2]), torch.tensor([[4, 4], [4, 4]]), Options(), "no room"),
        (torch.tensor([3, 3]), None, Options(forbidden=NEVER.repeat(3, 1)), "forbidden must be"),
        (torch.tensor([3, 3]), None, Options(max_runs=torch.tensor([1])), "max_runs must be"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    lengths: Tensor, prefix: Tensor | None, options: Options, message: str
) -> None:
    model = babbler(2)
    with pytest.raises(SearchError, match=message):
        search(model.step, model.start(), lengths, SearchConfig(), prefix, options)
