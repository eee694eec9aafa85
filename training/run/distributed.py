"""Several workers on one model: each takes its part of every batch, and the gradients are added up.

Started by `torchrun`, which sets the environment read here; without it there is one worker. NCCL on GPUs, gloo on CPUs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, distributed


@dataclass(frozen=True)
class Workers:
    """Who this process is among the workers."""

    rank: int = 0
    count: int = 1

    @classmethod
    def join(cls, device: torch.device) -> Workers:
        """Join the group that `torchrun` describes; alone without it."""
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            return cls()
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def first(self) -> bool:
        """Whether this one evaluates, prints and writes."""
        return self.rank == 0

    def leave(self) -> None:
        """Leave the group."""
        if self.count > 1:
            distributed.destroy_process_group()

    def barrier(self) -> None:
        """Wait for all."""
        if self.count > 1:
            distributed.barrier()

    def first_says(self, answer: bool, device: torch.device) -> bool:
        """The first worker's `answer`, on all."""
        if self.count == 1:
            return answer
        said = torch.tensor([answer], dtype=torch.uint8, device=device)
        distributed.broadcast(said, 0)
        return bool(said)

    def agree(self, tokens: int, progress: float, stop: bool, device: torch.device) -> tuple[int, float, bool]:
        """Total tokens of this step, the first worker's progress, and whether any wants to stop."""
        if self.count == 1:
            return tokens, progress, stop
        said = torch.tensor([tokens, progress if self.first else 0.0, float(stop)], dtype=torch.float64, device=device)
        distributed.all_reduce(said)
        return int(said[0]), float(said[1]), bool(said[2] > 0)

    def have_same(self, number: int, device: torch.device) -> bool:
        """Whether all workers say the same `number`."""
        if self.count == 1:
            return True
        said = torch.tensor([number, -number], dtype=torch.int64, device=device)
        distributed.all_reduce(said, distributed.ReduceOp.MAX)
        return int(said[0]) == -int(said[1])

    def sum_gradients(self, parameters: Sequence[Tensor], weight: float) -> None:
        """Replace each gradient by the sum over workers of gradient x `weight`, in fp32 and one message."""
        if self.count == 1:
            return
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([grad.float().flatten() for grad in grads]) * weight
        distributed.all_reduce(flat)
        for parameter, part in zip(parameters, torch.split(flat, [grad.numel() for grad in grads]), strict=True):
            parameter.grad = part.view_as(parameter).to(parameter.dtype)

    def share_weights(self, tensors: list[Tensor]) -> None:
        """Give every worker the first one's `tensors`."""
        if self.count > 1:
            for tensor in tensors:
                distributed.broadcast(tensor, 0)
