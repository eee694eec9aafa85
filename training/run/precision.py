"""Number formats of training."""

from __future__ import annotations

import torch

from model.kernels import fused
from model.network.seq2seq import Seq2Seq


def narrow_kernels(model: Seq2Seq, dtype: torch.dtype) -> None:
    """Run the recurrent kernels, attention and read-out in `dtype`; embeddings and output layer stay fp32.

    The recurrent layers are trained by `train.c` from then on, where it takes that type.

    Not autocast: on a CPU it leaves recurrent layers in fp32, and with cuDNN it may pick fp16.
    """
    for part in (model.encoder, model.bridge, model.decoder):
        part.to(dtype)
    fused.install(model)
