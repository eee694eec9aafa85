"""The optimiser: AdamW on fp32 master weights, schedules as pure functions, averaged weights for evaluation."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from training.config import OptimSettings


def learning_rate(settings: OptimSettings, step: int, progress: float) -> float:
    """Linear warm-up over steps, then the schedule over `progress`, the share of it that is done (0 to 1).

    A cosine (Loshchilov & Hutter 2017), or where the rate was constant until then, 1 - sqrt(progress) (Hägele et al.
    2024, section 4). Both follow the share and not the step: a run with a time limit completes its schedule on any
    machine.
    """
    warm, done = min(1.0, (step + 1) / max(1, settings.warmup_steps)), min(1.0, max(0.0, progress))
    left = 1 - math.sqrt(done) if settings.schedule == "constant" else 0.5 * (1 + math.cos(math.pi * done))
    return warm * (settings.final_learning_rate + (settings.peak_learning_rate - settings.final_learning_rate) * left)


def ema_decay(settings: OptimSettings, step: int) -> float:
    """Decay of the averaged weights after update `step`: shorter memory at first, so that the start is forgotten."""
    return min(settings.ema_decay, (1 + step) / (10 + step))


class Optimiser:
    """AdamW (Loshchilov & Hutter 2019) on fp32 copies of a model whose kernels may run in bf16.

    A bf16 weight has 8 bits of mantissa: updates below 1/256 of it would be lost. So the update happens in fp32, and
    the model gets the rounded result. Parameters that are fp32 already are their own masters.
    """

    def __init__(self, model: nn.Module, settings: OptimSettings) -> None:
        self.settings = settings
        self.parameters: list[Tensor] = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
        self.masters = [parameter.detach().float().clone() for parameter in self.parameters]
        self.averages = [master.clone() for master in self.masters]
        matrices = [master for master in self.masters if master.dim() > 1]
        vectors = [master for master in self.masters if master.dim() <= 1]
        groups: list[dict[str, Any]] = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
        betas = (settings.beta1, settings.beta2)
        self._adam = torch.optim.AdamW(groups, lr=0.0, betas=betas, weight_decay=settings.weight_decay, fused=True)

    def step(self, step: int, rate: float) -> float:
        """Apply the gradients with learning rate `rate`; returns the gradient's norm before clipping.

        A batch whose gradient is not finite is skipped (the norm returned says so): one overflow must not end a run.
        """
        for parameter, master in zip(self.parameters, self.masters, strict=True):
            master.grad = torch.zeros_like(master) if parameter.grad is None else parameter.grad.float()
            parameter.grad = None
        norm = float(nn.utils.clip_grad_norm_(self.masters, self.settings.clip_norm))
        if math.isfinite(norm):
            for group in self._adam.param_groups:
                group["lr"] = rate
            self._adam.step()
            with torch.no_grad():
                torch._foreach_copy_(self.parameters, self.masters)
                torch._foreach_lerp_(self.averages, self.masters, 1 - ema_decay(self.settings, step))
        return norm

    def average_into(self, model: nn.Module) -> None:
        """Copy the averaged weights into `model`, of the same architecture and any dtype."""
        targets = dict(model.named_parameters())
        with torch.no_grad():
            for name, average in zip(self.names, self.averages, strict=True):
                targets[name].copy_(average)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on exactly."""
        return {"masters": self.masters, "averages": self.averages, "adam": self._adam.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore `state_dict`, and the model's weights with it."""
        with torch.no_grad():
            torch._foreach_copy_(self.masters, _like(state["masters"], self.masters))
            torch._foreach_copy_(self.averages, _like(state["averages"], self.averages))
            torch._foreach_copy_(self.parameters, self.masters)
        self._adam.load_state_dict(state["adam"])


def _like(tensors: list[Tensor], reference: list[Tensor]) -> list[Tensor]:
    return [tensor.to(other.device) for tensor, other in zip(tensors, reference, strict=True)]
