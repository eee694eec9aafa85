"""What is simulated for the page: a fleet on ordinary and on bad days."""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchmarks.capacity.fleet import Fleet, Found, Plan
from benchmarks.capacity.replica import LATE, LOST, REFUSED
from benchmarks.capacity.service import Service

REPLICAS, CORES = 4, 2
SECONDS, WARM_S = 45.0, 5.0
USUAL = 0.6
"""Share of what the fleet can do, where nothing else is said."""
LOADS = (0.3, 0.6, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Scenario:
    """One simulation with its name."""

    name: str
    plan: Plan
    found: Found

    def row(self) -> dict[str, float | str]:
        """Its line of the table."""
        found = self.found
        return {
            "scenario": self.name,
            "asked_per_s": round(self.plan.per_s * self.plan.per_request, 1),
            "answered_per_s": round(found.per_s, 1),
            **{f"p{share}_ms": round(found.ms(share / 100), 1) for share in (50, 95, 99)},
            "refused": found.count(REFUSED),
            "late": found.count(LATE),
            "tried_again": found.tried_again,
            "lost": found.count(LOST),
            "requests": len(found.counted),
        }


def capacity(service: Service, replicas: int = REPLICAS, cores: int = CORES) -> float:
    """Single sentences a second that a fleet can do at most."""
    return replicas * cores * service.server_per_s


def usual(service: Service, share: float = USUAL) -> Plan:
    """Some time of the fleet at a share of what it can do."""
    return Plan(share * capacity(service), REPLICAS, CORES, SECONDS, WARM_S)


def plans(service: Service) -> dict[str, Plan]:
    """The scenarios of the page, by name."""
    base = usual(service)
    steady = {
        f"steady, {100 * share:.0f} % of what the fleet can do": replace(usual(service, share), seconds=20.0)
        for share in LOADS
    }
    half = replace(base, per_s=0.6 * capacity(service), replicas=2, seconds=60.0, scale_after_s=5.0, scale_start_s=10.0)
    return {
        **steady,
        "60 %, for 5 of every 20 s twice as many": replace(base, burst=2.0),
        "60 %, for 5 of every 20 s three times as many": replace(base, burst=3.0),
        "60 %, one of four lost, replaced after 15 s": replace(base, lose_at=10.0, replace_s=15.0),
        "80 %, one of four lost, replaced after 15 s": replace(
            base, per_s=base.per_s * 0.8 / USUAL, lose_at=10.0, replace_s=15.0
        ),
        "60 %, a promotion, all replicas at once": replace(base, promote_at=10.0),
        "60 %, a promotion, one replica every 5 s": replace(base, promote_at=10.0, promote_gap_s=5.0),
        "two replicas with the load of 2.4, more are started": replace(half, most_replicas=6),
        "two replicas with the load of 2.4, none is started": half,
        "one replica, asked for twice what it can do": replace(half, replicas=1, per_s=2 * capacity(service, 1)),
        "60 %, in lists of 16": replace(base, per_s=base.per_s / 16, per_request=16),
    }


def run(service: Service) -> list[Scenario]:
    """Simulate them all."""
    return [Scenario(name, plan, Fleet(service, plan).run()) for name, plan in plans(service).items()]
