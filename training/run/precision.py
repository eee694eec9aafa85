"""Number formats of training, and the functions that are made for them."""

from __future__ import annotations

import torch

from model.kernels import fused
from model.kernels.quantize import fast_bfloat16
from model.network.seq2seq import Seq2Seq


def fit_kernels(model: Seq2Seq, precision: str = "auto") -> None:
    """Train `model`, where it lies, in `precision` (`bf16`, `fp32`, or `auto`: bf16 where hardware multiplies it fast).

    Recurrent kernels, attention and read-out get that type; embeddings and output layer stay fp32. On a CPU the
    functions of `model.kernels.fused` run them from then on, wherever those take what they read.

    Not autocast: on a CPU it leaves recurrent layers in fp32, and with cuDNN it may pick fp16.
    """
    device = next(model.parameters()).device
    narrow = precision == "bf16" or (precision == "auto" and fast_bfloat16(device.type))
    for part in (model.encoder, model.bridge, model.decoder):
        part.to(torch.bfloat16 if narrow else torch.float32)
    fused.install(model)
