"""Number formats of training."""

from __future__ import annotations

import torch

from model.network.seq2seq import Seq2Seq


def narrow_kernels(model: Seq2Seq, dtype: torch.dtype) -> None:
    """Run the recurrent kernels, attention and read-out in `dtype`; embeddings and output layer stay fp32.

    Not autocast: on a CPU it leaves recurrent layers in fp32, and with cuDNN it may pick fp16.
    """
    for part in (model.encoder, model.bridge, model.decoder):
        part.to(dtype)
