"""The encoder-decoder: embeddings, encoder, bridge, decoder, and the output layer."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from model.config import ModelConfig
from model.network.batch import Batch, padding_mask
from model.network.decoder import Bridge, Decoder, DecoderState
from model.network.dropout import SharedDropout
from model.network.encoder import Encoder


class StepOutput(NamedTuple):
    """What one decoder step gives for each row."""

    logits: Tensor
    """`[rows, vocab]`, not normalised."""
    attention: Tensor | None
    """`[rows, source]`, the mean over the heads; None without attention."""
    state: DecoderState


class Seq2Seq(nn.Module):
    """An encoder-decoder as `config` describes it.

    The embeddings may be kept in fp32 while the kernels run in a narrower type: what is looked up is cast to
    `compute_dtype`, and frequent words then do not lose their small gradients to rounding.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.source_embedding = nn.Embedding(config.source_vocab_size, config.embedding_size)
        self.target_embedding = nn.Embedding(config.target_vocab_size, config.embedding_size)
        self.dropout = SharedDropout(config.dropout)
        self.encoder = Encoder(config)
        self.bridge = Bridge(config)
        self.decoder = Decoder(config)
        self.output = nn.Linear(config.embedding_size, config.target_vocab_size)
        for embedding in (self.source_embedding, self.target_embedding):
            nn.init.normal_(embedding.weight, std=config.embedding_size**-0.5)
        nn.init.zeros_(self.output.bias)
        if config.tied_target_embeddings:
            self.output.weight = self.target_embedding.weight

    @property
    def compute_dtype(self) -> torch.dtype:
        """The floating type that the recurrent kernels read and write."""
        return self.decoder.readout.weight.dtype

    def encode(self, source: Tensor, lengths: Tensor) -> DecoderState:
        """The decoder's first state for `source` `[batch, source]` of `lengths` `[batch]`, EOS included."""
        embedded = self.dropout(self.source_embedding(source).to(self.compute_dtype))
        memory, lasts = self.encoder(embedded, lengths)
        keys = values = None
        if self.decoder.attention is not None:
            keys, values = self.decoder.attention.project(memory)
        tokens = padding_mask(lengths, source.shape[1])
        bias = torch.zeros(tokens.shape, dtype=memory.dtype, device=memory.device).masked_fill_(~tokens, float("-inf"))
        return DecoderState(self.bridge(lasts), keys, values, bias[:, None, None, :])

    def decode(self, tokens: Tensor, state: DecoderState) -> tuple[Tensor, Tensor | None, DecoderState]:
        """Read-outs `[rows, time, embedding]` after each of `tokens` `[rows, time]`, attention, next state."""
        embedded = self.dropout(self.target_embedding(tokens).to(self.compute_dtype))
        return self.decoder(embedded, state)  # type: ignore[no-any-return]

    def forward(self, batch: Batch) -> Tensor:
        """Teacher forcing: the read-out at each target position `[batch, target, embedding]`; see `logits`."""
        readout, _, _ = self.decode(batch.inputs, self.encode(batch.source, batch.lengths))
        return readout

    def logits(self, readout: Tensor) -> Tensor:
        """`[..., embedding]` -> `[..., vocab]`."""
        return self.output(readout)  # type: ignore[no-any-return]

    def step(self, tokens: Tensor, state: DecoderState) -> StepOutput:
        """One step of search: `tokens` `[rows]` are the last chosen ones."""
        readout, weights, state = self.decode(tokens[:, None], state)
        attention = None if weights is None else weights[:, :, 0].mean(dim=1)
        return StepOutput(self.logits(readout[:, 0]), attention, state)

    def parameter_count(self) -> int:
        """Trainable numbers, tied ones once."""
        return sum(parameter.numel() for parameter in self.parameters())
