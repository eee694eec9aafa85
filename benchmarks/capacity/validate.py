"""The simulation beside a real server: one core, one replica, the same loads.

Other work on the machine takes the core away from the real server. So each load is put on it for a few seconds in each
of several rounds, medians are told, and how long its threads were ready to run and had no core.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace

from benchmarks.capacity.fleet import Fleet, Plan
from benchmarks.capacity.measure import load, serving, waited_s
from benchmarks.capacity.service import Service
from benchmarks.parts import processor_s
from benchmarks.suites.processes import Server

SHARES = (0.2, 0.4, 0.6, 0.8)
"""Of what a server of one core should do at most."""
ROUNDS, SECONDS = 5, 3.0
CLIENTS = 256


@dataclass(frozen=True)
class Load:
    """One load, for real and simulated: medians of the rounds. Milliseconds, requests/s, shares of the core."""

    share: float
    real: dict[str, float]
    simulated: dict[str, float]
    calmest: dict[str, float]
    """The one round in which the real server lacked a core least."""


def validate(service: Service) -> list[Load]:
    """Put each load on a real server and on the simulated one, for as long and as often."""
    real: dict[float, list[dict[str, float]]] = {share: [] for share in SHARES}
    with serving() as server:
        load(server, 300, clients=16, seed=9)  # warm
        for seed in range(ROUNDS):
            for share in SHARES:
                real[share].append(_real(server, share * service.server_per_s, seed))
    return [_compared(service, share, rounds) for share, rounds in real.items()]


def _real(server: Server, per_s: float, seed: int) -> dict[str, float]:
    used, waited = processor_s(server.pid), waited_s(server.pid)
    told = load(server, round(per_s * SECONDS), clients=CLIENTS, per_s=per_s, seed=10 + seed)
    used, waited = processor_s(server.pid) - used, waited_s(server.pid) - waited
    return {
        "p50": told.p50_ms, "p95": told.p95_ms, "p99": told.p99_ms, "per_s": told.sentences_per_s,
        "busy": used / told.seconds, "without_core": waited / told.seconds,
        "core_ms": 1000 * used / told.answered,
    }  # fmt: skip


def _compared(service: Service, share: float, rounds: list[dict[str, float]]) -> Load:
    plan = Plan(share * service.server_per_s, seconds=SECONDS)
    simulated = [_simulated(service, replace(plan, seed=seed)) for seed in range(ROUNDS)]
    calmest = min(rounds, key=lambda one: one["without_core"])
    return Load(share, _medians(rounds), _medians(simulated), calmest)


def _simulated(service: Service, plan: Plan) -> dict[str, float]:
    found = Fleet(service, plan).run()
    ends = max(one.ended for one in found.requests)
    answered = len(found.requests)
    return {
        "p50": found.ms(0.5), "p95": found.ms(0.95), "p99": found.ms(0.99), "per_s": answered / ends,
        "busy": found.busy, "core_ms": 1000 * found.busy * ends / answered,
    }  # fmt: skip


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(one[name] for one in rounds), 3) for name in rounds[0]}
