"""Machines and money for so many sentences a day."""

from __future__ import annotations

import math
from dataclasses import dataclass

DAY_S, DAY_H = 86_400, 24
DAYS = {"1 M": 1e6, "100 M": 1e8, "10 G": 1e10}


@dataclass(frozen=True)
class Assumptions:
    """What is not measured; each has an option of the command line."""

    peak: float = 3.0
    """The busiest minutes, in means of the day."""
    utilisation: float = 0.6
    """How much of the machines the peak may use."""
    cores: int = 16
    """Of a machine."""
    spare: int = 1
    """Machines that may be missing."""
    price_core_hour: float = 0.04
    """Any currency."""
    price_gpu_hour: float = 3.0
    gpu_per_s: float = 0.0
    """Sentences/s of a server on one GPU; 0: not known."""


@dataclass(frozen=True)
class Fleet:
    """What a number of sentences a day needs."""

    per_s: float
    """Sentences, at the peak."""
    units: int
    """Machines, or GPUs; the spare ones are in it."""
    cost_a_day: float
    """When all of them run all day."""
    follows_a_day: float
    """When there are at each time only as many as that time needs, and the spare ones."""

    def a_million(self, a_day: float) -> float:
        """Cost of a million sentences."""
        return self.cost_a_day / a_day * 1e6


def machines(a_day: float, core_per_s: float, given: Assumptions) -> Fleet:
    """Machines without a GPU."""
    return _fleet(a_day, core_per_s * given.cores, given.cores * given.price_core_hour, given)


def gpus(a_day: float, given: Assumptions) -> Fleet | None:
    """GPUs, if it is known what one does."""
    return _fleet(a_day, given.gpu_per_s, given.price_gpu_hour, given) if given.gpu_per_s else None


def gpu_break_even(core_per_s: float, given: Assumptions) -> float:
    """Sentences/s from which on a GPU costs less than the cores that do the same."""
    return core_per_s * given.price_gpu_hour / given.price_core_hour


def _fleet(a_day: float, unit_per_s: float, price_hour: float, given: Assumptions) -> Fleet:
    mean = a_day / DAY_S
    needed = math.ceil(mean * given.peak / (unit_per_s * given.utilisation))
    follows = max(1.0, mean / (unit_per_s * given.utilisation)) + given.spare
    day = price_hour * DAY_H
    return Fleet(mean * given.peak, needed + given.spare, (needed + given.spare) * day, follows * day)
