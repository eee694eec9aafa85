"""Search by `decode.c`, where it was compiled when Traghetto was installed and the CPU has AVX2. No torch.

Everything works without it, through PyTorch: the translations agree but for rounding (a test).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.config import ModelConfig, SearchConfig
from model.errors import ConfigError, SearchError
from model.kernels.native_library import load_library
from model.kernels.packing import EPSILON, PANEL, Floats, Packer, Product, product
from model.search.hypothesis import Hypothesis
from model.search.request import Request

MAX_LAYERS = 8
NO_LIMIT = 2**31 - 1
PROGRAMS = {"avx2": 1, "avx512_vnni": 2}
"""By the instructions that they need, their numbers in `decode.c`; the last one that this CPU has is the fastest."""
INSTRUCTIONS = "TRAGHETTO_INSTRUCTIONS"
"""The environment variable that names the widest of them that may be used: to compare, and where one is at fault."""
FAILURES = {
    1: "there is not enough memory for this batch",
    2: "the decoder's output is not a finite number, or nothing is left that may be generated; "
    "the weights may be damaged",
    3: "an id that is not in the vocabulary, an empty source, a limit below 1, or more required than a beam can have",
}


class _Linear(ctypes.Structure):
    _fields_ = (
        ("outputs", ctypes.c_int32), ("inputs", ctypes.c_int32),
        ("weight", ctypes.c_void_p), ("scale", ctypes.c_void_p), ("bias", ctypes.c_void_p), ("start", ctypes.c_void_p),
    )  # fmt: skip


class _Network(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int32) for name in (
            "encoder_layers", "decoder_layers", "encoder_hidden", "decoder_hidden", "heads",
            "source_vocab", "target_vocab",
        )),
        ("epsilon", ctypes.c_float), ("source_table", ctypes.c_void_p), ("target_table", ctypes.c_void_p),
        ("encoder_inputs", _Linear * MAX_LAYERS), ("encoder_states", _Linear * 2 * MAX_LAYERS),
        *((name, _Linear) for name in ("keys_values", "bridge", "query", "context")),
        ("decoder_inputs", _Linear * MAX_LAYERS), ("decoder_states", _Linear * MAX_LAYERS),
        ("readout", _Linear), ("output", _Linear),
        ("encoder_residual", ctypes.c_int32 * MAX_LAYERS), ("decoder_residual", ctypes.c_int32 * MAX_LAYERS),
    )  # fmt: skip


class _Job(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int32) for name in ("batch", "longest", "steps", "prefix_steps", "beam", "n_best",
                                              "no_repeat_ngram", "required_most")),
        ("length_penalty", ctypes.c_double),
        *((name, ctypes.c_void_p) for name in ("source", "lengths", "limits", "runs", "prefix", "forbidden",
                                               "required")),
        ("forbidden_stride", ctypes.c_int32),
        *((name, ctypes.c_void_p) for name in ("tokens", "counts", "finished", "log_probs", "attention", "scores")),
    )  # fmt: skip


def supports(config: ModelConfig) -> bool:
    """Whether `decode.c` has the layout of `config`."""
    sizes = (config.encoder_hidden_size, config.decoder_hidden_size, config.embedding_size)
    return (
        config.cell == "gru"
        and config.bidirectional
        and config.layer_norm
        and config.attention_heads > 0
        and all(size % PANEL == 0 for size in sizes)
        and config.decoder_hidden_size // config.attention_heads % 16 == 0
        and config.embedding_size <= config.decoder_hidden_size
        and config.embedding_size not in (config.memory_size, config.decoder_hidden_size)  # no residual in layers 1
        and max(config.encoder_layers, config.decoder_layers) <= MAX_LAYERS
    )


def programs() -> list[str]:
    """What `decode.c` can run here, by the instructions needed, the fastest last; nothing where it was not compiled.

    Raises:
        ConfigError: `INSTRUCTIONS` is set to none of these names.
    """
    widest = os.environ.get(INSTRUCTIONS) or max(PROGRAMS, key=PROGRAMS.__getitem__)
    if widest not in PROGRAMS:
        raise ConfigError(f"{INSTRUCTIONS} must be one of {', '.join(PROGRAMS)}, not {widest!r}")
    library, allowed = load_library(), [name for name, number in PROGRAMS.items() if number <= PROGRAMS[widest]]
    return [] if library is None else [name for name in allowed if library.has_program(PROGRAMS[name])]


def _checked_library() -> ctypes.CDLL:
    """The library, if its structures have the size of ours."""
    library = load_library()
    sizes = (ctypes.sizeof(_Network), ctypes.sizeof(_Job))
    if library is None or sizes != (library.size_of_network(), library.size_of_job()):
        raise SearchError("the compiled decode.c is not that of this program; run: make native")
    return library


class NativeDecoder:
    """Searches with one network. Safe to use from several threads at once; other threads run meanwhile."""

    def __init__(
        self, config: ModelConfig, weights: Mapping[str, NDArray[np.floating]], program: str | None = None
    ) -> None:
        """From the `weights` of a network of the supported layout `config`, by name; they are not kept.

        `program` is one of `programs()`, by default the fastest.
        """
        self._library = _checked_library()
        self.program = program or programs()[-1]
        if self.program not in programs():
            raise SearchError(f"decode.c for {self.program} does not run here; there are: {', '.join(programs())}")
        self._kept: list[NDArray[Any]] = []
        packer = Packer(weights)
        self._network = _Network(
            encoder_layers=config.encoder_layers,
            decoder_layers=config.decoder_layers,
            encoder_hidden=config.encoder_hidden_size,
            decoder_hidden=config.decoder_hidden_size,
            heads=config.attention_heads,
            source_vocab=config.source_vocab_size,
            target_vocab=config.target_vocab_size,
            epsilon=EPSILON,
        )
        self._fill_encoder(config, packer)
        self._fill_decoder(config, packer)

    def _fill_encoder(self, config: ModelConfig, packer: Packer) -> None:
        network = self._network
        for number in range(config.encoder_layers):
            layer = f"encoder.layers.{number}"
            inputs = packer.inputs(layer, ("forwards", "backwards"))
            if number:
                network.encoder_inputs[number] = self._linear(product(inputs))
                network.encoder_residual[number] = config.residual
            else:
                network.source_table = self._address(packer.table("source_embedding", inputs))
            for side, direction in enumerate(("forwards", "backwards")):
                network.encoder_states[number][side] = self._linear(product(packer.state(f"{layer}.{direction}")))
        keys_values = np.concatenate([packer.array(f"decoder.attention.{name}.weight") for name in ("key", "value")])
        nothing = np.zeros(len(keys_values), np.float32)
        network.keys_values = self._linear(product(packer.behind("encoder.norm", (keys_values, nothing))))
        network.bridge = self._linear(product(packer.linear("bridge.project")))

    def _fill_decoder(self, config: ModelConfig, packer: Packer) -> None:
        network = self._network
        for number in range(config.decoder_layers):
            layer = f"decoder.layers.{number}"
            inputs = packer.inputs(layer, ("recurrent",))
            if number:
                network.decoder_inputs[number] = self._linear(product(inputs))
                network.decoder_residual[number] = config.residual
            else:
                network.target_table = self._address(packer.table("target_embedding", inputs))
            network.decoder_states[number] = self._linear(product(packer.state(f"{layer}.recurrent")))
        query = packer.behind("decoder.query_norm", packer.linear("decoder.attention.query"))
        scale = np.float32((config.decoder_hidden_size // config.attention_heads) ** -0.5)
        network.query = self._linear(product((query[0] * scale, query[1] * scale)))
        network.context = self._linear(product(packer.linear("decoder.attention.output")))
        network.readout = self._linear(product(packer.behind("decoder.norm", packer.linear("decoder.readout"))))
        output = packer.array("target_embedding.weight" if config.tied_target_embeddings else "output.weight")
        network.output = self._linear(product((output, packer.array("output.bias")), padding=-np.inf))

    def _linear(self, packed: Product) -> _Linear:
        panels, quarters, panel, four = packed.weight.shape
        arrays = (packed.weight, packed.scale, packed.bias, packed.start)
        return _Linear(panels * panel, quarters * four, *(self._address(array) for array in arrays))

    def _address(self, array: NDArray[Any]) -> int:
        """Where `array` begins; it lives as long as this object."""
        self._kept.append(array)
        return array.ctypes.data

    def search(self, request: Request, config: SearchConfig) -> list[list[Hypothesis]]:
        """As `model.search.request.Searcher` says."""
        if not request.sources:
            return []
        width = request.forbidden.shape[-1]
        if width != self._network.target_vocab:
            raise SearchError(f"forbidden is of {width} tokens, the vocabulary has {self._network.target_vocab}")
        call = _Call(request, config)
        number = PROGRAMS[self.program]
        status = self._library.decode(number, ctypes.byref(self._network), ctypes.byref(call.job))
        if status:
            raise SearchError(FAILURES[status])
        return call.hypotheses()


class _Call:
    """The arrays of one call of `decode`, its sentences ordered by length, the longest first."""

    def __init__(self, request: Request, config: SearchConfig) -> None:
        sources = request.sources
        self._order = order = sorted(range(len(sources)), key=lambda row: -len(sources[row]))
        batch, n_best, steps = len(sources), config.n_best, max(request.limits)
        source, prefix = _padded([sources[row] for row in order]), _padded([request.prefixes[row] for row in order])
        runs = request.max_runs
        required = _padded([request.required[row] if request.required else () for row in order])
        forbidden = request.forbidden if request.forbidden.ndim == 1 else request.forbidden[order]
        self._inputs: dict[str, NDArray[Any]] = {
            "source": source,
            "lengths": np.array([len(sources[row]) for row in order], np.int32),
            "limits": np.array([request.limits[row] for row in order], np.int32),
            "runs": np.array([(runs[row] if runs else 0) or NO_LIMIT for row in order], np.int32),
            "prefix": prefix,
            "forbidden": np.ascontiguousarray(forbidden, np.uint8),
            "required": required,
        }
        self._tokens, self._counts = np.zeros((batch, n_best, steps), np.int32), np.zeros((batch, n_best), np.int32)
        self._finished, self._scores = np.zeros((batch, n_best), np.int32), np.zeros((batch, n_best), np.float64)
        self._log_probs: Floats = np.zeros((batch, n_best, steps), np.float32)
        self._attention: Floats = np.zeros((batch, n_best, steps, source.shape[1]), np.float32)
        self.job = _Job(
            batch=batch, longest=source.shape[1], steps=steps, prefix_steps=prefix.shape[1], beam=config.beam,
            n_best=n_best, no_repeat_ngram=config.no_repeat_ngram, required_most=required.shape[1],
            length_penalty=config.length_penalty,
            forbidden_stride=forbidden.shape[1] if forbidden.ndim == 2 else 0,
            tokens=self._tokens.ctypes.data, counts=self._counts.ctypes.data, finished=self._finished.ctypes.data,
            log_probs=self._log_probs.ctypes.data, attention=self._attention.ctypes.data,
            scores=self._scores.ctypes.data, **{name: array.ctypes.data for name, array in self._inputs.items()},
        )  # fmt: skip

    def hypotheses(self) -> list[list[Hypothesis]]:
        """What was found, by sentence."""
        found: list[list[Hypothesis]] = [[]] * len(self._order)
        columns = (self._tokens, self._log_probs, self._counts, self._finished, self._scores)
        rows = zip(self._order, *(column.tolist() for column in columns), strict=True)
        for place, (row, *of_sentence) in enumerate(rows):
            found[row] = [
                Hypothesis(
                    tokens[: count - finished],
                    log_probs[:count],
                    self._attention[place, rank, : count - finished],
                    bool(finished),
                    score,
                )
                for rank, (tokens, log_probs, count, finished, score) in enumerate(zip(*of_sentence, strict=True))
                if count
            ]
        return found


def _padded(rows: Sequence[Sequence[int]]) -> NDArray[np.int32]:
    """`rows` `[batch, longest]`, 0 where one is shorter."""
    table = np.zeros((len(rows), max(map(len, rows))), np.int32)
    for row, ids in enumerate(rows):
        table[row, : len(ids)] = ids
    return table
