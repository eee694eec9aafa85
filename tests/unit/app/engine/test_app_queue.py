"""The scheduler: fairness, budget, priority, sharing. No threads, no tensors."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine.queue import QueueFull, Scheduler
from app.engine.tickets import RETRY_COST, Batch, Priority, Sentence, Ticket, Unit
from model.config import SearchConfig

GREEDY = SearchConfig()


def ticket(*texts: str, pair: str = "it-en", tokens: int = 1, search: SearchConfig = GREEDY, **more: object) -> Ticket:
    return Ticket([Sentence(pair, text, tokens) for text in texts], search, deadline=100.0, **more)  # type: ignore[arg-type]


def scheduler(batch_tokens: int = 100, batch_sentences: int = 100, queue_tokens: int = 1000) -> Scheduler:
    return Scheduler(batch_tokens, batch_sentences, queue_tokens)


def drain(queue: Scheduler) -> list[list[str]]:
    batches = []
    while (batch := queue.next_batch()) is not None:
        batches.append(batch.texts)
        for unit in batch.units:
            queue.finish(unit, unit.key.text.upper())
        queue.end(batch)
    return batches


def taken(queue: Scheduler) -> Batch:
    """The next batch, which then is no longer counted as running."""
    batch = queue.next_batch()
    assert batch is not None
    queue.end(batch)
    return batch


def units_of_next(queue: Scheduler) -> list[Unit]:
    """Those of the next batch, which then is no longer counted as running; none if there is none."""
    batch = queue.next_batch()
    if batch is None:
        return []
    queue.end(batch)
    return batch.units


def test_a_long_document_does_not_starve_a_short_request() -> None:
    queue = scheduler(batch_tokens=4)
    queue.add(ticket(*(f"doc{number}" for number in range(50))), now=0)
    queue.add(ticket("short"), now=1)
    assert "short" in [*taken(queue).texts, *taken(queue).texts], "after one turn of the other it is its own"


def test_requests_take_turns_and_keep_their_order() -> None:
    queue = scheduler(batch_tokens=4)
    queue.add(ticket("a1", "a2", "a3", tokens=2), now=0)
    queue.add(ticket("b1", tokens=2), now=0)
    queue.add(ticket("c1", "c2", tokens=2), now=0)
    assert drain(queue) == [["a1", "a2"], ["b1", "c1"], ["c2", "a3"]]


def test_the_budget_counts_padding() -> None:
    queue = scheduler(batch_tokens=40)
    queue.add(Ticket([Sentence("it-en", "long", 20)], GREEDY, 100.0), now=0)
    for number in range(5):
        queue.add(ticket(f"s{number}", tokens=2), now=0)
    assert [len(texts) for texts in drain(queue)] == [2, 4], "20 x 2 fills 40: the padding of short sentences counts"


def test_the_budget_counts_the_beam() -> None:
    queue = scheduler(batch_tokens=40)
    for number in range(4):
        queue.add(ticket(f"s{number}", tokens=5, search=SearchConfig(beam=4)), now=0)
    assert [len(texts) for texts in drain(queue)] == [2, 2]


def test_a_sentence_over_the_budget_goes_alone() -> None:
    queue = scheduler(batch_tokens=10)
    queue.add(ticket("s1"), now=0)
    queue.add(ticket("huge", tokens=50), now=0)
    queue.add(ticket("s2"), now=0)
    assert drain(queue) == [["s1", "s2"], ["huge"]], "what does not fit waits one batch, then comes first"


def test_the_number_of_sentences_is_bounded() -> None:
    queue = scheduler(batch_sentences=3)
    queue.add(ticket(*"abcdefg"), now=0)
    assert [len(texts) for texts in drain(queue)] == [3, 3, 1]


def test_interactive_requests_go_before_jobs() -> None:
    queue = scheduler(batch_tokens=2)
    queue.add(ticket("j1", "j2", priority=Priority.JOB), now=0)
    queue.add(ticket("i1", "i2", "i3"), now=1)
    assert drain(queue) == [["i1", "i2"], ["i3"], ["j1", "j2"]], "not even what is left of a quick batch"


def test_jobs_fill_what_long_requests_leave() -> None:
    queue = scheduler(batch_tokens=400)
    queue.add(ticket("j1", "j2", priority=Priority.JOB, tokens=200), now=0)
    queue.add(ticket("i1", "i2", "i3", tokens=200), now=1)
    assert drain(queue) == [["i1", "i2"], ["i3", "j1"], ["j2"]]


@pytest.mark.parametrize(
    "other", [{"pair": "en-it"}, {"search": SearchConfig(beam=2)}, {"search": SearchConfig(beam=2, n_best=2)}]
)
def test_pairs_and_searches_are_never_mixed(other: dict) -> None:
    queue = scheduler()
    queue.add(ticket("a1", "a2"), now=0)
    queue.add(ticket("b1", "b2", **other), now=0)
    assert drain(queue) == [["a1", "a2"], ["b1", "b2"]]


def test_who_was_passed_over_is_served_next() -> None:
    queue = scheduler(batch_tokens=2)
    queue.add(ticket(*(f"a{number}" for number in range(9))), now=0)
    queue.add(ticket("b", pair="en-it"), now=0)
    assert ["b"] in drain(queue)[:3], "another pair must not wait for the end of a long document"


def test_a_sentence_in_flight_is_translated_once() -> None:
    queue = scheduler()
    first, second, third = ticket("ciao"), ticket("ciao", "ciao"), ticket("ciao")
    queue.add(first, now=0)
    queue.add(second, now=0)
    assert queue.waiting_tokens == 1
    batch = taken(queue)
    assert batch.texts == ["ciao"]
    queue.add(third, now=0)  # while it is being translated
    assert queue.next_batch() is None
    assert queue.finish(batch.units[0], "hello") == [first, second, third]
    assert second.results == ["hello", "hello"]
    assert not queue.busy


def test_a_duplicate_of_a_job_is_served_with_the_interactive_request() -> None:
    queue = scheduler(batch_tokens=1)
    queue.add(ticket("j1", "same", priority=Priority.JOB), now=0)
    queue.add(ticket("same"), now=0)
    assert drain(queue) == [["same"], ["j1"]]


def test_different_searches_are_not_duplicates() -> None:
    queue = scheduler()
    queue.add(ticket("ciao"), now=0)
    queue.add(ticket("ciao", search=SearchConfig(beam=3)), now=0)
    assert len(drain(queue)) == 2


def test_cancelled_sentences_leave_the_queue() -> None:
    queue = scheduler()
    gone, stays = ticket("a", "b"), ticket("b", "c")
    queue.add(gone, now=0)
    queue.add(stays, now=0)
    queue.cancel(gone)
    queue.cancel(gone)
    assert drain(queue) == [["b", "c"]], "only what nobody else waits for may go"
    assert stays.results == ["B", "C"]
    assert (queue.waiting_tokens, queue.waiting_units, queue.busy) == (0, 0, False)


def test_a_cancelled_request_gets_no_result_of_the_running_batch() -> None:
    queue = scheduler()
    gone = ticket("a")
    queue.add(gone, now=0)
    batch = taken(queue)
    queue.cancel(gone)
    assert queue.finish(batch.units[0], "A") == []
    assert not queue.busy


def test_requests_past_their_deadline_are_taken_out() -> None:
    queue = scheduler()
    late = Ticket([Sentence("it-en", "late", 1)], GREEDY, deadline=5.0)
    queue.add(late, now=0)
    queue.add(ticket("fine"), now=0)
    assert queue.expire(now=4.9) == []
    assert queue.expire(now=5.0) == [late]
    assert drain(queue) == [["fine"]]


def test_a_full_queue_refuses_and_stays_as_it_was() -> None:
    queue = scheduler(queue_tokens=10)
    queue.add(ticket("a", "b", tokens=4), now=0)
    with pytest.raises(QueueFull, match="8 tokens"):
        queue.add(ticket("c", "d", tokens=2), now=0)
    queue.add(ticket("a", "e", tokens=2), now=0)  # "a" waits already and costs nothing
    assert queue.waiting_tokens == 10
    assert sorted(text for texts in drain(queue) for text in texts) == ["a", "b", "e"]


def test_an_empty_queue_takes_a_request_of_any_size() -> None:
    queue = scheduler(queue_tokens=10)
    queue.add(ticket("huge", tokens=500), now=0)
    assert drain(queue) == [["huge"]]


def test_clear_names_everybody_who_waits() -> None:
    queue = scheduler()
    first, second = ticket("a", "b"), ticket("a")
    queue.add(first, now=0)
    running = queue.next_batch()
    queue.add(second, now=0)
    assert queue.clear() == [first, second]
    assert queue.next_batch() is None
    assert not queue.busy
    assert running is not None
    assert not any(queue.again(unit, "draft") for unit in running.units), "nobody would ever take it"


def test_a_second_search_waits_in_a_batch_of_its_own_at_its_own_price() -> None:
    queue = scheduler(batch_tokens=3 * (1 + RETRY_COST))
    one = ticket(*(f"s{number}" for number in range(5)))
    queue.add(one, now=0)
    first = taken(queue)
    assert len(first.units) == 5 and queue.waiting_tokens == 0
    for unit in first.units:
        assert queue.again(unit, "draft")
    assert (queue.waiting_tokens, queue.waiting_units) == (5, 5)
    queue.add(ticket("new", "s0"), now=1)
    assert queue.waiting_tokens == 6, "a sentence that waits for a second search is still not queued twice"
    assert [len(texts) for texts in drain(queue)] == [3, 1, 2], "what came meanwhile need not wait for all of them"
    assert one.results == ["S0", "S1", "S2", "S3", "S4"]
    assert (queue.waiting_tokens, queue.waiting_units, queue.busy) == (0, 0, False)


def test_between_two_batches_of_second_searches_there_is_one_of_what_came_meanwhile() -> None:
    queue = scheduler(batch_tokens=2 * (1 + RETRY_COST))
    nonsense = ticket(*(f"n{number}" for number in range(8)))
    queue.add(nonsense, now=0)
    first = taken(queue)
    for unit in first.units:
        queue.again(unit, "draft")
    seconds = taken(queue)
    assert seconds.group.again
    queue.add(ticket("short"), now=1)
    queue.add(ticket("job", priority=Priority.JOB), now=1)
    assert drain(queue) == [["short"], ["n2", "n3"], ["n4", "n5"], ["n6", "n7"], ["job"]]


def test_drafts_answer_those_who_may_wait_no_longer() -> None:
    queue = scheduler()
    patient, hurried = ticket("a", "b"), ticket("a", "a", "c", retry_by=5.0)
    for one in (patient, hurried):
        queue.add(one, now=0)
    batch = taken(queue)
    for unit in batch.units:
        if unit.key.text == "a":
            queue.again(unit, "draft")
        else:
            queue.finish(unit, unit.key.text.upper())
    assert queue.settle(now=4.9) == []
    assert queue.settle(now=5.0) == [hurried] and hurried.closed
    assert hurried.results == ["draft", "draft", "C"]
    assert drain(queue) == [["a"]] and patient.results == ["A", "B"]
    assert queue.settle(now=6.0) == []


def test_nobody_is_searched_for_again_whom_nobody_waits_for() -> None:
    queue = scheduler()
    gone, settled = ticket("a"), ticket("b", retry_by=5.0)
    queue.add(gone, now=0)
    queue.add(settled, now=0)
    batch = taken(queue)
    queue.cancel(gone)
    assert [queue.again(unit, "draft") for unit in batch.units] == [False, True]
    assert queue.finish(batch.units[0], "A") == []
    assert queue.settle(now=5.0) == [settled]
    assert queue.next_batch() is None
    assert (queue.waiting_tokens, queue.waiting_units, queue.busy) == (0, 0, False)


def test_a_batch_is_full_by_what_it_costs_not_by_how_many_wait() -> None:
    """With a beam of four the engine idled while the next batch was full already."""
    queue = scheduler(batch_tokens=100, batch_sentences=50)
    queue.add(ticket("a", "b", tokens=10), now=0)
    assert not queue.batch_is_full
    queue.add(ticket("c", "d", tokens=10, search=SearchConfig(beam=4)), now=0)
    assert queue.batch_is_full
    drain(queue)
    assert not queue.batch_is_full


def test_a_sentence_that_two_wait_for_is_settled_for_one_and_stays_for_the_other() -> None:
    """A second look at the one killed the engine, and its leaving took the sentence from the other."""
    queue = scheduler()
    hurried = ticket("bad", *(f"s{number}" for number in range(3)), retry_by=5.0)
    queue.add(hurried, now=0)
    batch = taken(queue)
    queue.again(batch.units[0], "draft")
    patient = ticket("bad", retry_by=50.0)
    queue.add(patient, now=1)
    assert queue.settle(now=6.0) == [] and queue.settle(now=7.0) == []
    queue.cancel(hurried)
    assert drain(queue) == [["bad"]] and patient.results == ["BAD"]
    for unit in batch.units[1:]:
        queue.finish(unit, "late")
    assert (queue.waiting_tokens, queue.waiting_units, queue.waiting_cost, queue.busy) == (0, 0, 0, False)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(st.sampled_from("abc"), min_size=1, max_size=4), st.integers(1, 9)),
        st.tuples(st.sampled_from(["batch", "again", "settle"]), st.integers(0, 9), st.just(0)),
        st.tuples(st.sampled_from(["finish", "expire", "cancel"]), st.integers(0, 9), st.just(0)),
    ),
    min_size=8,
    max_size=40,
)


@given(steps)
@settings(max_examples=300, deadline=None)
def test_whatever_happens_in_whatever_order_nobody_is_lost(done: list) -> None:
    """Everybody is answered, cancelled or late in the end, and what the queue counts is what waits in it."""
    queue, clock = scheduler(batch_tokens=24), 0.0
    tickets: list[Ticket] = []
    running: list[Unit] = []
    late: list[Ticket] = []
    for what, given_, share in done:
        clock += 1.0
        if what == "add":
            texts = [Sentence("it-en", text, 1 + ord(text) % 5) for text in given_]
            tickets.append(Ticket(texts, GREEDY, deadline=clock + 2 * share, retry_by=clock + share))
            queue.add(tickets[-1], clock)
        elif what == "batch":
            running += units_of_next(queue)
        elif what in ("finish", "again") and running:
            unit = running.pop(given_ % len(running))
            if what == "finish" or unit.draft is not None or not queue.again(unit, "draft"):
                queue.finish(unit, "result")
        elif what == "settle":
            assert all(ticket.closed for ticket in queue.settle(clock))
        elif what == "expire":
            late += queue.expire(clock)
        elif what == "cancel" and tickets:
            queue.cancel(tickets[given_ % len(tickets)])
        _check_the_books(queue)
    while units := running or units_of_next(queue):
        running = units
        queue.finish(running.pop(), "result")
    assert all(ticket.closed for ticket in tickets), "somebody waits for ever"
    assert all(None not in ticket.results for ticket in tickets if ticket.missing == 0)
    assert not queue.busy and queue.waiting_units == 0


def _check_the_books(queue: Scheduler) -> None:
    units = queue._in_flight.values()
    for unit in units:
        assert unit.live == sum(not ticket.closed for ticket, _ in unit.waiters), "a waiter was lost or counted twice"
    waiting = [unit for unit in units if not unit.taken]
    assert queue.waiting_units == len(waiting)
    assert queue.waiting_tokens == sum(unit.tokens for unit in waiting)
    assert queue.waiting_cost == sum(unit.cost for unit in waiting)
    assert queue.waiting_again == sum(unit.draft is not None for unit in waiting)


requests = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 30)), min_size=1, max_size=6),
        st.sampled_from(["it-en", "en-it"]),
        st.sampled_from([1, 4]),
        st.sampled_from(list(Priority)),
        st.booleans(),
    ),
    max_size=12,
)


@given(requests, st.integers(1, 60))
@settings(max_examples=150, deadline=None)
def test_whatever_comes_everybody_is_answered_within_the_budget(asked: list, budget: int) -> None:
    queue = Scheduler(budget, 5, 10**9)
    waiting = []
    for sentences, pair, beam, priority, cancelled in asked:
        one = Ticket(
            [Sentence(pair, text, tokens) for text, tokens in sentences], SearchConfig(beam=beam), 9.0, priority
        )
        queue.add(one, now=0)
        if cancelled:
            queue.cancel(one)
        else:
            waiting.append(one)
    while (batch := queue.next_batch()) is not None:
        queue.end(batch)
        assert len(batch.units) == 1 or batch.padded_tokens * batch.group.weight <= budget
        assert len(batch.units) <= 5
        assert len(set(batch.texts)) == len(batch.texts)
        for unit in batch.units:
            assert unit.group == batch.group
            if unit.key.text in "abc" and not batch.group.again:
                assert queue.again(unit, "draft") is any(not ticket.closed for ticket, _ in unit.waiters)
            else:
                queue.finish(unit, (unit.key.pair, unit.key.text, unit.key.search.beam))
    for one in waiting:
        assert one.closed
        assert one.results == [(item.pair, item.text, one.search.beam) for item in one.sentences]
    assert (queue.waiting_tokens, queue.waiting_units, queue.busy) == (0, 0, False)
