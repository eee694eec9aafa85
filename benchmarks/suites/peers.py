"""CTranslate2 with random weights: the speed of a transformer depends on its shape and not on what it has learnt.

Two shapes, both in 8 bits, with source sentences of as many tokens as ours, cut already, and outputs that are forced to
our mean length, since random weights know no end:

- OPUS-MT's: 6 + 6 layers, 512 wide, 2,048 inside, 8 heads (Tiedemann & Thottingal 2020); 32,000 pieces.
- Firefox's tiny one: 6 encoder layers, 2 decoder layers, 256 wide, 1,536 inside, 8 heads, ReLU, 32,000 pieces
  (github.com/mozilla/translations, pipeline/train/configs/model/student.tiny.yml, after `tiny11` of
  github.com/browsermt/students). CTranslate2 has no SSRU, the recurrent cell of that decoder, so it has self-attention
  in its place; and a vocabulary map in that of the lexical shortlist: 50 common pieces and 50 for each source piece.

`argos` is how LibreTranslate asks for a translation through Argos Translate: one sentence after the other (`translate`
of libretranslate/app.py loops over the texts), with all threads, a beam of 4 and the other arguments of
`apply_packaged_translation` in argostranslate/translate.py. Its own splitting and cutting into pieces is left out.
The models are taken to have OPUS-MT's shape: argos-train's config.yml has that, and a vocabulary of 50,000.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from model.kernels.cores import usable_cores

MARKS = ("<unk>", "<s>", "</s>")
POSITIONS = 512
SHORTLIST = 50
TRIAL_BATCH, TRIAL_LENGTH = 32, 8
ARGOS_BEAM = 4

Threads = tuple[int, int]
"""Batches at once, and threads for each."""
Sources = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Shape:
    """A transformer."""

    name: str
    layers: tuple[int, int]
    """Of encoder and decoder."""
    width: int
    inner: int
    heads: int
    vocabulary: int
    activation: str
    shortlist: bool = False

    @property
    def parameters(self) -> int:
        """Trainable numbers; the embeddings of both sides and the output layer are one table."""
        attention = 4 * self.width * self.width
        inner = 2 * self.width * self.inner
        encoder, decoder = self.layers
        return encoder * (attention + inner) + decoder * (2 * attention + inner) + self.vocabulary * self.width


@dataclass(frozen=True)
class Work:
    """What is asked of a shape."""

    shape: Shape
    batch: int
    beam: int
    length: int
    """Tokens of each output, with the end mark."""

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of `translate_batch`."""
        return {
            "beam_size": self.beam,
            "max_batch_size": self.batch,
            "use_vmap": self.shape.shortlist,
            "min_decoding_length": self.length - 1,
            "max_decoding_length": self.length - 1,
        }


OPUS_MT = Shape("CTranslate2, OPUS-MT's shape", (6, 6), 512, 2048, 8, 32_000, "SWISH")
FIREFOX_TINY = Shape("CTranslate2, Firefox's tiny shape", (6, 2), 256, 1536, 8, 32_000, "RELU", shortlist=True)
ARGOS = "LibreTranslate's way, one by one"


class Peers:
    """CTranslate2 in each shape and setting, made and loaded when first asked for."""

    def __init__(self, folder: Path, seed: int) -> None:
        """The models, whose weights are drawn by `seed`, are written into `folder`."""
        self._folder, self._seed = folder, seed
        self.model = functools.cache(self._model)
        self.translator = functools.cache(self._translator)

    def _model(self, shape: Shape) -> Path:
        folder = self._folder / shape.name
        write(shape, folder, self._seed)
        return folder

    def _translator(self, shape: Shape, threads: Threads) -> Any:
        import ctranslate2

        inter, intra = threads
        return ctranslate2.Translator(
            str(self.model(shape)), device="cpu", compute_type="int8", inter_threads=inter, intra_threads=intra
        )

    def translate(self, work: Work, threads: Threads, sources: Sources) -> None:
        """Translate `sources`, sorted by length."""
        self.translator(work.shape, threads).translate_batch(list(sources), **work.options)

    def command(self, work: Work, threads: Threads, models: int = 1) -> list[str]:
        """The same as a program, with `models` of the shape in memory."""
        told = {"models": [str(self.model(work.shape))] * models, "threads": threads, "options": work.options}
        return [sys.executable, "-m", "benchmarks.suites.peer_process", json.dumps(told)]

    def argos(self, sources: Sources, length: int) -> None:
        """The same in OPUS-MT's shape as LibreTranslate does."""
        options = {"replace_unknowns": True, "num_hypotheses": 1, "length_penalty": 0.2, "return_scores": True}
        translator = self.translator(OPUS_MT, (1, usable_cores()))
        for source in sources:
            translator.translate_batch([source], **Work(OPUS_MT, 32, ARGOS_BEAM, length).options, **options)

    def best_threads(self, work: Work, sources: Sources) -> tuple[Threads, float]:
        """The way to give it this machine's cores that is fastest here, by a short trial, and sentences/s, roughly."""
        trial = replace(work, batch=min(work.batch, TRIAL_BATCH), length=min(work.length, TRIAL_LENGTH))
        found = []
        for threads in thread_settings():
            taken = sources[: trial.batch * threads[0]]
            seconds = []
            for _ in range(2):  # the first has to warm it
                started = time.perf_counter()
                self.translate(trial, threads, taken)
                seconds.append(time.perf_counter() - started)
            found.append((len(taken) / min(seconds), threads))
        rate, threads = max(found)
        return threads, rate * trial.length / work.length


def thread_settings() -> list[Threads]:
    """All ways to give this machine's cores to CTranslate2."""
    cores = usable_cores()
    return [(inter, cores // inter) for inter in range(1, cores + 1) if cores % inter == 0]


def as_sources(sentences: Sequence[Sequence[int]]) -> list[list[str]]:
    """Sentences of our piece ids, without marks, as their source tokens: what repeats here repeats there."""
    return [[*(f"w{number}" for number in ids), "</s>"] for ids in sentences]


def write(shape: Shape, folder: Path, seed: int) -> None:
    """A model of `shape` with random weights, in 8 bits, as CTranslate2 reads it."""
    from ctranslate2.specs import TransformerSpec, common_spec

    rng = np.random.default_rng(seed)
    spec = TransformerSpec.from_config(
        shape.layers, shape.heads, pre_norm=False, activation=common_spec.Activation[shape.activation]
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
    folder.mkdir(parents=True)
    if shape.shortlist:
        spec.register_vocabulary_mapping(str(_write_shortlist(words[len(MARKS) :], folder.with_suffix(".map"), rng)))
    spec.validate()
    spec.optimize(quantization="int8")
    spec.save(str(folder))


def _write_shortlist(words: Sequence[str], path: Path, rng: np.random.Generator) -> Path:
    """For each source word target words, common ones more often (Zipf), after a tab; first those that always count."""
    drawn = (len(words) ** rng.random((len(words), SHORTLIST))).astype(int)
    with path.open("w", encoding="utf-8") as file:
        file.write("\t" + " ".join(words[:SHORTLIST]) + "\n")
        for word, targets in zip(words, drawn, strict=True):
            file.write(word + "\t" + " ".join(words[target] for target in targets) + "\n")
    return path


def _weights(rng: np.random.Generator, rows: int, columns: int) -> Any:
    return rng.standard_normal((rows, columns), dtype=np.float32) * np.float32(columns**-0.5)


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
