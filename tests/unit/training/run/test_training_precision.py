"""A network that is made ready for training is trained by the fast functions."""

import pytest
import torch

from model.config import ModelConfig
from model.network.batch import Batch
from model.network.seq2seq import Seq2Seq
from training.run.precision import fit_kernels

BATCH = Batch.of([[40, 41, 42], [43]], [[44], [45, 46]])


def used_functions(tensor: torch.Tensor) -> set[str]:
    """Names of the autograd functions that made `tensor`."""
    seen, waiting = {tensor.grad_fn}, [tensor.grad_fn]
    while waiting:
        earlier = {function for function, _ in waiting.pop().next_functions if function is not None} - seen
        seen |= earlier
        waiting += earlier
    return {function.name() for function in seen}


def network() -> Seq2Seq:
    return Seq2Seq(ModelConfig(50, 50, embedding_size=16, encoder_hidden_size=16, decoder_hidden_size=32))


@pytest.mark.parametrize(
    "precision", [pytest.param("bf16", marks=pytest.mark.avx512), pytest.param("fp32", marks=pytest.mark.native)]
)
def test_a_network_is_trained_by_the_fast_functions_and_only_where_gradients_are_wanted(precision: str) -> None:
    model = network()
    assert "FusedGRUBackward" not in used_functions(model(BATCH)), "it was not made ready"
    fit_kernels(model, precision)
    assert "FusedGRUBackward" in used_functions(model(BATCH)), "training on a CPU has become several times slower"
    with torch.no_grad():
        assert torch.isfinite(model(BATCH).float()).all()


def test_precision_is_what_was_asked_for_and_can_be_changed() -> None:
    model = network()
    for precision, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        fit_kernels(model, precision)
        assert model.compute_dtype == dtype
        assert model.target_embedding.weight.dtype == torch.float32
