"""One server in the simulation: the real queue of the engine, and threads that take the time that was measured.

`app.engine.queue` decides what a batch is, as it does in the server; it has no clock and no threads of its own. What is
modelled here is the rest: a thread for each core and one more for short requests, the moment that they give clients to
come back, the event loop that reads and writes requests one after the other, and cores that are shared by all of it.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any

import simpy

from app.engine.desk import LINGER, MAX_LINGER_S
from app.engine.limits import EngineLimits
from app.engine.queue import QueueFull, Scheduler
from app.engine.tickets import Batch, Sentence, Ticket
from benchmarks.capacity.cores import Cores
from benchmarks.capacity.service import Service
from model.config import SearchConfig

Events = Generator[simpy.Event, Any, None]
DEADLINE_S, LOOK_FOR_LATE_S = 30.0, 0.1
LIMITS = EngineLimits(batch_tokens=4096, batch_sentences=128, queue_tokens=100_000, max_beam=8)
"""Those that `app.settings` has unless it is told otherwise."""
ANSWERED, REFUSED, LATE, LOST = "answered", "refused", "late", "lost"
"""What becomes of a request: 200, 429, 503, no answer."""


@dataclass(eq=False, slots=True)
class Request:
    """One request, over all its tries."""

    number: int
    tokens: list[int]
    asked: float
    ended: float = 0.0
    outcome: str = ""
    """Empty while it is waited for."""
    tries: int = 0
    done: simpy.Event | None = None
    """Of the try that is under way: happens with its outcome."""

    def end(self, outcome: str) -> None:
        """The try under way has come to this."""
        if self.done is not None and not self.done.triggered:
            self.done.succeed(outcome)


@dataclass(eq=False)
class Replica:
    """A server. `batching=False` is one thread that takes sentence after sentence: the textbook's queue."""

    env: simpy.Environment
    service: Service
    count: int
    """Of its cores."""
    rng: random.Random
    batching: bool = True
    in_flight: int = 0
    """Requests, as a router sees them."""
    alive: bool = True
    _wakes: list[simpy.Event] = field(default_factory=list)
    _tickets: dict[Ticket, Request] = field(default_factory=dict)
    _looked: float = 0.0

    def __post_init__(self) -> None:
        self.cores = Cores(self.env, self.count)
        limits = LIMITS if self.batching else replace(LIMITS, batch_tokens=1, batch_sentences=1)
        self._queue = Scheduler(limits.batch_tokens, limits.batch_sentences, limits.queue_tokens)
        if self.batching:
            self._queue.capacity = replace(limits, at_once=self.count).capacity(shared=True)
        self._loop = simpy.Resource(self.env)
        for _ in range(self.count + self.batching):
            self.env.process(self._work())

    def submit(self, request: Request) -> None:
        """Begin to serve `request`; its event happens when it is answered, refused or lost."""
        self.in_flight += 1
        self.env.process(self._accept(request))

    def lose(self) -> None:
        """The machine is gone, with all that it was doing."""
        self.alive = False
        waiting, self._tickets = list(self._tickets.values()), {}
        for request in waiting:
            self._end(request, LOST)

    def load_version(self) -> simpy.Event:
        """Load another version beside the translating."""
        return self.cores.run(self.service.load_s)

    def _accept(self, request: Request) -> Events:
        """Reading a request and writing its answer are work of the one event loop; both are done here."""
        if self.service.request_s:
            with self._loop.request() as turn:
                yield turn
                yield self.cores.run(self.service.request_s)
        if not self.alive:
            self._end(request, LOST)
            return
        sentences = [Sentence("it-en", f"{request.number}/{i}", count) for i, count in enumerate(request.tokens)]
        search = SearchConfig(beam=self.service.beam)
        ticket = Ticket(sentences, search, request.asked + DEADLINE_S, versions={"it-en": "default"})
        try:
            self._queue.add(ticket, self.env.now)
        except QueueFull:
            self._end(request, REFUSED)
            return
        self._tickets[ticket] = request
        self._wake()

    def _end(self, request: Request, outcome: str) -> None:
        self.in_flight -= 1
        request.end(outcome)

    def _wake(self) -> None:
        wakes, self._wakes = self._wakes, []
        for event in wakes:
            event.succeed()

    def _sleep(self) -> simpy.Event:
        event = self.env.event()
        self._wakes.append(event)
        return event

    def _work(self) -> Events:
        """One thread of the engine."""
        while True:
            self._expire()
            batch = self._queue.next_batch() if self.alive else None
            if batch is None:
                yield self._sleep()
                continue
            yield from self._translate(batch)
            self._queue.end(batch)
            self._wake()

    def _expire(self) -> None:
        if self.env.now - self._looked >= LOOK_FOR_LATE_S:
            self._looked = self.env.now
            for late in self._queue.expire(self.env.now):
                if (request := self._tickets.pop(late, None)) is not None:
                    self._end(request, LATE)

    def _translate(self, batch: Batch) -> Events:
        began = self.env.now
        yield self.cores.run(self.service.draw(len(batch.units), self.rng))
        for unit in batch.units:
            for ticket in self._queue.finish(unit, True):
                if (request := self._tickets.pop(ticket, None)) is not None:
                    self._end(request, ANSWERED)
        if self.batching and len(batch.units) > 1:
            yield from self._await_clients(len(batch.units), self.env.now - began)

    def _await_clients(self, served: int, seconds: float) -> Events:
        """As `app.engine.desk` does; the batch counts as running until then."""
        awaited = self._queue.waiting_units + served
        ends = self.env.now + min(MAX_LINGER_S, LINGER * seconds)
        while self._queue.waiting_units < awaited and not self._queue.batch_is_full and self.env.now < ends:
            yield self._sleep() | self.env.timeout(ends - self.env.now)
