"""What goes into the next batch. Plain Python: no tensors, no threads, no clock of its own.

    tickets (one a request)        units (one a different sentence)
      A: [a1 a2 a3]                  a batch takes one unit of each ticket in turn, while
      B: [b1]                        longest unit x units x beam <= budget:
      C: [c1 c2]                       a1 b1 c1 | a2 c2 | a3

Units of one batch share the pair, the model version and the search settings. A ticket keeps the versions that were
current when it came, also across a swap. Interactive tickets go before jobs. A sentence that is already waiting or
being translated for somebody is not queued twice: its unit gets one more waiter.
The lock around all this is the caller's business.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from model.config import SearchConfig


class Priority(enum.IntEnum):
    """Lanes of the queue; the lower goes first."""

    INTERACTIVE = 0
    JOB = 1


class Sentence(NamedTuple):
    """One sentence to translate."""

    pair: str
    text: str
    tokens: int
    """Source tokens; at least 1 is charged."""


class Key(NamedTuple):
    """Sentences with equal keys have the same translation."""

    pair: str
    version: str
    search: SearchConfig
    text: str
    """The others, which all units of a batch share, come before: they are `key[:3]`."""


class QueueFull(Exception):
    """More tokens would wait than the queue may hold."""

    def __init__(self, waiting_tokens: int) -> None:
        super().__init__(f"{waiting_tokens} tokens are waiting already")
        self.waiting_tokens = waiting_tokens


@dataclass(eq=False, slots=True)
class Ticket:
    """One request's sentences, and what has come back of them."""

    sentences: Sequence[Sentence]
    search: SearchConfig
    deadline: float
    """Seconds on the clock that `expire` is given."""
    priority: Priority = Priority.INTERACTIVE
    owner: Any = None
    """Whatever the caller needs to answer with."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """By pair, the model version that translates its sentences."""
    results: list[Any] = field(default_factory=list)
    submitted: float = 0.0
    missing: int = 0
    closed: bool = False
    """Answered, cancelled or expired: nobody waits any more."""
    units: list[Unit] = field(default_factory=list)
    pending: deque[Unit] = field(default_factory=deque)


@dataclass(eq=False, slots=True)
class Unit:
    """One sentence to translate once, for all who wait for it."""

    key: Key
    tokens: int
    waiters: list[tuple[Ticket, int]]
    live: int = 1
    """Waiters whose ticket is open."""
    taken: bool = False
    """In a batch, or not wanted any more."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Units to translate together."""

    pair: str
    version: str
    search: SearchConfig
    units: list[Unit]

    @property
    def texts(self) -> list[str]:
        """The sentences, in the order of the units."""
        return [unit.key.text for unit in self.units]

    @property
    def padded_tokens(self) -> int:
        """Longest sentence x sentences."""
        return max(unit.tokens for unit in self.units) * len(self.units)


@dataclass(slots=True)
class _Room:
    """How much of a batch's budget is used."""

    budget: int
    max_units: int
    units: list[Unit] = field(default_factory=list)
    longest: int = 0
    group: tuple[str, str, SearchConfig] | None = None

    def fits(self, unit: Unit) -> bool:
        if self.group is None:
            return True
        if unit.key[:3] != self.group:
            return False
        return max(self.longest, unit.tokens) * (len(self.units) + 1) * unit.key.search.beam <= self.budget

    def take(self, unit: Unit) -> None:
        unit.taken = True
        self.group = unit.key[:3]
        self.longest = max(self.longest, unit.tokens)
        self.units.append(unit)

    @property
    def full(self) -> bool:
        if self.group is None:
            return False
        count = len(self.units) + 1
        return count > self.max_units or self.longest * count * self.group[2].beam > self.budget


