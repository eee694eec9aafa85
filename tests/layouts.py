"""Random sizes and placements for the tests of the C code, the same in every run.

`make check-native` asks for eight instead of three by TRAGHETTO_TEST_LAYOUTS, and lets sanitizers watch.
"""

import os
import random

import pytest
import torch

LAYOUTS = pytest.mark.parametrize("seed", range(int(os.environ.get("TRAGHETTO_TEST_LAYOUTS", "3"))))


def drawn(seed: int) -> random.Random:
    """The random numbers of layout `seed`, for sizes; PyTorch's, for what is in the tensors, begin with it too."""
    torch.manual_seed(seed)
    return random.Random(seed)


def placed(tensor: torch.Tensor, rng: random.Random) -> torch.Tensor:
    """The numbers of `tensor` where others might have left them: alone, amid something larger, or with strides."""
    how = rng.randrange(4)
    if how == 0:
        return tensor.contiguous()
    if how == 1:  # begins anywhere, not where memory was allocated
        before = rng.randint(1, 3)
        return torch.cat((tensor.new_zeros(before), tensor.flatten()))[before:].view(tensor.shape)
    if how == 2:  # the last dimension is not dense
        return torch.stack((tensor, torch.zeros_like(tensor)), dim=-1)[..., 0]
    return tensor.transpose(0, -1).contiguous().transpose(0, -1)
