"""How long one core takes for a batch and for a request, as measured; a simulation draws from it."""

from __future__ import annotations

import bisect
import json
import random
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "docs" / "results" / "capacity.json"
NUMBERS = re.compile(r"\[[\d.,\s]+\]")
"""Lists of them are written on one line."""
FULL = 8
"""Everyday sentences of a batch when many wait: by a beam of four the server's hold 8 to 12."""


@dataclass(frozen=True)
class Service:
    """What was measured on one core of one machine. Times in seconds."""

    batches: Mapping[int, Sequence[float]]
    """Sentences of a batch -> how long such batches took."""
    tokens: Sequence[int]
    """Source tokens of the sentences."""
    request_s: float = 0.0
    """What a request over HTTP takes of the core beside its translation, when the server is busy."""
    load_s: float = 0.0
    """How long a version takes to load, beside requests."""
    start_s: float = 0.0
    """From the start of a server to its first answer."""
    beam: int = 4
    machine: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""

    def draw(self, sentences: int, rng: random.Random) -> float:
        """Seconds of one batch of so many: of a size that was measured, one of those; else between two of them."""
        sizes = sorted(self.batches)
        above = bisect.bisect_left(sizes, sentences)
        if above == len(sizes):
            return rng.choice(self.batches[sizes[-1]]) * sentences / sizes[-1]
        upper = rng.choice(self.batches[sizes[above]])
        if sizes[above] == sentences or above == 0:
            return upper
        low, high = sizes[above - 1], sizes[above]
        share = (sentences - low) / (high - low)
        return (1 - share) * rng.choice(self.batches[low]) + share * upper

    def per_s(self, sentences: int) -> float:
        """Sentences/s of one core in batches of so many."""
        return sentences / statistics.fmean(self.batches[sentences])

    @property
    def server_per_s(self) -> float:
        """Requests/s of one sentence that a server on one core answers at most, in batches of `FULL`."""
        return 1 / (1 / self.per_s(FULL if FULL in self.batches else max(self.batches)) + self.request_s)


def read(path: Path = FILE) -> Service:
    """What was measured last."""
    told = json.loads(path.read_text(encoding="utf-8"))["service"]
    return Service(**{**told, "batches": {int(size): times for size, times in told["batches"].items()}})


def update(path: Path, name: str, value: Any) -> None:
    """Put `value` under `name` into the file of results, beside the others."""
    told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    told[name] = value
    text = json.dumps(told, ensure_ascii=False, indent=1)
    path.write_text(NUMBERS.sub(lambda found: " ".join(found[0].split()), text) + "\n", encoding="utf-8")


def write(path: Path, service: Service) -> None:
    """Keep what was measured."""
    update(path, "service", asdict(service))
