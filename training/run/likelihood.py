"""How likely a model finds given targets: teacher forcing, forward only."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from model.network.batch import Batch
from model.network.seq2seq import Seq2Seq
from model.text.ids import PAD
from training.run.batching import Encoded, cut_batches
from training.run.loss import negative_log_likelihoods

AT_ONCE_TOKENS = {"cpu": 2048, "cuda": 65536}
"""Padded tokens of one batch."""


def nats_per_token(
    model: Seq2Seq, pairs: Sequence[Encoded], each_batch: Callable[[int], None] = lambda pairs: None
) -> list[float]:
    """Mean negative log-likelihood of the tokens of each target, the end mark included, in nats.

    Args:
        model: where it lies, in any number format.
        each_batch: told of how many pairs after each batch; may raise to stop.
    """
    found = [0.0] * len(pairs)
    device = next(model.parameters()).device
    with torch.inference_mode():
        for rows in cut_batches(pairs, AT_ONCE_TOKENS.get(device.type, 2048)):
            batch = Batch.of([pairs[row].source for row in rows], [pairs[row].target for row in rows]).to(device)
            kept = batch.labels != PAD  # [batch, target]
            nats = torch.zeros(kept.shape, device=device)
            nats[kept] = negative_log_likelihoods(model(batch)[kept], model.output, batch.labels[kept])
            for row, mean in zip(rows, (nats.sum(dim=1) / kept.sum(dim=1)).tolist(), strict=True):
                found[row] = mean
            each_batch(len(rows))
    return found
