"""Short requests beside long ones, several batches at once, turns: what is taken when, without threads or clocks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine.queue import Capacity, Scheduler
from app.engine.tickets import QUICK_COST, RETRY_COST, Batch, Lane, Priority, Sentence, Ticket
from model.config import SearchConfig

GREEDY = SearchConfig()


def ticket(name: str, count: int, tokens: int = 10, search: SearchConfig = GREEDY, **more: object) -> Ticket:
    """`count` sentences of `tokens` each, all different."""
    sentences = [Sentence("it-en", f"{name}{number}", tokens) for number in range(count)]
    return Ticket(sentences, search, deadline=100.0, **more)  # type: ignore[arg-type]


def scheduler(slots: int = 1, *, spare: bool = False, batch_tokens: int = 640, sentences: int = 64) -> Scheduler:
    queue = Scheduler(batch_tokens, sentences, 10**6)
    queue.capacity = Capacity(batch_tokens, slots, spare)
    return queue


def begin(queue: Scheduler) -> Batch:
    batch = queue.next_batch()
    assert batch is not None
    return batch


def end(queue: Scheduler, batch: Batch) -> None:
    for unit in batch.units:
        queue.finish(unit, "result")
    queue.end(batch)


def begin_after(queue: Scheduler) -> Batch:
    """The next batch where there is one slot, and it is taken."""
    queue.capacity = replace(queue.capacity, slots=2)
    batch = begin(queue)
    queue.capacity = replace(queue.capacity, slots=1)
    return batch


def names(batch: Batch) -> set[str]:
    """Whose sentences it holds."""
    return {text.rstrip("0123456789") for text in batch.texts}


@pytest.mark.parametrize(
    ("one", "lane"),
    [
        (ticket("a", 1), Lane.QUICK),
        (ticket("a", 32), Lane.QUICK),
        (ticket("a", 33), Lane.LONG),
        (ticket("a", 9, search=SearchConfig(beam=4)), Lane.LONG),
        (ticket("a", 1, tokens=QUICK_COST + 1), Lane.LONG),
        (ticket("a", 1, tokens=0), Lane.QUICK),
        (ticket("a", 1, priority=Priority.JOB), Lane.JOB),
    ],
)
def test_the_lane_is_chosen_by_what_a_request_costs(one: Ticket, lane: Lane) -> None:
    assert one.lane is lane


def test_a_short_request_never_travels_with_a_long_one() -> None:
    queue = scheduler()
    queue.add(ticket("long", 500), now=0)
    for number in range(5):
        queue.add(ticket(f"short{number}x", 1), now=1)
    batches = []
    while (batch := queue.next_batch()) is not None:
        batches.append(batch)
        end(queue, batch)
    assert all(batch.quick == ("long" not in names(batch)) for batch in batches)
    assert [batch.quick for batch in batches[:2]] == [True, False], "and need not wait for it either"
    assert len(batches[0].units) == 5


def test_where_both_wait_for_one_slot_they_have_it_in_turn() -> None:
    queue = scheduler()
    queue.add(ticket("long", 300), now=0)
    kinds = []
    for turn in range(8):
        queue.add(ticket(f"short{turn}x", 3), now=turn)
        batch = begin(queue)
        kinds.append(batch.quick)
        end(queue, batch)
    assert kinds == [True, False] * 4, "neither starves the other"


def test_short_requests_have_a_spare_slot_where_long_ones_hold_all() -> None:
    queue = scheduler(slots=2, spare=True)
    queue.add(ticket("long", 500), now=0)
    held = [begin(queue), begin(queue)]
    assert queue.next_batch() is None, "long ones have only as many as there are cores"
    assert not queue.may_begin()
    queue.add(ticket("short", 1), now=1)
    assert queue.may_begin()
    quick = begin(queue)
    assert names(quick) == {"short"}
    queue.add(ticket("next", 1), now=2)
    assert queue.next_batch() is None, "one spare slot, not one for each"
    end(queue, quick)
    assert names(begin(queue)) == {"next"}
    end(queue, held[0])
    assert not queue.may_begin(), "a quick batch runs, and another slot is held: two of two"


def test_without_a_spare_slot_they_wait_for_the_running_batch() -> None:
    """A decoder that may be called once at a time has none."""
    queue = scheduler()
    queue.add(ticket("long", 100), now=0)
    held = begin(queue)
    queue.add(ticket("short", 1), now=1)
    assert queue.next_batch() is None
    end(queue, held)
    assert names(begin(queue)) == {"short"}


def test_with_two_slots_each_kind_has_one() -> None:
    queue = scheduler(slots=2, spare=True)
    queue.add(ticket("long", 500), now=0)
    for number in range(200):
        queue.add(ticket(f"short{number}x", 1), now=0)
    running = [begin(queue), begin(queue)]
    assert {batch.quick for batch in running} == {True, False}
    for _ in range(4):
        ended = running.pop(0)
        end(queue, ended)
        running.append(begin(queue))
        assert {batch.quick for batch in running} == {True, False}, "neither kind holds both"


THREADS = {1: (True, True, False), 2: (True, True, True, False, False), 8: (True,) * 9 + (False,) * 8}
"""By cores, which kind of batch each thread of the engine takes: quick ones or long ones."""


def batches_until_answered(slots: int, others: Callable[[int], Ticket], one: Ticket) -> int:
    """How many batches end before `one` is answered, which came when `others` had all slots and always come back.

    The batch that began first ends first, and its thread takes the next of its kind before any other thread is awake.
    """
    queue, idle, running, numbers = (
        scheduler(slots, spare=True),
        [*THREADS[slots]],
        deque[tuple[bool, Batch]](),
        count(),
    )

    def take(kind: bool) -> None:
        if (batch := queue.next_batch((kind,))) is None:
            idle.append(kind)
        else:
            running.append((kind, batch))

    for ended in range(100 * slots):
        while len(queue._lanes[Lane.QUICK]) + len(queue._lanes[Lane.LONG]) < 64:
            queue.add(others(next(numbers)), now=0)
        if ended == 4 * slots:
            queue.add(one, now=0)
        waiting, idle = idle, []
        for kind in waiting:
            take(kind)
        kind, batch = running.popleft()
        end(queue, batch)
        if one.closed:
            return ended - 4 * slots
        take(kind)
    raise AssertionError("it was never answered")


def tickets_of(name: str) -> Callable[[int], Ticket]:
    return lambda number: ticket(f"{name}{number}x", 2 if name == "short" else 150)


@pytest.mark.parametrize("slots", THREADS)
@pytest.mark.parametrize("priority", Priority)
def test_a_long_request_is_done_however_many_short_ones_come(slots: int, priority: Priority) -> None:
    """Threads of short batches once handed the slots to each other, and a list of 16 waited for ever."""
    assert batches_until_answered(slots, tickets_of("short"), ticket("long", 150, priority=priority)) <= 10 * (
        slots + 1
    )


@pytest.mark.parametrize("slots", THREADS)
def test_a_short_request_is_done_however_many_long_ones_come(slots: int) -> None:
    assert batches_until_answered(slots, tickets_of("long"), ticket("short", 1)) <= slots + 1


def test_what_waits_is_shared_between_the_free_slots() -> None:
    queue = scheduler(slots=2, spare=True)
    queue.add(ticket("a", 40), now=0)
    assert [len(begin(queue).units), len(begin(queue).units)] == [20, 20]
    little = scheduler(slots=2, spare=True)
    little.add(ticket("a", 8), now=0)
    assert len(begin(little).units) == 8, "not worth two batches"


def test_short_requests_alone_have_one_batch_more_than_there_are_slots() -> None:
    """While a thread reads what it found, a core would be idle; and all get about the same part."""
    queue = scheduler(slots=2, spare=True)
    for number in range(60):
        queue.add(ticket(f"short{number}x", 1, tokens=8), now=0)
    running = [begin(queue), begin(queue), begin(queue)]
    assert [len(batch.units) for batch in running] == [20, 20, 20]
    queue.add(ticket("late", 1), now=1)
    assert queue.next_batch() is None
    end(queue, running[0])
    assert names(begin(queue)) == {"late"}


@pytest.mark.parametrize("batch_tokens", [640, 1280])
def test_a_list_of_usual_length_is_done_in_one_turn(batch_tokens: int) -> None:
    """One sentence of each in turn would have all of them wait until the last batch."""
    queue = scheduler(batch_tokens=batch_tokens)
    lists = [ticket(name, 16, search=SearchConfig(beam=4)) for name in "abcdefghijklmnop"]
    for one in lists:
        queue.add(one, now=0)
    for number in range(1, 9):
        end(queue, begin(queue))
        assert sum(one.closed for one in lists) == number * batch_tokens // 640 or all(one.closed for one in lists)


def test_the_end_of_a_batch_does_not_end_a_turn() -> None:
    """Else the rest of it would wait until everybody else has had theirs."""
    queue = scheduler()
    uneven = Ticket([Sentence("it-en", f"a{number}", 8 + number) for number in range(40)], GREEDY, deadline=100.0)
    queue.add(uneven, now=0)
    for name in "bcdefg":
        queue.add(ticket(name, 40), now=0)
    first, second = begin(queue), begin_after(queue)
    assert names(first) == {"a"} and len(first.units) < 40, "padding left no room for all of it"
    assert names(second) >= {"a", "b"}


def test_turns_are_bounded() -> None:
    queue = scheduler(batch_tokens=1280, sentences=128)
    queue.add(ticket("endless", 5000), now=0)
    for name in ("b", "c"):
        queue.add(ticket(name, 40), now=0)
    first, second = begin(queue), begin_after(queue)
    assert sum(text.startswith("endless") for text in first.texts) == 64
    assert names(first) == {"endless", "b", "c"} and names(second) == {"c", "endless"}


def test_a_second_search_of_a_short_request_does_not_wait_behind_those_of_a_long_one() -> None:
    queue = scheduler(slots=2, spare=True, batch_tokens=4 * (1 + RETRY_COST) * 10)
    queue.add(ticket("nonsense", 60), now=0)
    for _ in range(3):
        batch = begin(queue)
        for unit in batch.units:
            queue.again(unit, "draft")
        queue.end(batch)
    held = [begin(queue), begin(queue)]
    assert all(batch.group.again and not batch.quick for batch in held)
    queue.add(ticket("short", 1), now=1)
    first = begin(queue)
    queue.again(first.units[0], "draft")
    queue.end(first)
    second = begin(queue)
    assert names(second) == {"short"} and second.group.again and second.quick


kinds = st.sampled_from([("short", 1), ("list", 16), ("long", 150)])
moves = st.lists(st.one_of(kinds, st.integers(0, 5)), min_size=5, max_size=60)


@given(moves, st.integers(1, 3), st.booleans())
@settings(max_examples=200, deadline=None)
def test_slots_are_never_passed_and_everybody_is_answered(done: list, slots: int, spare: bool) -> None:
    queue = scheduler(slots, spare=spare)
    tickets: list[Ticket] = []
    running: list[Batch] = []
    for number, move in enumerate(done):
        if isinstance(move, int):
            if running:
                end(queue, running.pop(move % len(running)))
        else:
            tickets.append(ticket(f"{move[0]}{number}x", move[1]))
            queue.add(tickets[-1], now=number)
        while queue.may_begin() and (batch := queue.next_batch()) is not None:
            running.append(batch)
        quick = sum(batch.quick for batch in running)
        assert len(running) <= slots + spare and len(running) - quick <= slots
        assert queue.next_batch() is None
        waits = [one for one in tickets if not one.closed and one.pending]
        assert len(running) >= slots or not waits, "a slot is free and somebody waits"
    while running:
        end(queue, running.pop())
        while (batch := queue.next_batch()) is not None:
            running.append(batch)
    assert all(one.closed for one in tickets) and not queue.busy
