"""decode.c over networks and batches of random sizes: it finds what PyTorch finds with the same 8-bit weights."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from layouts import LAYOUTS, drawn

from model.config import ModelConfig, SearchConfig
from model.errors import ConfigError, SearchError
from model.kernels.int8 import Int8Network
from model.kernels.native import INSTRUCTIONS, NativeDecoder, programs, supports
from model.network.seq2seq import Seq2Seq
from model.network.weights import weights_of
from model.search.hypothesis import Hypothesis
from model.search.request import Request
from model.text.ids import EOS
from model.torch_search import TorchSearcher

pytestmark = pytest.mark.native
SMALL = {"embedding_size": 32, "encoder_hidden_size": 32, "decoder_hidden_size": 64, "attention_heads": 2}
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


def some_request(rng: random.Random, config: ModelConfig, beam: int = 1) -> Request:
    """A batch of any size with guards, of all sentences or of each, or none; with a beam tokens may be required."""
    batch, longest, vocab = rng.choice((1, 2, 13, 31)), rng.choice((0, 1, 5, 17)), config.target_vocab_size
    numbers = np.random.default_rng(rng.randrange(1000))
    prefixes = [some_ids(rng, vocab, rng.choice((0, 0, 1, 4))) for _ in range(batch)]
    return Request(
        sources=[[*some_ids(rng, config.source_vocab_size, longest), EOS] for _ in range(batch)],
        limits=[1 + len(one) + rng.randint(0, 12) for one in prefixes],
        prefixes=prefixes,
        forbidden=numbers.random(rng.choice(((vocab,), (batch, vocab)))) < rng.choice((0.0, 0.3)),
        required=[some_ids(rng, vocab, 3) for _ in range(batch)] if beam > 1 and rng.random() < 0.4 else None,
        max_runs=None if rng.random() < 0.5 else [rng.randint(0, 2) for _ in range(batch)],
    )


def some_search(rng: random.Random) -> SearchConfig:
    beam = rng.choice((1, 2, 4, 5, 16))
    return SearchConfig(
        beam=beam, n_best=rng.randint(1, beam), length_penalty=rng.choice((0.0, 1.0, 1.3)),
        no_repeat_ngram=rng.choice((0, 0, 1, 2, 3)), max_token_run=0,
    )  # fmt: skip


def assert_alike(ours: Hypothesis, theirs: Hypothesis, width: int) -> None:
    """All that belongs to the same tokens."""
    assert ours.finished == theirs.finished
    assert ours.log_probs == pytest.approx(theirs.log_probs, abs=ROUNDING, rel=ROUNDING)
    np.testing.assert_allclose(ours.attention[:, :width], theirs.attention[:, :width], atol=ROUNDING)
    assert not ours.attention[:, width:].any()


@LAYOUTS
@pytest.mark.parametrize("greedy", [True, False])
def test_any_layout_gives_what_pytorch_gives(seed: int, greedy: bool) -> None:
    rng = drawn(seed)
    config = some_config(rng)
    search = SearchConfig(max_token_run=0) if greedy else some_search(rng)
    model, request = network(config), some_request(rng, config, search.beam)
    slow = TorchSearcher(Int8Network(model), "cpu").search(request, search)
    fast = NativeDecoder(config, weights_of(model), rng.choice(programs())).search(request, search)
    alike = 0
    for row, (ours, theirs, source) in enumerate(zip(fast, slow, request.sources, strict=True)):
        if ours[0].tokens == theirs[0].tokens:
            alike += 1
            assert_alike(ours[0], theirs[0], len(source))
        assert [one.finished for one in ours] == sorted((one.finished for one in ours), reverse=True)
        assert len({(*one.tokens, one.finished) for one in ours}) == len(ours)
        for one in ours:
            assert_allowed(one, request, row)
            assert one.score == pytest.approx(sum(one.log_probs) / len(one.log_probs) ** search.length_penalty)
    assert alike >= 0.6 * len(slow) - 1, "more than ties turned"


@pytest.mark.parametrize("program", ["avx2", "avx512_vnni"])
@pytest.mark.parametrize("beam", [2, 4, 5])
def test_pieces_that_must_occur(program: str, beam: int) -> None:
    if program not in programs():
        pytest.skip(f"this CPU has no {program}")
    rng = drawn(beam)
    config = replace(ModelConfig(90, 77), **SMALL)
    model, batch = network(config), 31
    request = Request(
        sources=[[*some_ids(rng, 90, 9), EOS] for _ in range(batch)],
        limits=[14] * batch,
        prefixes=[some_ids(rng, 77, 1) for _ in range(batch)],
        forbidden=np.zeros(77, np.bool_),
        required=[some_ids(rng, 77, 3) for _ in range(batch)],
    )
    search = SearchConfig(beam=beam, n_best=2, no_repeat_ngram=2, max_token_run=0)
    slow = TorchSearcher(Int8Network(model), "cpu").search(request, search)
    fast = NativeDecoder(config, weights_of(model), program).search(request, search)
    assert sum(ours[0].tokens == theirs[0].tokens for ours, theirs in zip(fast, slow, strict=True)) > 0.7 * batch
    for row, found in enumerate(fast):
        for one in found:
            assert_allowed(one, request, row)


@pytest.mark.parametrize("program", ["avx2", "avx512_vnni"])
def test_no_sum_overflows(program: str) -> None:
    """All weights of an output layer as large as a pair may be, all that it reads as large as a byte."""
    if program not in programs():
        pytest.skip(f"this CPU has no {program}")
    config = replace(ModelConfig(90, 77), **SMALL)
    model = network(config)
    with torch.no_grad():
        model.decoder.readout.weight.zero_()
        model.decoder.readout.bias.fill_(3.0)
        model.decoder.readout.bias[::5] = -3.0
        weight = model.output.weight
        weight.fill_(0.25)
        weight[::3, ::2], weight[::3, 1::2] = 0.5, 0.0
        weight[1::3] *= -1
    request = Request([[5, EOS]], [6], [[]], np.zeros(77, np.bool_))
    slow = TorchSearcher(Int8Network(model), "cpu").search(request, SearchConfig(beam=4, max_token_run=0))
    fast = NativeDecoder(config, weights_of(model), program).search(request, SearchConfig(beam=4, max_token_run=0))
    assert fast[0][0].log_probs == pytest.approx(slow[0][0].log_probs, abs=1e-3)


def test_a_cpu_with_vnni_uses_it() -> None:
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    assert ("avx512_vnni" in programs()) == ("avx512_vnni" in flags and "avx512bw" in flags)


def test_the_widest_instructions_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(INSTRUCTIONS, "avx2")
    assert programs() == ["avx2"]
    monkeypatch.setenv(INSTRUCTIONS, "sse9")
    with pytest.raises(ConfigError, match="TRAGHETTO_INSTRUCTIONS must be one of avx2, avx512_vnni, not 'sse9'"):
        programs()


def assert_allowed(found: Hypothesis, request: Request, row: int) -> None:
    """It has what is forced and, where it ends, what is required, and is not too long."""
    assert len(found.log_probs) <= request.limits[row]
    assert found.tokens[: len(request.prefixes[row])] == request.prefixes[row]
    own = found.tokens[len(request.prefixes[row]) :]
    forbidden = request.forbidden if request.forbidden.ndim == 1 else request.forbidden[row]
    assert not forbidden[own].any()
    if request.required is not None and found.finished:
        assert all(found.tokens.count(token) >= count for token, count in Counter(request.required[row]).items())


@pytest.mark.parametrize(
    "change",
    [{"sources": [[50, EOS], [90, EOS]]}, {"sources": [[-1, EOS], [5, EOS]]}, {"sources": [[5, EOS], []]},
     {"limits": [3, 0]}, {"prefixes": [[5], [77]]}, {"required": [[5], [77]]}, {"required": [[5] * 32, [5]]},
     {"forbidden": np.zeros(76, np.bool_)}],
    ids=["beyond the vocabulary", "below it", "empty source", "no step", "prefix beyond the vocabulary",
         "required beyond it", "too much required", "a narrow table"],
)  # fmt: skip
def test_numbers_that_lead_out_of_the_tables_are_refused(change: dict[str, object]) -> None:
    model = network(replace(ModelConfig(90, 77), **SMALL))
    decoder = NativeDecoder(model.config, weights_of(model))
    given = {
        "sources": [[5, EOS], [6, EOS]],
        "limits": [3, 3],
        "prefixes": [[], []],
        "forbidden": np.zeros(77, np.bool_),
    }
    with pytest.raises(SearchError, match="vocabulary"):
        decoder.search(Request(**{**given, **change}), SearchConfig(beam=2))  # type: ignore[arg-type]
    assert decoder.search(Request(**given), SearchConfig())  # type: ignore[arg-type]
