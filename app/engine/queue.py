"""What goes into the next batch. Plain Python: no tensors, no threads, no clock of its own.

    tickets (one a request)        units (one a different sentence)
      A: [a1 a2 a3]                  a batch takes one unit of each ticket in turn, while
      B: [b1]                        longest unit x units x beam <= budget:
      C: [c1 c2]                       a1 b1 c1 | a2 c2 | a3

Units of one batch share the pair, the model version and the search settings. A ticket keeps the versions that were
current when it came, also across a swap. Interactive tickets go before jobs. A sentence that is already waiting or
being translated for somebody is not queued twice: its unit gets one more waiter.

A translation with a visible fault comes back with `again`: its unit waits once more, at the price of a wider search, in
batches of its own kind. So a request full of nonsense takes turns with all others. After `RETRY_SHARE` of a ticket's
time its drafts answer.
The lock around all this is the caller's business.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from app.engine.tickets import Batch, Group, Key, Priority, Sentence, Ticket, Unit


class QueueFull(Exception):
    """More tokens would wait than the queue may hold."""


@dataclass(slots=True)
class _Room:
    """How much of a batch's budget is used."""

    budget: int
    max_units: int
    units: list[Unit] = field(default_factory=list)
    longest: int = 0
    group: Group | None = None
    first_only: bool = False
    """No second searches."""

    def fits(self, unit: Unit) -> bool:
        if self.group is None:
            return not (self.first_only and unit.draft is not None)
        if unit.group != self.group:
            return False
        return max(self.longest, unit.tokens) * (len(self.units) + 1) * self.group.weight <= self.budget

    def take(self, unit: Unit) -> None:
        unit.taken = True
        self.group = self.group or unit.group
        self.longest = max(self.longest, unit.tokens)
        self.units.append(unit)

    @property
    def full(self) -> bool:
        if self.group is None:
            return False
        count = len(self.units) + 1
        return count > self.max_units or self.longest * count * self.group.weight > self.budget


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
        self.waiting_cost = 0
        """Of the waiting tokens, what they are charged."""
        self.waiting_again = 0
        """Units that wait for a second search."""
        self._was_again = False
        """Whether the last batch was one of second searches."""

    @property
    def batch_is_full(self) -> bool:
        """Whether what waits is enough for a batch, by its cost or by its count."""
        return self.waiting_cost >= self._batch_tokens or self.waiting_units >= self._batch_sentences

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
            raise QueueFull(f"{self.waiting_tokens} tokens are waiting already")
        ticket.submitted = now
        ticket.missing = len(ticket.sentences)
        ticket.results = [None] * ticket.missing
        for index, sentence in enumerate(ticket.sentences):
            unit = self._join_or_create(ticket, index, sentence)
            ticket.units.append(unit)
            if not unit.taken:
                ticket.pending.append(unit)
        self._enqueue(ticket)

    def again(self, unit: Unit, draft: Any) -> bool:
        """Queue `unit`, whose batch gave `draft`, for a second search; false if nobody waits for it any more."""
        if unit.live == 0:
            return False
        unit.draft, unit.taken = draft, False
        self._join_queue(unit)
        for ticket in dict.fromkeys(ticket for ticket, _ in unit.waiters if not ticket.closed):
            ticket.pending.append(unit)
            self._enqueue(ticket)
        return True

    def settle(self, now: float) -> list[Ticket]:
        """Give their drafts to the tickets that may wait for better no longer; returns those that are now complete."""
        late = [ticket for lane in self._lanes.values() for ticket in lane if ticket.retry_by <= now]
        return [ticket for ticket in late if not ticket.closed and self._settle(ticket)]

    def _settle(self, ticket: Ticket) -> bool:
        drafts = [unit for unit in ticket.units if unit.draft is not None and not unit.taken]
        ticket.units = [unit for unit in ticket.units if unit.draft is None or unit.taken]  # it waits for no others
        for unit in dict.fromkeys(drafts):
            mine = [index for waiter, index in unit.waiters if waiter is ticket]
            unit.waiters = [waiter for waiter in unit.waiters if waiter[0] is not ticket]
            self._part(unit, len(mine))
            for index in mine:
                ticket.give(index, unit.draft)
        return ticket.closed

    def cancel(self, ticket: Ticket) -> None:
        """Forget `ticket`; what nobody else wants leaves the queue."""
        if ticket.closed:
            return
        ticket.closed = True
        ticket.pending.clear()
        for unit in ticket.units:
            self._part(unit, 1)
        ticket.units.clear()

    def next_batch(self) -> Batch | None:
        """What to translate next, or None if nothing waits. Call `expire` first."""
        room = _Room(self._batch_tokens, self._batch_sentences, first_only=True)
        if self._was_again:  # between two batches of second searches, one of what came meanwhile
            self._fill(room, self._lanes[Priority.INTERACTIVE])
        room.first_only = False
        for lane in self._lanes.values():
            self._fill(room, lane)
        if room.group is None:
            return None
        self._was_again = room.group.again
        for unit in room.units:
            self._leave_queue(unit)
        return Batch(room.group, room.units)

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
            if not ticket.closed and ticket.give(index, result):
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
        self.waiting_tokens = self.waiting_units = self.waiting_cost = self.waiting_again = 0
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
        self._join_queue(unit)
        return unit

    def _enqueue(self, ticket: Ticket) -> None:
        if ticket.pending and not ticket.queued:
            ticket.queued = True
            self._lanes[ticket.priority].append(ticket)

    def _part(self, unit: Unit, waiters: int) -> None:
        """`waiters` of `unit` have gone; what nobody else wants leaves the queue."""
        unit.live -= waiters
        if unit.live == 0 and not unit.taken:
            unit.taken = True
            self._leave_queue(unit)
            del self._in_flight[unit.key]

    def _join_queue(self, unit: Unit) -> None:
        self.waiting_tokens += unit.tokens
        self.waiting_units += 1
        self.waiting_cost += unit.cost
        self.waiting_again += unit.draft is not None

    def _leave_queue(self, unit: Unit) -> None:
        self.waiting_tokens -= unit.tokens
        self.waiting_units -= 1
        self.waiting_cost -= unit.cost
        self.waiting_again -= unit.draft is not None

    def _fill(self, room: _Room, lane: deque[Ticket]) -> None:
        """Round robin over `lane`; who was passed over stands in front next time."""
        passed_over: list[Ticket] = []
        while lane and not room.full:
            ticket = lane.popleft()
            head = _head(ticket)
            if head is None:
                ticket.queued = False
                continue
            if not room.fits(head):
                passed_over.append(ticket)
                continue
            room.take(ticket.pending.popleft())
            lane.append(ticket)
        lane.extendleft(reversed(passed_over))


def _key(ticket: Ticket, sentence: Sentence) -> Key:
    version = ticket.versions.get(sentence.pair, "")
    return Key(sentence.pair, version, ticket.search, sentence.text, sentence.prefix)


def _head(ticket: Ticket) -> Unit | None:
    """The next unit of `ticket` that nobody has taken yet."""
    pending = ticket.pending
    while pending and pending[0].taken:
        pending.popleft()
    return pending[0] if pending else None
