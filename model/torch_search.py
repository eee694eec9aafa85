"""Search in PyTorch: any network, on any device."""

from __future__ import annotations

import torch

from model.config import SearchConfig
from model.kernels.quantize import Network
from model.network.batch import pad
from model.search.hypothesis import Hypothesis, Options
from model.search.request import Request
from model.search.search import search


class TorchSearcher:
    """Searches with `network`, which is on `device`."""

    def __init__(self, network: Network, device: str) -> None:
        self._network, self._device = network, device

    def search(self, request: Request, config: SearchConfig) -> list[list[Hypothesis]]:
        """As `model.search.request.Searcher` says."""
        if not request.sources:
            return []
        device, runs = self._device, request.max_runs
        options = Options(
            forbidden=torch.from_numpy(request.forbidden).to(device),
            max_runs=torch.tensor(runs or [0] * len(request.sources), device=device),
            required=request.required,
            not_empty=True,
        )
        prefix = pad(request.prefixes, device=device) if any(request.prefixes) else None
        lengths = torch.tensor([len(ids) for ids in request.sources], device=device)
        limits = torch.tensor(request.limits, device=device)
        with torch.inference_mode():
            state = self._network.encode(pad(request.sources, device=device), lengths)
            return search(self._network.step, state, limits, config, prefix, options)
