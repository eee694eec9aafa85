"""What waits for the model and what travels together: requests, their sentences, batches. Plain values."""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from model.config import SearchConfig

RETRY_COST = 4
"""What a token is charged in a second search beside the first, which is done again. By decode.c a second search of a
sentence of nonsense or prose took 4 to 6 times as long as a greedy one, and with a beam of four 6 to 7 times."""
RETRY_SHARE = 0.5
"""Of a ticket's time; what has not been searched again by then is not any more."""


class Priority(enum.IntEnum):
    """Who asks; the lower goes first."""

    INTERACTIVE = 0
    JOB = 1


QUICK_COST = 320
"""What all sentences of an interactive request may be charged so that it travels apart from longer ones: eight of ten
tokens by a beam of four."""


class Lane(enum.IntEnum):
    """Of the queue. Requests of `QUICK` have batches of their own, which end soon."""

    QUICK = 0
    LONG = 1
    JOB = 2


class Sentence(NamedTuple):
    """One sentence to translate."""

    pair: str
    text: str
    tokens: int
    """Source tokens; at least 1 is charged."""
    prefix: str = ""
    """What the translation must begin with."""


class Key(NamedTuple):
    """Sentences with equal keys have the same translation."""

    pair: str
    version: str
    search: SearchConfig
    text: str
    """The others, which all units of a batch share, come before: they are `key[:3]`."""
    prefix: str = ""


@dataclass(eq=False, slots=True)
class Ticket:
    """One request's sentences, and what has come back of them."""

    sentences: Sequence[Sentence]
    search: SearchConfig
    deadline: float
    """Seconds on the clock that `expire` is given."""
    priority: Priority = Priority.INTERACTIVE
    retry_by: float = math.inf
    """On the same clock: from then on drafts answer."""
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
    queued: bool = False
    """In its lane."""
    turn: int = 0
    """What it was charged since its turn began."""

    @property
    def cost(self) -> int:
        """What its sentences are charged when they are searched for first."""
        return self.search.beam * sum(max(1, sentence.tokens) for sentence in self.sentences)

    @property
    def lane(self) -> Lane:
        """Where it waits."""
        if self.priority == Priority.JOB:
            return Lane.JOB
        return Lane.QUICK if self.cost <= QUICK_COST else Lane.LONG

    def give(self, index: int, result: Any) -> bool:
        """Take the result of a sentence; says whether that was the last."""
        self.results[index] = result
        self.missing -= 1
        if self.missing:
            return False
        self.closed = True
        self.units.clear()
        self.pending.clear()
        return True


class Group(NamedTuple):
    """What all units of a batch share."""

    pair: str
    version: str
    search: SearchConfig
    again: bool
    """Whether they are searched for a second time."""

    @property
    def weight(self) -> int:
        """What a token is charged."""
        return self.search.beam + (RETRY_COST if self.again else 0)


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
    draft: Any = None
    """What a first search found, if there shall be a second."""

    @property
    def group(self) -> Group:
        """With which others it may be translated."""
        return Group(*self.key[:3], self.draft is not None)

    @property
    def cost(self) -> int:
        """What is charged for it, without padding."""
        return self.tokens * self.group.weight


@dataclass(frozen=True, slots=True)
class Batch:
    """Units to translate together."""

    group: Group
    units: list[Unit]
    quick: bool = False
    """Whether all of it is of requests that are done soon."""

    @property
    def texts(self) -> list[str]:
        """The sentences, in the order of the units."""
        return [unit.key.text for unit in self.units]

    @property
    def prefixes(self) -> list[str]:
        """What their translations must begin with, in the same order."""
        return [unit.key.prefix for unit in self.units]

    @property
    def padded_tokens(self) -> int:
        """Longest sentence x sentences."""
        return max(unit.tokens for unit in self.units) * len(self.units)
