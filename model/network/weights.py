"""The weights of a `Seq2Seq` by name: which there are, to NumPy, and back. Imports torch only to make a network.

Tied weights occur once, by the first of their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from model.config import Cell, ModelConfig

if TYPE_CHECKING:
    from model.network.seq2seq import Seq2Seq

Weights = Mapping[str, NDArray[np.floating[Any]]]
"""Name -> numbers."""
Shapes = dict[str, tuple[int, ...]]
GATES: dict[Cell, int] = {"gru": 3, "lstm": 4, "rnn": 1}


def shapes(config: ModelConfig) -> Shapes:
    """The name and shape of every weight of a network of `config`."""
    embedding = config.embedding_size
    found = {
        "source_embedding.weight": (config.source_vocab_size, embedding),
        "target_embedding.weight": (config.target_vocab_size, embedding),
        **_encoder(config),
        **_bridge(config),
        **_decoder(config),
        **_linear("output", config.target_vocab_size, embedding),
    }
    if config.tied_target_embeddings:
        del found["output.weight"]
    return found


def weights_of(model: Seq2Seq) -> dict[str, NDArray[np.float32]]:
    """What `model` consists of, in fp32: where it is so already and on the CPU, its own memory."""
    tensors = model.state_dict()
    return {name: tensors[name].detach().float().cpu().numpy() for name in shapes(model.config)}


def build(config: ModelConfig, weights: Weights) -> Seq2Seq:
    """A network of `config` with `weights`, which fit, in fp32 on the CPU, in evaluation mode."""
    import torch

    from model.network.seq2seq import Seq2Seq

    with torch.device("meta"):  # nothing is initialised: it would only be overwritten
        model = Seq2Seq(config)
    tensors = {name: torch.from_numpy(array).float() for name, array in weights.items()}
    if config.tied_target_embeddings:
        tensors["output.weight"] = tensors["target_embedding.weight"]
    model.load_state_dict(tensors, strict=True, assign=True)
    if config.tied_target_embeddings:
        model.output.weight = model.target_embedding.weight
    return model.eval()


def _encoder(config: ModelConfig) -> Shapes:
    found: Shapes = {}
    for number in range(config.encoder_layers):
        layer, size = f"encoder.layers.{number}", config.memory_size if number else config.embedding_size
        found |= _norm(config, f"{layer}.norm", size)
        for side in ("forwards", "backwards") if config.bidirectional else ("forwards",):
            found |= _recurrent(config.cell, f"{layer}.{side}", size, config.encoder_hidden_size)
    return found | (_norm(config, "encoder.norm", config.memory_size) if config.attention_heads else {})


def _bridge(config: ModelConfig) -> Shapes:
    same = (config.encoder_layers, config.memory_size) == (config.decoder_layers, config.decoder_hidden_size)
    if same and not config.attention_heads:
        return {}
    return _linear("bridge.project", config.decoder_layers * config.decoder_hidden_size, config.memory_size)


def _decoder(config: ModelConfig) -> Shapes:
    hidden, found = config.decoder_hidden_size, Shapes()
    for number in range(config.decoder_layers):
        layer, size = f"decoder.layers.{number}", hidden if number else config.embedding_size
        found |= _norm(config, f"{layer}.norm", size) | _recurrent(config.cell, f"{layer}.recurrent", size, hidden)
    if config.attention_heads:
        found |= _linear("decoder.attention.query", hidden, hidden) | _linear(
            "decoder.attention.output", hidden, hidden
        )
        found |= {f"decoder.attention.{name}.weight": (hidden, config.memory_size) for name in ("key", "value")}
        found |= _norm(config, "decoder.query_norm", hidden)
    return found | _norm(config, "decoder.norm", hidden) | _linear("decoder.readout", config.embedding_size, hidden)


def _norm(config: ModelConfig, name: str, size: int) -> Shapes:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)} if config.layer_norm else {}


def _linear(name: str, outputs: int, inputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _recurrent(cell: Cell, name: str, inputs: int, hidden: int) -> Shapes:
    rows = GATES[cell] * hidden
    sizes: Shapes = {"weight_ih": (rows, inputs), "weight_hh": (rows, hidden), "bias_ih": (rows,), "bias_hh": (rows,)}
    return {f"{name}.layer.{kind}_l0": size for kind, size in sizes.items()}
