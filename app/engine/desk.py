"""The queue as the event loop and the decoding threads share it: a lock around it, and who sleeps until when.

Threads are woken when there is a batch for them to begin, not for each request: a thread that has just answered many
clients first gives them a moment to come back, so that they share its next batch, too.
"""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from app.engine.queue import Scheduler
from app.engine.tickets import Batch

LINGER, MAX_LINGER_S = 0.3, 0.02
"""How long a thread may wait for the clients of its last batch: a share of that batch's time, and seconds."""


class Role(enum.Enum):
    """Which batches a thread takes."""

    FIRST = enum.auto()
    """Long ones; all of them, where one batch runs at a time."""
    LONG = enum.auto()
    QUICK = enum.auto()


@dataclass(frozen=True, slots=True)
class Done:
    """A batch that was translated, and the seconds that it took."""

    batch: Batch
    seconds: float


class Desk:
    """Hands out batches. `tidy` is called with the time on the monotonic clock, and the lock held, before each."""

    def __init__(self, queue: Scheduler, tidy: Callable[[float], None]) -> None:
        self._queue, self._tidy = queue, tidy
        self._lock = threading.Lock()
        self._something = {role: threading.Condition(self._lock) for role in Role}
        """For threads that wait for anything to begin."""
        self._idle = dict.fromkeys(Role, 0)
        """How many those are."""
        self._back = threading.Condition(self._lock)
        """For threads that wait for clients to come back."""
        self._awaited: list[int] = []
        """How many units must wait in the queue for each of those."""
        self._closed = False

    @property
    def lock(self) -> AbstractContextManager[object]:
        """For whatever reads or changes the queue."""
        return self._lock

    def wake(self) -> None:
        """Wake a thread of each role that may have something to do now; it wakes the next. The lock must be held."""
        is_over = self._is_over
        for role, idle in self._idle.items():
            if idle and is_over:
                self._something[role].notify_all()
            elif idle and self._queue.may_begin(self._kinds(role)):
                self._something[role].notify()
        if self._awaited and self._is_worth_it(min(self._awaited)):
            self._back.notify_all()

    def close(self) -> None:
        """Hand out what waits, and then nothing more."""
        with self._lock:
            self._closed = True
            self.wake()

    def take(self, role: Role, done: Done | None) -> Batch | None:
        """Wait for the next batch of a thread that comes back with `done`; None if there will be none."""
        with self._lock:
            if done is not None:
                self._await_clients(done)
                self._queue.end(done.batch)
            while True:
                self._tidy(time.monotonic())
                batch = self._queue.next_batch(self._kinds(role))
                self.wake()
                if batch is not None or self._is_over:
                    return batch
                self._idle[role] += 1
                self._something[role].wait()
                self._idle[role] -= 1

    @property
    def _is_over(self) -> bool:
        return self._closed and not self._queue.waiting_units

    def _kinds(self, role: Role) -> tuple[bool, ...]:
        """What a thread may begin, quick batches or long ones."""
        if self._queue.capacity.has_spare:
            return (role is Role.QUICK,)
        return (True, False) if role is Role.FIRST else ()

    def _await_clients(self, done: Done) -> None:
        """Give the clients of a shared batch a moment to come back, so that the next one has them all.

        Without it, clients that each wait for their answer fall into ever smaller groups: whoever comes back first is
        translated alone. The moment ends when as many wait as were served or the next batch is full; there is none
        after a batch of one, nor where second searches can be done meanwhile. The batch counts as running until then.
        """
        served = len(done.batch.units)
        if served == 1:
            return
        awaited = self._queue.waiting_units + served
        ends = time.monotonic() + min(MAX_LINGER_S, LINGER * done.seconds)
        self._awaited.append(awaited)
        while not self._is_worth_it(awaited) and (left_s := ends - time.monotonic()) > 0:
            self._back.wait(left_s)
        self._awaited.remove(awaited)

    def _is_worth_it(self, awaited: int) -> bool:
        """Whether who waits for so many units in the queue need wait no longer."""
        queue = self._queue
        return queue.waiting_units >= awaited or queue.batch_is_full or queue.waiting_again > 0 or self._closed
