"""The queue as the event loop and the decoding threads share it: a lock around it, and who sleeps until when.

Threads are woken when there is a batch for them to begin, not for each request: a thread that has just answered many
clients first gives them a moment to come back, so that they share its next batch, too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from app.engine.queue import Scheduler
from app.engine.tickets import Batch

LINGER, MAX_LINGER_S = 0.3, 0.02
"""How long a thread may wait for the clients of its last batch: a share of that batch's time, and seconds."""


@dataclass(frozen=True, slots=True)
class Done:
    """A batch that was translated, and the seconds that it took."""

    batch: Batch
    seconds: float


class Desk:
    """Hands out batches. `tidy` is called with the time on the monotonic clock, and the lock held, before each."""

    def __init__(self, queue: Scheduler, tidy: Callable[[float], None]) -> None:
        self._queue, self._tidy = queue, tidy
        self._changed = threading.Condition()
        self._closed = False
        self._idle = 0
        """Threads that wait for anything to begin."""
        self._awaited: list[int] = []
        """Of the threads that wait for clients to come back, how many units must wait in the queue."""

    @property
    def lock(self) -> AbstractContextManager[object]:
        """For whatever reads or changes the queue."""
        return self._changed

    def wake(self) -> None:
        """Wake those threads that may have something to do now. The lock must be held."""
        if (self._idle and self._queue.may_begin) or (self._awaited and self._is_worth_it(min(self._awaited))):
            self._changed.notify_all()

    def close(self) -> None:
        """Hand out what waits, and then nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def take(self, done: Done | None) -> Batch | None:
        """Wait for the next batch of a thread that comes back with `done`; None if there will be none."""
        with self._changed:
            if done is not None:
                self._await_clients(done)
                self._queue.end(done.batch)
            while True:
                self._tidy(time.monotonic())
                batch = self._queue.next_batch()
                if batch is not None or (self._closed and not self._queue.waiting_units):
                    self._changed.notify_all() if self._closed else self.wake()
                    return batch
                self._idle += 1
                self._changed.wait()
                self._idle -= 1

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
            self._changed.wait(left_s)
        self._awaited.remove(awaited)

    def _is_worth_it(self, awaited: int) -> bool:
        """Whether who waits for so many units in the queue need wait no longer."""
        queue = self._queue
        return queue.waiting_units >= awaited or queue.batch_is_full or queue.waiting_again > 0 or self._closed
