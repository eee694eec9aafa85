"""One batch while it is filled: requests in turn, within its budget."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from app.engine.tickets import Group, Ticket, Unit

TURN_COST = 640
"""What a request's turn may be charged: a list of 16 everyday sentences by a beam of four. One sentence always fits.

With one sentence a turn, lists that many clients send would all be done at the end only.
"""


@dataclass(slots=True)
class Room:
    """How much of a batch's budget is used."""

    budget: int
    max_units: int
    units: list[Unit] = field(default_factory=list)
    longest: int = 0
    group: Group | None = None
    first_only: bool = False
    """No second searches."""

    def fill(self, lane: deque[Ticket]) -> None:
        """Take from `lane`, round robin; who was passed over, or whose turn the end cut, is in front next time."""
        passed_over: list[Ticket] = []
        while lane and not self.full:
            ticket = lane.popleft()
            is_over = self._turn(ticket)
            if not ticket.pending:
                ticket.queued, ticket.turn = False, 0
            elif is_over:
                lane.append(ticket)
            else:
                passed_over.append(ticket)
        lane.extendleft(reversed(passed_over))

    def _turn(self, ticket: Ticket) -> bool:
        """Take what comes next of `ticket`; whether its turn is over."""
        most = min(TURN_COST, self.budget)
        while not self.full and (unit := _head(ticket)) is not None and self._fits(unit):
            if ticket.turn and ticket.turn + unit.cost > most:
                ticket.turn = 0
                return True
            self._take(ticket.pending.popleft())
            ticket.turn += unit.cost
        return False

    def _fits(self, unit: Unit) -> bool:
        if self.group is None:
            return not (self.first_only and unit.draft is not None)
        if unit.group != self.group:
            return False
        return max(self.longest, unit.tokens) * (len(self.units) + 1) * self.group.weight <= self.budget

    def _take(self, unit: Unit) -> None:
        unit.taken = True
        self.group = self.group or unit.group
        self.longest = max(self.longest, unit.tokens)
        self.units.append(unit)

    @property
    def full(self) -> bool:
        """Whether not even the shortest sentence has room."""
        if self.group is None:
            return False
        count = len(self.units) + 1
        return count > self.max_units or self.longest * count * self.group.weight > self.budget


def _head(ticket: Ticket) -> Unit | None:
    """The next unit of `ticket` that nobody has taken yet."""
    pending = ticket.pending
    while pending and pending[0].taken:
        pending.popleft()
    return pending[0] if pending else None
