"""CTranslate2 with random weights: the speed of a transformer depends on its shape and not on what it has learnt.

The shape of OPUS-MT models (6 + 6 layers, 512 wide, 2,048 inside, 8 heads, a vocabulary of 32,000), in 8 bits; and one
of as many parameters as ours. The length of the output is forced, since random weights know no end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.kernels.cores import usable_cores

MARKS = ("<unk>", "<s>", "</s>")
POSITIONS = 512


@dataclass(frozen=True)
class Shape:
    """A transformer."""

    name: str
    layers: int
    width: int
    inner: int
    heads: int
    vocabulary: int

    @property
    def parameters(self) -> int:
        """Trainable numbers; the embeddings of both sides and the output layer are one table."""
        attention = 4 * self.width * self.width
        inner = 2 * self.width * self.inner
        return self.layers * (3 * attention + 2 * inner) + self.vocabulary * self.width


OPUS_MT = Shape("CTranslate2, shape of OPUS-MT", 6, 512, 2048, 8, 32_000)


def as_large_as(parameters: int, vocabulary: int) -> Shape:
    """A transformer of 256 units and `vocabulary` with as many layers as bring it nearest to `parameters`."""
    shapes = [Shape("CTranslate2, as many parameters", layers, 256, 1024, 4, vocabulary) for layers in range(1, 13)]
    return min(shapes, key=lambda shape: abs(shape.parameters - parameters))


def write(shape: Shape, folder: Path) -> None:
    """A model of `shape` with seeded random weights, in 8 bits, as CTranslate2 reads it."""
    from ctranslate2.specs import TransformerSpec, common_spec

    rng = np.random.default_rng(1)
    spec = TransformerSpec.from_config(
        (shape.layers, shape.layers), shape.heads, pre_norm=False, activation=common_spec.Activation.SWISH
    )
    table = _weights(rng, shape.vocabulary, shape.width)
    for side in (spec.encoder, spec.decoder):
        embeddings = side.embeddings[0] if isinstance(side.embeddings, list) else side.embeddings
        embeddings.weight = table
        side.position_encodings.encodings = _weights(rng, POSITIONS, shape.width)
        for layer in side.layer:
            _fill_layer(layer, shape, rng)
    spec.decoder.projection.weight = table
    spec.decoder.projection.bias = np.zeros(shape.vocabulary, np.float32)
    words = [*MARKS, *(f"w{number}" for number in range(shape.vocabulary - len(MARKS)))]
    spec.register_source_vocabulary(words)
    spec.register_target_vocabulary(words)
    spec.validate()
    spec.optimize(quantization="int8")
    folder.mkdir(parents=True)
    spec.save(str(folder))


def _weights(rng: np.random.Generator, rows: int, columns: int) -> Any:
    return (rng.standard_normal((rows, columns)) * columns**-0.5).astype(np.float32)


def _fill_layer(layer: Any, shape: Shape, rng: np.random.Generator) -> None:
    width = shape.width
    _fill_attention(layer.self_attention, (3 * width, width), width, rng)
    if hasattr(layer, "attention"):
        _fill_attention(layer.attention, (width, 2 * width, width), width, rng)
    _fill_linear(layer.ffn.linear_0, shape.inner, width, rng)
    _fill_linear(layer.ffn.linear_1, width, shape.inner, rng)
    _fill_norm(layer.ffn.layer_norm, width)


def _fill_attention(spec: Any, outputs: Sequence[int], width: int, rng: np.random.Generator) -> None:
    for linear, size in zip(spec.linear, outputs, strict=True):
        _fill_linear(linear, size, width, rng)
    _fill_norm(spec.layer_norm, width)


def _fill_linear(spec: Any, outputs: int, inputs: int, rng: np.random.Generator) -> None:
    spec.weight, spec.bias = _weights(rng, outputs, inputs), np.zeros(outputs, np.float32)


def _fill_norm(spec: Any, width: int) -> None:
    spec.gamma, spec.beta = np.ones(width, np.float32), np.zeros(width, np.float32)


class Peer:
    """A model of `write` in CTranslate2, greedy."""

    def __init__(self, folder: Path, threads: tuple[int, int]) -> None:
        """`threads`: batches at once, and threads for each."""
        import ctranslate2

        inter, intra = threads
        self._translator = ctranslate2.Translator(
            str(folder), device="cpu", compute_type="int8", inter_threads=inter, intra_threads=intra
        )

    def translate(self, sources: Sequence[Sequence[str]], batch: int, length: int) -> None:
        """Translate `sources` in batches of `batch`, each to exactly `length` tokens with the end mark."""
        self._translator.translate_batch(
            list(sources),
            beam_size=1,
            max_batch_size=batch,
            min_decoding_length=length - 1,
            max_decoding_length=length - 1,
        )


def thread_settings() -> list[tuple[int, int]]:
    """All ways to give this machine's cores to CTranslate2: batches at once x threads each."""
    cores = usable_cores()
    return [(inter, cores // inter) for inter in range(1, cores + 1) if cores % inter == 0]


def random_sources(lengths: Sequence[int], shape: Shape) -> list[list[str]]:
    """Random source sentences of `lengths` tokens, the end mark included."""
    rng = np.random.default_rng(2)
    return [
        [*(f"w{number}" for number in rng.integers(0, shape.vocabulary - len(MARKS), length - 1)), "</s>"]
        for length in lengths
    ]
