"""The cores of one machine in the simulation: what runs at once shares them evenly."""

from __future__ import annotations

import simpy

DONE_S = 1e-12
"""Work that is left by rounding only."""


class Cores:
    """`count` cores; nothing uses more than one of them."""

    def __init__(self, env: simpy.Environment, count: int) -> None:
        self._env, self._count = env, count
        self._left: dict[simpy.Event, float] = {}
        """Seconds of work that each job still needs of a core of its own."""
        self._looked = env.now
        self._plan = 0
        self.busy_s = 0.0
        """Work that was done."""

    def run(self, seconds: float) -> simpy.Event:
        """Begin work that takes a core so long; the event happens when it is done."""
        self._advance()
        done = self._env.event()
        self._left[done] = seconds
        self._look_again()
        return done

    @property
    def _speed(self) -> float:
        return min(1.0, self._count / len(self._left)) if self._left else 0.0

    def _advance(self) -> None:
        worked = (self._env.now - self._looked) * self._speed
        self._looked = self._env.now
        for job in self._left:
            self._left[job] -= worked
        self.busy_s += worked * len(self._left)

    def _look_again(self) -> None:
        """See to it that the next job to be done is noticed; an earlier plan is void."""
        self._plan += 1
        if self._left:
            plan = self._plan
            wait = self._env.timeout(max(0.0, min(self._left.values())) / self._speed)
            wait.callbacks.append(lambda _: self._finish(plan))

    def _finish(self, plan: int) -> None:
        if plan != self._plan:
            return
        self._advance()
        for job in [job for job, left in self._left.items() if left <= DONE_S]:
            del self._left[job]
            job.succeed()
        self._look_again()
