"""decode.c over networks and batches of random sizes: it finds what PyTorch finds with the same 8-bit weights."""

import random
from dataclasses import replace
from itertools import zip_longest

import numpy as np
import pytest
import torch
from layouts import LAYOUTS, drawn, placed

from model.config import ModelConfig, SearchConfig
from model.errors import SearchError
from model.kernels.int8 import Int8Network
from model.kernels.native import NativeDecoder, supports
from model.network.batch import pad
from model.network.seq2seq import Seq2Seq
from model.search.hypothesis import Hypothesis, Options
from model.search.search import search
from model.text.ids import EOS

pytestmark = pytest.mark.native
ROUNDING = 0.1
"""Of a log-probability or a weight: what a sum just at the edge between two 8-bit numbers makes of it downstream."""
FIRST_ID = 4


def some_config(rng: random.Random) -> ModelConfig:
    while True:
        config = ModelConfig(
            rng.randint(40, 150), rng.randint(40, 150), embedding_size=32 * rng.randint(1, 4),
            encoder_layers=rng.choice((1, 2, 3, 8)), encoder_hidden_size=32 * rng.randint(1, 3),
            decoder_layers=rng.choice((1, 2, 3, 8)), decoder_hidden_size=32 * rng.randint(2, 5),
            attention_heads=rng.choice((1, 2, 4)), residual=rng.random() < 0.7,
        )  # fmt: skip
        if supports(config):
            return config


def network(config: ModelConfig) -> Seq2Seq:
    model = Seq2Seq(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # no part is so small that a mistake in it would not show
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def some_ids(rng: random.Random, vocab: int, most: int) -> list[int]:
    return [rng.randrange(FIRST_ID, vocab) for _ in range(rng.randint(0, most))]


def some_options(rng: random.Random, batch: int, vocab: int) -> Options:
    """Guards, or none: of all sentences or of each, wherever they lie."""
    shape = rng.choice((None, (vocab,), (batch, vocab)))
    forbidden = None if shape is None else placed(torch.rand(shape) < 0.3, rng)
    max_runs = None if rng.random() < 0.5 else placed(torch.randint(0, 3, (batch,)), rng)
    return Options(forbidden=forbidden, max_runs=max_runs, not_empty=True)


def assert_same(ours: Hypothesis, theirs: Hypothesis, width: int) -> None:
    """Alike up to where two tokens are as good as equal: there too both took one of the highest probability."""
    pairs = zip_longest(ours.tokens, theirs.tokens)
    same = next((place for place, (left, right) in enumerate(pairs) if left != right), len(ours.tokens))
    assert ours.log_probs[: same + 1] == pytest.approx(theirs.log_probs[: same + 1], abs=ROUNDING)
    np.testing.assert_allclose(ours.attention[:same, :width], theirs.attention[:same, :width], atol=ROUNDING)
    assert not ours.attention[:, width:].any()


@LAYOUTS
def test_any_layout_gives_what_pytorch_gives(seed: int) -> None:
    rng = drawn(seed)
    config = some_config(rng)
    model = network(config)
    batch, longest = rng.choice((1, 2, 13, 31)), rng.choice((0, 1, 5, 17))
    sources = [[*some_ids(rng, config.source_vocab_size, longest), EOS] for _ in range(batch)]
    prefixes = [some_ids(rng, config.target_vocab_size, rng.choice((0, 1, 4))) for _ in sources]
    prefix = None if rng.random() < 0.3 else placed(pad(prefixes), rng)
    limits = [1 + len(one) + rng.randint(0, 12) for one in prefixes]
    options = some_options(rng, batch, config.target_vocab_size)
    int8 = Int8Network(model)
    with torch.inference_mode():
        state = int8.encode(pad(sources), torch.tensor([len(source) for source in sources]))
        guards = SearchConfig(max_token_run=0)
        slow = search(int8.step, state, torch.tensor(limits), guards, prefix, options)
    fast = NativeDecoder(model, int8).greedy(sources, limits, prefix, options)
    for (ours,), (theirs,), source, limit, forced in zip(fast, slow, sources, limits, prefixes, strict=True):
        assert_same(ours, theirs, len(source))
        assert len(ours.log_probs) <= limit
        assert prefix is None or ours.tokens[: len(forced)] == forced


@pytest.mark.parametrize(
    ("change", "prefix"),
    [({"sources": [[50, EOS], [90, EOS]]}, None), ({"sources": [[-1, EOS], [5, EOS]]}, None),
     ({"sources": [[5, EOS], []]}, None), ({"limits": [3, 0]}, None), ({}, [[5], [77]])],
    ids=["beyond the vocabulary", "below it", "empty source", "no step", "prefix beyond the vocabulary"],
)  # fmt: skip
def test_numbers_that_lead_out_of_the_tables_are_refused(change: dict[str, object], prefix: list[list[int]] | None):
    sizes = {"embedding_size": 32, "encoder_hidden_size": 32, "decoder_hidden_size": 64, "attention_heads": 2}
    model = network(replace(ModelConfig(90, 77), **sizes))
    decoder = NativeDecoder(model, Int8Network(model))
    given = {"sources": [[5, EOS], [6, EOS]], "limits": [3, 3]}
    forced = None if prefix is None else torch.tensor(prefix)
    with pytest.raises(SearchError, match="vocabulary"):
        decoder.greedy(**{**given, **change}, prefix=forced, options=Options())
    assert decoder.greedy(**given, prefix=None, options=Options())
