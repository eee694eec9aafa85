"""What goes into the next batch. Plain Python: no tensors, no threads, no clock of its own.

    tickets (one a request)        units (one a different sentence)
      A: [a1 a2 a3 a4]               a batch takes a few units of each ticket in turn, while
      B: [b1]                        longest unit x units x beam <= budget:
      C: [c1 c2]                       a1 a2 b1 | c1 c2 a3 | a4

Units of one batch share the pair, the model version and the search settings. A ticket keeps the versions that were
current when it came, also across a swap. A sentence that is already waiting or being translated for somebody is not
queued twice: its unit gets one more waiter.

Several batches may run at once, each in a slot. Short requests have batches of their own (`Lane.QUICK`): they do not
travel with what takes long, nor wait for it, for one of their batches may begin beside the slots where all of these
are taken, by whatever it is. Where both wait, quick batches leave half of the slots to long ones, or have one slot in
turn with them. Jobs only fill what is left of long batches, and are left one slot.

A translation with a visible fault comes back with `again`: its unit waits once more, at the price of a wider search, in
batches of its own kind. So a request full of nonsense takes turns with all others. After `RETRY_SHARE` of a ticket's
time its drafts answer.
The lock around all this is the caller's business.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from app.engine.room import Room
from app.engine.tickets import Batch, Key, Lane, Sentence, Ticket, Unit


class QueueFull(Exception):
    """More tokens would wait than the queue may hold."""


SHARED_FROM_COST = 128
"""Less than this is not worth sharing between several slots."""
LANES = {True: (Lane.QUICK,), False: (Lane.LONG, Lane.JOB)}
"""By whether a batch is quick, what it is filled from, in order."""
ALL_KINDS = (True, False)
"""Quick batches and long ones."""


@dataclass(frozen=True)
class Capacity:
    """What the decoder can do at once."""

    batch_cost: int
    """What a batch may be charged, padding included, unless it is one sentence."""
    slots: int = 1
    """Batches that may run at once."""
    has_spare: bool = False
    """Whether one quick batch may run beside them."""


class Scheduler:
    """The queue of tickets, the units in flight, and how many batches run."""

    def __init__(self, batch_tokens: int, batch_sentences: int, queue_tokens: int) -> None:
        self.capacity = Capacity(batch_tokens)
        """May be changed at any time."""
        self._batch_sentences = batch_sentences
        self._queue_tokens = queue_tokens
        self._running = {True: 0, False: 0}
        """Batches, quick ones and long ones."""
        self._running_units = 0
        """In all of them."""
        self._last_was_quick = False
        self._lanes: dict[Lane, deque[Ticket]] = {lane: deque() for lane in Lane}
        self._in_flight: dict[Key, Unit] = {}
        self.waiting_tokens = 0
        self.waiting_units = 0
        self.waiting_cost = 0
        """Of the waiting tokens, what they are charged."""
        self.waiting_again = 0
        """Units that wait for a second search."""
        self._was_again = {True: False, False: False}
        """Whether the last batch, quick or long, was one of second searches."""

    @property
    def batch_is_full(self) -> bool:
        """Whether what waits is enough for a batch, by its cost or by its count."""
        return self.waiting_cost >= self.capacity.batch_cost or self.waiting_units >= self._batch_sentences

    def may_begin(self, kinds: Collection[bool] = ALL_KINDS) -> bool:
        """Whether a batch of one of `kinds`, quick or long, may begin now, if what waits is still wanted."""
        return any(self._lanes[lane] for quick in self._choices() if quick in kinds for lane in LANES[quick])

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

    def next_batch(self, kinds: Collection[bool] = ALL_KINDS) -> Batch | None:
        """What to translate next, quick or long, or None if nothing of these `kinds` waits or may begin.

        Call `expire` first, and `end` later.
        """
        for quick in self._choices():
            batch = self._composed(quick) if quick in kinds else None
            if batch is not None:
                self._running[quick] += 1
                self._running_units += len(batch.units)
                self._last_was_quick = quick
                self._was_again[quick] = batch.group.again
                for unit in batch.units:
                    self._leave_queue(unit)
                return batch
        return None

    def end(self, batch: Batch) -> None:
        """Another may begin in the place of `batch`."""
        self._running[batch.quick] -= 1
        self._running_units -= len(batch.units)

    def _choices(self) -> tuple[bool, ...]:
        """What may begin now, quick batches or long ones; the better choice first."""
        quick, long = self._running[True], self._running[False]
        if not self.capacity.has_spare:
            is_quick = not self._last_was_quick or not self._lanes[Lane.LONG]
            return (is_quick, not is_quick) if quick + long < self.capacity.slots else ()
        owed = self._owed_to_long()
        may_begin = {
            True: quick + max(long, owed) <= self.capacity.slots,
            False: quick + long < self.capacity.slots or (quick + long == self.capacity.slots and long < owed),
        }
        return tuple(is_quick for is_quick in (long >= owed, long < owed) if may_begin[is_quick])

    def _owed_to_long(self) -> int:
        """Slots that quick batches leave to long ones: half of them while one waits, and one to jobs."""
        if self._lanes[Lane.LONG]:
            return max(1, self.capacity.slots // 2)
        return 1 if self._lanes[Lane.JOB] else 0

    def _composed(self, quick: bool) -> Batch | None:
        room = Room(self.capacity.batch_cost, self._share(quick), first_only=True)
        lanes = [self._lanes[lane] for lane in LANES[quick]]
        if self._was_again[quick]:  # between two batches of second searches, one of what came meanwhile
            room.fill(lanes[0])
        room.first_only = False
        for lane in lanes:
            room.fill(lane)
        return None if room.group is None else Batch(room.group, room.units, quick)

    def _share(self, quick: bool) -> int:
        """Units that a batch may have: its part of all that there are, so that batches that run at once end at once."""
        if self.waiting_cost < SHARED_FROM_COST:
            return self._batch_sentences
        ways = self.capacity.slots + (quick and self.capacity.has_spare)
        return min(self._batch_sentences, -(-(self.waiting_units + self._running_units) // ways))

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
        for unit in units:
            unit.live = 0  # one that comes back with a fault is wanted by nobody
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
            self._lanes[ticket.lane].append(ticket)

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


def _key(ticket: Ticket, sentence: Sentence) -> Key:
    version = ticket.versions.get(sentence.pair, "")
    return Key(sentence.pair, version, ticket.search, sentence.text, sentence.prefix)
