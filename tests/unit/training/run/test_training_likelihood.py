"""How likely a model finds given targets: what a straightforward computation gives."""

import pytest
import torch

from model.config import ModelConfig
from model.network.batch import Batch
from model.network.seq2seq import Seq2Seq
from training.run import likelihood as module
from training.run.batching import Encoded
from training.run.likelihood import nats_per_token
from training.run.precision import fit_kernels

PAIRS = [Encoded([40, 41, 42], [43]), Encoded([44], [45, 46, 47, 48]), Encoded([41], [42]), Encoded([49] * 9, [40] * 7)]


def network() -> Seq2Seq:
    torch.manual_seed(5)
    return Seq2Seq(ModelConfig(50, 50, embedding_size=16, encoder_hidden_size=16, decoder_hidden_size=32)).eval()


def plainly(model: Seq2Seq, pair: Encoded) -> float:
    """The same for one pair, without padding, chunks or fast functions."""
    batch = Batch.of([pair.source], [pair.target])
    with torch.no_grad():
        log_probs = torch.log_softmax(model.logits(model(batch)), dim=-1)[0]  # [target, vocab]
    return -log_probs.gather(1, batch.labels[0, :, None]).mean().item()


@pytest.mark.parametrize("budget", [4, 30, 1000])
def test_batches_do_not_change_the_score_of_a_pair(monkeypatch, budget):
    monkeypatch.setitem(module.AT_ONCE_TOKENS, "cpu", budget)
    model, told = network(), []
    expected = [plainly(model, pair) for pair in PAIRS]
    assert nats_per_token(model, PAIRS, told.append) == pytest.approx(expected, abs=1e-5)
    assert sum(told) == len(PAIRS)
    fit_kernels(model, "fp32")
    assert nats_per_token(model, PAIRS) == pytest.approx(expected, abs=1e-5)


def test_a_narrow_type_gives_nearly_the_same():
    model = network()
    expected = nats_per_token(model, PAIRS)
    fit_kernels(model, "bf16")
    assert nats_per_token(model, PAIRS) == pytest.approx(expected, abs=0.05)
