"""A network whose kernels are made narrow for training is trained by the fast ones."""

import pytest
import torch

from model.config import ModelConfig
from model.network.batch import Batch
from model.network.seq2seq import Seq2Seq
from training.run.precision import narrow_kernels

pytestmark = pytest.mark.native
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


def test_narrow_kernels_are_those_of_train_c_and_only_where_gradients_are_wanted() -> None:
    model = network()
    assert "FusedGRUBackward" not in used_functions(model(BATCH)), "train.c has no fp32"
    narrow_kernels(model, torch.bfloat16)
    assert "FusedGRUBackward" in used_functions(model(BATCH)), "training on a CPU has become several times slower"
    with torch.no_grad():
        assert torch.isfinite(model(BATCH).float()).all()


def test_a_network_that_was_narrow_once_can_be_wide_again() -> None:
    model = network()
    narrow_kernels(model, torch.bfloat16)
    assert "FusedGRUBackward" not in used_functions(model.float()(BATCH))
