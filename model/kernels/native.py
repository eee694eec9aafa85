"""Greedy decoding by `decode.c`, where it was compiled when Traghetto was installed and the CPU has AVX-512 VNNI.

Everything works without it, through PyTorch: the translations agree but for rounding (a test).
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from model.config import ModelConfig
from model.errors import ConfigError, SearchError
from model.kernels.int8 import Int8Network
from model.kernels.int8_linear import folded, input_weights, quantise
from model.kernels.native_library import load_library
from model.network.batch import pad
from model.network.decoder import DecoderLayer
from model.network.encoder import EncoderLayer
from model.network.recurrent import Recurrent
from model.network.seq2seq import Seq2Seq
from model.search.hypothesis import Hypothesis, Options
from model.text.ids import EOS

PANEL = 32
"""As in `decode.c`."""
MAX_LAYERS = 8
NO_LIMIT = 2**31 - 1
Part = TypeVar("Part")
FAILURES = {
    1: "there is not enough memory for this batch",
    2: "the decoder's output is not a finite number; the weights may be damaged",
    3: "an id that is not in the vocabulary, an empty source, or a limit below 1",
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
        *((name, ctypes.c_int32) for name in ("batch", "longest", "steps", "prefix_steps")),
        *((name, ctypes.c_void_p) for name in ("source", "lengths", "limits", "runs", "prefix", "forbidden")),
        ("forbidden_stride", ctypes.c_int32),
        *((name, ctypes.c_void_p) for name in ("tokens", "counts", "log_probs", "attention")),
    )  # fmt: skip


def supports(config: ModelConfig) -> bool:
    """Whether `decode.c` has the layout of `config`, and this machine has the library."""
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
        and load_library() is not None
    )


def _checked_library() -> ctypes.CDLL:
    """The library, if its structures have the size of ours."""
    library = load_library()
    sizes = (ctypes.sizeof(_Network), ctypes.sizeof(_Job))
    if library is None or sizes != (library.size_of_network(), library.size_of_job()):
        raise SearchError("the compiled decode.c is not that of this program; run: make native")
    return library


def _there(part: Part | None) -> Part:
    """A part that a network of a supported layout has."""
    if part is None:
        raise ConfigError("decode.c does not know this layout of a network")
    return part


class NativeDecoder:
    """Greedy search over one network. Safe to use from several threads at once; other threads run meanwhile."""

    def __init__(self, model: Seq2Seq, network: Int8Network) -> None:
        """From `model`, whose `config` is supported; the tables are those of `network`, made from the same model."""
        self._library = _checked_library()
        self._kept: list[Tensor] = [network.source_table, network.target_table]
        self._network = _Network(
            encoder_layers=model.config.encoder_layers,
            decoder_layers=model.config.decoder_layers,
            encoder_hidden=model.config.encoder_hidden_size,
            decoder_hidden=model.config.decoder_hidden_size,
            heads=model.config.attention_heads,
            source_vocab=len(network.source_table),
            target_vocab=len(network.target_table),
            epsilon=cast(nn.LayerNorm, model.decoder.norm).eps,
            source_table=network.source_table.data_ptr(),
            target_table=network.target_table.data_ptr(),
        )
        with torch.inference_mode():
            self._fill_encoder(model)
            self._fill_decoder(model)

    def _fill_encoder(self, model: Seq2Seq) -> None:
        network, attention, bridge = self._network, _there(model.decoder.attention), _there(model.bridge.project)
        layers: list[EncoderLayer] = list(model.encoder.layers)  # type: ignore[arg-type]
        for number, layer in enumerate(layers):
            directions = [layer.forwards, _there(layer.backwards)]
            if number:
                network.encoder_inputs[number] = self._linear(*input_weights(layer.norm, directions))
            for side, direction in enumerate(directions):
                network.encoder_states[number][side] = self._of_state(direction)
            network.encoder_residual[number] = layer.residual
        both = torch.cat((attention.key.weight, attention.value.weight))
        network.keys_values = self._linear(*folded(model.encoder.norm, both, None))
        network.bridge = self._linear(bridge.weight, bridge.bias)

    def _fill_decoder(self, model: Seq2Seq) -> None:
        network, decoder, attention = self._network, model.decoder, _there(model.decoder.attention)
        layers: list[DecoderLayer] = list(decoder.layers)  # type: ignore[arg-type]
        for number, layer in enumerate(layers):
            if number:
                network.decoder_inputs[number] = self._linear(*input_weights(layer.norm, [layer.recurrent]))
            network.decoder_states[number] = self._of_state(layer.recurrent)
            network.decoder_residual[number] = layer.residual
        weight, bias = folded(decoder.query_norm, attention.query.weight, attention.query.bias)
        network.query = self._linear(weight * attention.scale, bias * attention.scale)
        network.context = self._linear(attention.output.weight, attention.output.bias)
        network.readout = self._linear(*folded(decoder.norm, decoder.readout.weight, decoder.readout.bias))
        network.output = self._linear(model.output.weight, model.output.bias, padding=float("-inf"))

    def _of_state(self, recurrent: Recurrent) -> _Linear:
        weights: dict[str, Tensor] = dict(recurrent.layer.named_parameters())
        return self._linear(weights["weight_hh_l0"], weights["bias_hh_l0"])

    def _linear(self, weight: Tensor, bias: Tensor, padding: float = 0.0) -> _Linear:
        """`weight` `[out, in]`, `bias` `[out]` as `decode.c` wants them; padded outputs give `padding`."""
        rows, scale = quantise(weight)
        outputs, inputs = rows.shape
        more = -outputs % PANEL
        rows = torch.cat((rows, rows.new_zeros(more, inputs)))
        panels = rows.view(-1, PANEL, inputs // 4, 4).transpose(1, 2).contiguous()
        kept = (
            panels,
            torch.cat((scale, scale.new_zeros(more))),
            torch.cat((bias.detach().float(), torch.full((more,), padding))),
            rows.sum(dim=1, dtype=torch.int32).mul_(-128),
        )
        self._kept += kept
        return _Linear(len(rows), inputs, *(tensor.data_ptr() for tensor in kept))

    def greedy(
        self, sources: Sequence[Sequence[int]], limits: Sequence[int], prefix: Tensor | None, options: Options
    ) -> list[list[Hypothesis]]:
        """One hypothesis a sentence; like `model.search.search.search` with a beam of 1 and no guard of n-grams.

        Args:
            sources: ids with their end marks; at least one sentence.
            limits: most steps of each, the end mark's included.
            prefix: `[batch, prefix]` int64 as for `search`, or None.
            options: as for `search`; `not_empty` and `attention` are taken as set. The score is a mean log-probability.

        Raises:
            SearchError: there is no memory, the network gives something else than finite numbers, or the arguments hold
                an id that is not in the vocabulary, an empty source or a limit below 1.
        """
        call = _Call(sources, limits, prefix, options, self._network.output.outputs)
        status = self._library.decode(ctypes.byref(self._network), ctypes.byref(call.job))
        if status:
            raise SearchError(FAILURES[status])
        return call.hypotheses()


def native_decoder(model: Seq2Seq, network: object) -> NativeDecoder | None:
    """The decoder for `network`, which was prepared from `model`; None where it is not in 8 bits or not supported."""
    if isinstance(network, Int8Network) and supports(model.config):
        return NativeDecoder(model, network)
    return None


class _Call:
    """The arrays of one call of `decode`, its sentences ordered by length, the longest first."""

    def __init__(
        self,
        sources: Sequence[Sequence[int]],
        limits: Sequence[int],
        prefix: Tensor | None,
        options: Options,
        outputs: int,
    ) -> None:
        self._order = sorted(range(len(sources)), key=lambda row: -len(sources[row]))
        rows = torch.tensor(self._order)
        batch, steps = len(sources), max(limits)
        source = pad([sources[row] for row in self._order]).int()
        unlimited = torch.full((batch,), NO_LIMIT, dtype=torch.int32)
        forced = torch.zeros(batch, 0) if prefix is None else prefix[rows]
        self._inputs = {
            "source": source,
            "lengths": torch.tensor([len(sources[row]) for row in self._order], dtype=torch.int32),
            "limits": torch.tensor([limits[row] for row in self._order], dtype=torch.int32),
            "runs": unlimited if options.max_runs is None else _runs(options.max_runs[rows]),
            "prefix": forced.int().contiguous(),
            "forbidden": _bias(options.forbidden, rows, outputs),
        }
        self._tokens, self._counts = torch.zeros(batch, steps, dtype=torch.int32), torch.zeros(batch, dtype=torch.int32)
        self._log_probs = torch.zeros(batch, steps, dtype=torch.float32)
        self._attention = torch.zeros(batch, steps, source.shape[1], dtype=torch.float32)
        self.job = _Job(
            batch=batch, longest=source.shape[1], steps=steps, prefix_steps=forced.shape[1],
            forbidden_stride=outputs if len(self._inputs["forbidden"]) > 1 else 0,
            tokens=self._tokens.data_ptr(), counts=self._counts.data_ptr(),
            log_probs=self._log_probs.data_ptr(), attention=self._attention.data_ptr(),
            **{name: tensor.data_ptr() for name, tensor in self._inputs.items()},
        )  # fmt: skip

    def hypotheses(self) -> list[list[Hypothesis]]:
        """What was found, by sentence."""
        found: list[list[Hypothesis]] = [[]] * len(self._order)
        attention = self._attention.numpy()
        rows = zip(self._order, self._tokens.tolist(), self._log_probs.tolist(), self._counts.tolist(), strict=True)
        for place, (row, tokens, log_probs, count) in enumerate(rows):
            finished = tokens[count - 1] == EOS
            end = count - finished
            found[row] = [
                Hypothesis(tokens[:end], log_probs[:count], attention[place, :end], finished, sum(log_probs) / count)
            ]
        return found


def _runs(most: Tensor) -> Tensor:
    """`most` `[batch]` for `decode.c`: 0 means that there is no limit."""
    return torch.where(most > 0, most, NO_LIMIT).int()


def _bias(forbidden: Tensor | None, rows: Tensor, outputs: int) -> Tensor:
    """0 for what may be generated, else minus infinity: `[1 or batch, outputs]`, in the order of `rows`."""
    if forbidden is None:
        return torch.zeros(1, outputs, dtype=torch.float32)
    table = forbidden[None] if forbidden.dim() == 1 else forbidden[rows]
    bias = torch.zeros(table.shape, dtype=torch.float32).masked_fill_(table, float("-inf"))
    return torch.nn.functional.pad(bias, (0, outputs - bias.shape[1]))
