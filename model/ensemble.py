"""Several networks that decode as one: the mean of their distributions at every step.

They share their vocabularies, and nothing else: sizes and number formats may differ. Made for teachers, whose
translations one small network then learns (`training.distil`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from model.config import require
from model.kernels.quantize import Network, checked_route, prepare
from model.network.decoder import DecoderState
from model.network.seq2seq import StepOutput
from model.routes import Chosen, choose_device
from model.torch_search import TorchSearcher
from model.versions.store import Version


@dataclass(frozen=True)
class EnsembleState:
    """One decoder state a network, with the same rows."""

    members: tuple[DecoderState, ...]

    def select(self, rows: Tensor) -> EnsembleState:
        """The state of `rows` `[n]`, in that order."""
        return EnsembleState(tuple(member.select(rows) for member in self.members))


@dataclass(frozen=True)
class EnsembleOutput:
    """What one step gives for each row."""

    logits: Tensor
    """`[rows, vocab]` fp32: logarithms of the mean probabilities."""
    attention: Tensor | None
    """`[rows, source]`: the mean; None if any network has none."""
    state: EnsembleState


class Ensemble:
    """Networks of one pair with the same vocabularies."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)

    def encode(self, source: Tensor, lengths: Tensor) -> EnsembleState:
        """The first state for `source` `[batch, source]` of `lengths` `[batch]`, EOS included."""
        return EnsembleState(tuple(network.encode(source, lengths) for network in self._networks))

    def step(self, tokens: Tensor, state: EnsembleState) -> EnsembleOutput:
        """Feed the last chosen `tokens` `[rows]` to all."""
        outputs: list[StepOutput] = [
            network.step(tokens, member) for network, member in zip(self._networks, state.members, strict=True)
        ]
        log_probs = torch.stack([output.logits.float().log_softmax(dim=-1) for output in outputs])
        attentions = [output.attention for output in outputs if output.attention is not None]
        attention = torch.stack(attentions).mean(dim=0) if len(attentions) == len(outputs) else None
        states = EnsembleState(tuple(output.state for output in outputs))
        return EnsembleOutput(log_probs.logsumexp(dim=0) - math.log(len(outputs)), attention, states)


def choose_together(versions: Sequence[Version], device: str, route: str) -> Chosen:
    """What decodes `versions` as one; arguments as for `model.routes.choose`.

    Raises:
        ConfigError: as there, or their vocabularies differ.
    """
    first = versions[0]
    for other in versions[1:]:
        for ours, theirs in ((first.source, other.source), (first.target, other.target)):
            same = ours.pieces(range(ours.vocab_size)) == theirs.pieces(range(theirs.vocab_size))
            require(same, f"{first.card.version} and {other.card.version} have other vocabularies")
    device = choose_device(device)
    taken = checked_route(route, device)
    together = Ensemble([prepare(version.model, device, taken) for version in versions])
    searcher = TorchSearcher(cast(Network, together), device)  # a state is opaque to the search
    return Chosen(searcher, device, taken, "PyTorch", 1)