class Scheduler:
    """The queue of tickets, and the units in flight."""

    def __init__(self, batch_tokens: int, batch_sentences: int, queue_tokens: int) -> None:
        self._batch_tokens = batch_tokens
        self._batch_sentences = batch_sentences
        self._queue_tokens = queue_tokens
        self._lanes: dict[Priority, deque[Ticket]] = {priority: deque() for priority in Priority}
        self._in_flight: dict[Key, Unit] = {}
        self.waiting_tokens = 0
        self.waiting_units = 0

    @property
    def busy(self) -> bool:
        """Whether anything waits or is being translated."""
        return bool(self._in_flight)

    def add(self, ticket: Ticket, now: float) -> None:
        """Queue the sentences of `ticket`, which must hold at least one.

        Raises:
            QueueFull: nothing was queued. A ticket that comes to an empty queue is always taken.
        """
        if self.waiting_tokens and not self._has_room(ticket):
            raise QueueFull(self.waiting_tokens)
        ticket.submitted = now
        ticket.missing = len(ticket.sentences)
        ticket.results = [None] * ticket.missing
        for index, sentence in enumerate(ticket.sentences):
            unit = self._join_or_create(ticket, index, sentence)
            ticket.units.append(unit)
            if not unit.taken:
                ticket.pending.append(unit)
        if ticket.pending:
            self._lanes[ticket.priority].append(ticket)

    def cancel(self, ticket: Ticket) -> None:
        """Forget `ticket`; what nobody else wants leaves the queue."""
        if ticket.closed:
            return
        ticket.closed = True
        ticket.pending.clear()
        for unit in ticket.units:
            unit.live -= 1
            if unit.live == 0 and not unit.taken:
                unit.taken = True
                self._leave_queue(unit)
                del self._in_flight[unit.key]
        ticket.units.clear()

    def next_batch(self) -> Batch | None:
        """What to translate next, or None if nothing waits. Call `expire` first."""
        room = _Room(self._batch_tokens, self._batch_sentences)
        for lane in self._lanes.values():
            self._fill(room, lane)
        if room.group is None:
            return None
        for unit in room.units:
            self._leave_queue(unit)
        return Batch(*room.group, room.units)

    def expire(self, now: float) -> list[Ticket]:
        """Take out the waiting tickets whose deadline has passed; the caller answers them."""
        late = [
            ticket for lane in self._lanes.values() for ticket in lane if not ticket.closed and ticket.deadline <= now
        ]
        for ticket in late:
            self.cancel(ticket)
        return late

    def finish(self, unit: Unit, result: Any) -> list[Ticket]:
        """Give `result` to all who wait for `unit`; returns the tickets that are now complete."""
        self._in_flight.pop(unit.key, None)
        complete = []
        for ticket, index in unit.waiters:
            if ticket.closed:
                continue
            ticket.results[index] = result
            ticket.missing -= 1
            if ticket.missing == 0:
                ticket.closed = True
                ticket.units.clear()
                complete.append(ticket)
        unit.waiters.clear()  # with `units`, so that no cycle is left for the garbage collector
        return complete

    def needs(self, pair: str, version: str) -> bool:
        """Whether anything that waits or is being translated is for `version` of `pair`."""
        return any(key.version == version and key.pair == pair for key in self._in_flight)

    def clear(self) -> list[Ticket]:
        """Forget everything; returns the tickets that were open."""
        units = list(self._in_flight.values())
        tickets = dict.fromkeys(ticket for unit in units for ticket, _ in unit.waiters if not ticket.closed)
        for ticket in tickets:
            ticket.closed = True
        for lane in self._lanes.values():
            lane.clear()
        self._in_flight.clear()
        self.waiting_tokens = self.waiting_units = 0
        return list(tickets)

    def _has_room(self, ticket: Ticket) -> bool:
        """Most often there is room for all; only else it matters which sentences are in flight and cost nothing."""
        room = self._queue_tokens - self.waiting_tokens
        if sum(sentence.tokens for sentence in ticket.sentences) <= room:
            return True
        fresh = {_key(ticket, sentence): sentence.tokens for sentence in ticket.sentences}
        return sum(tokens for key, tokens in fresh.items() if key not in self._in_flight) <= room

    def _join_or_create(self, ticket: Ticket, index: int, sentence: Sentence) -> Unit:
        key = _key(ticket, sentence)
        unit = self._in_flight.get(key)
        if unit is not None:
            unit.waiters.append((ticket, index))
            unit.live += 1
            return unit
        unit = Unit(key, max(1, sentence.tokens), [(ticket, index)])
        self._in_flight[key] = unit
        self.waiting_tokens += unit.tokens
        self.waiting_units += 1
        return unit

    def _leave_queue(self, unit: Unit) -> None:
        self.waiting_tokens -= unit.tokens
        self.waiting_units -= 1

    def _fill(self, room: _Room, lane: deque[Ticket]) -> None:
        """Round robin over `lane`; who was passed over stands in front next time."""
        passed_over: list[Ticket] = []
        while lane and not room.full:
            ticket = lane.popleft()
            head = _head(ticket)
            if head is None:
                continue
            if not room.fits(head):
                passed_over.append(ticket)
                continue
            room.take(ticket.pending.popleft())
            lane.append(ticket)
        lane.extendleft(reversed(passed_over))


def _key(ticket: Ticket, sentence: Sentence) -> Key:
    return Key(sentence.pair, ticket.versions.get(sentence.pair, ""), ticket.search, sentence.text)


def _head(ticket: Ticket) -> Unit | None:
    """The next unit of `ticket` that nobody has taken yet."""
    pending = ticket.pending
    while pending and pending[0].taken:
        pending.popleft()
    return pending[0] if pending else None
