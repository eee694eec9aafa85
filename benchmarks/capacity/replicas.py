"""One replica and two, behind what may stand before them: the most that they answer, and what is in the way.

What a proxy takes of a request was measured by `python -m benchmarks.cluster`, and is put before simulated replicas.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.capacity.fleet import Fleet, Front, Plan
from benchmarks.capacity.service import FULL, Service
from benchmarks.cluster import AT_ONCE

FILE = Path(__file__).parents[2] / "docs" / "results" / "cluster.json"
WAYS = {
    "servers behind nginx": ("uvicorn", 0, 0),
    "Ray, its proxy on one node": ("ray", 1, 1),
    "Ray, its proxy on each of two nodes": ("ray", 1, 2),
    "Ray, HAProxy on one node": ("haproxy", 1, 1),
}
"""What was measured, and proxies of one replica and of two."""
SHAPES = {"single": 1, "list of 16": 16}
CLIENTS, SECONDS, WARM_S = 128, 14.0, 2.0
"""So many sentences of each replica are asked for at once."""


@dataclass(frozen=True)
class Pair:
    """One replica of one core beside two."""

    way: str
    shape: str
    one_per_s: float
    """Sentences, at most."""
    two_per_s: float
    proxies_busy: float
    """With two: their share of the time."""

    @property
    def ratio(self) -> float:
        """So many times as much do two answer."""
        return self.two_per_s / self.one_per_s

    def row(self) -> dict[str, float | str]:
        """Its line of the table."""
        return {
            "way": self.way,
            "requests": self.shape,
            "one_per_s": round(self.one_per_s),
            "two_per_s": round(self.two_per_s),
            "ratio": round(self.ratio, 2),
            "proxies_busy": round(self.proxies_busy, 2),
        }


def read(path: Path = FILE) -> dict[str, Any]:
    """What `benchmarks.cluster` has found: medians by kind, shape and who asked."""
    medians: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["medians"]
    return medians


def front(medians: Mapping[str, Any], kind: str, shape: str, proxies: int) -> Front:
    """What stands before replicas of this kind, by the times of many clients who have sentences translated."""
    if not proxies:
        return Front()
    told, plain = medians[kind][shape][AT_ONCE], medians["uvicorn"][shape][AT_ONCE]
    return Front(proxies, told["proxy_ms"] / 1000, (told["server_ms"] - plain["server_ms"]) / 1000)


def at_most(service: Service, plan: Plan) -> float:
    """Sentences a second that are answered when enough are asked for: what is narrowest lets no more through.

    It takes batches for full. Those of a replica whose time goes to requests are smaller, and it answers fewer.
    """
    batch_s = 1 / service.per_s(FULL if FULL in service.batches else max(service.batches))
    loop_s = service.request_s + plan.front.extra_s
    most = plan.replicas * plan.cores / (batch_s * plan.per_request + loop_s)
    if loop_s:  # an event loop does one thing after the other, whatever the cores
        most = min(most, plan.replicas / loop_s)
    if plan.front.proxies:
        most = min(most, plan.front.proxies / plan.front.proxy_s)
    return plan.per_request * most


def plans(medians: Mapping[str, Any], way: str, shape: str) -> Iterator[Plan]:
    """One replica, and two."""
    kind, *proxies = WAYS[way]
    for replicas, count in enumerate(proxies, start=1):
        yield Plan(
            0.0,
            clients=replicas * CLIENTS // SHAPES[shape],
            replicas=replicas,
            seconds=SECONDS,
            warm_s=WARM_S,
            per_request=SHAPES[shape],
            front=front(medians, kind, shape, count),
        )


def run(service: Service, medians: Mapping[str, Any]) -> list[Pair]:
    """Simulate them all."""
    found = []
    for shape in SHAPES:
        for way in WAYS:
            one, two = (Fleet(service, plan).run() for plan in plans(medians, way, shape))
            found.append(Pair(way, shape, one.per_s, two.per_s, two.proxies_busy))
    return found
