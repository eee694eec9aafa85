"""The weights of a network by name: that the list of them is right for every layout, and that they make a network."""

import itertools

import numpy as np
import pytest
import torch

from model.config import CELLS, ModelConfig
from model.network.seq2seq import Seq2Seq
from model.network.weights import build, shapes, weights_of

SIZES = {"source_vocab_size": 50, "target_vocab_size": 45, "embedding_size": 12, "decoder_hidden_size": 16}
CHOICES = {
    "cell": CELLS, "bidirectional": (False, True), "encoder_layers": (1, 3), "decoder_layers": (1, 3),
    "encoder_hidden_size": (8, 16), "attention_heads": (0, 2), "layer_norm": (False, True),
    "residual": (False, True), "tied_target_embeddings": (False, True),
}  # fmt: skip
LAYOUTS = [
    ModelConfig(**SIZES, **dict(zip(CHOICES, chosen, strict=True))) for chosen in itertools.product(*CHOICES.values())
]


def test_the_names_and_shapes_are_those_of_the_network_in_every_layout() -> None:
    for config in LAYOUTS:
        with torch.device("meta"):
            model = Seq2Seq(config)
        expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        if config.tied_target_embeddings:
            del expected["output.weight"]
        assert shapes(config) == expected, config


@pytest.mark.parametrize("tied", [True, False])
def test_a_network_made_of_weights_is_the_one_they_are_from(tied: bool) -> None:
    model = Seq2Seq(ModelConfig(**SIZES, tied_target_embeddings=tied))
    again = build(model.config, weights_of(model))
    assert not again.training
    assert again.parameter_count() == model.parameter_count()
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name
    narrow = {name: array.astype(np.float16) for name, array in weights_of(model).items()}
    assert {tensor.dtype for tensor in build(model.config, narrow).state_dict().values()} == {torch.float32}
