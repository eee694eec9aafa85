"""Figures, their ratios, and how they are measured in turn."""

import pytest

from benchmarks.results.figures import Figure, ratios
from benchmarks.sentences import mean_words, prose
from benchmarks.suites.contest import Contest, Entrant, compete
from benchmarks.suites.timing import one_by_one, percentile, rate


def figure(program: str, values: tuple[float, ...], unit: str = "sentences/s", yardstick: bool = False) -> Figure:
    return Figure("decode", "everyday", program, "32", unit, values, yardstick)


def test_a_rate_is_better_when_it_is_more_and_a_time_when_it_is_less() -> None:
    rates = ratios([figure("ours", (30.0,)), figure("theirs", (10.0,), yardstick=True)])
    times = ratios([figure("ours", (2.0,), "ms (p50)"), figure("theirs", (50.0,), "ms (p50)", yardstick=True)])
    assert [ratio.value for ratio in (*rates, *times)] == [3.0, 25.0]


def test_the_median_is_taken_of_the_ratios_of_the_rounds() -> None:
    """The machine was slow in the second round: both values fell, the ratio of that round did not."""
    (ratio,) = ratios([figure("ours", (40.0, 10.0, 30.0)), figure("theirs", (10.0, 2.0, 6.0), yardstick=True)])
    assert ratio.values == (4.0, 5.0, 5.0)
    assert ratio.value == 5.0  # of the medians it would be 30 / 6, by chance the same; of the first two rounds not


def test_only_what_was_measured_alike_is_compared() -> None:
    ours = figure("ours", (1.0,))
    others = [
        Figure("decode", "prose", "theirs", "32", "sentences/s", (1.0,), yardstick=True),
        Figure("decode", "everyday", "theirs", "8", "sentences/s", (1.0,), yardstick=True),
        figure("theirs", (1.0,), "ms (p50)", yardstick=True),
        figure("ours too", (1.0,)),
    ]
    assert ratios([ours, *others]) == []


def test_rounds_that_are_missing_are_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratios([figure("ours", (1.0, 2.0)), figure("theirs", (1.0,), yardstick=True)])


def test_a_figure_survives_its_file_with_four_digits() -> None:
    kept = figure("ours", (1234.56, 0.0123456), yardstick=True)
    assert Figure.from_dict(kept.to_dict()) == figure("ours", (1235.0, 0.01235), yardstick=True)


def test_programs_take_turns_from_the_front_and_from_the_back() -> None:
    order: list[str] = []

    def entrant(name: str) -> Entrant:
        return Entrant(name, lambda: order.append(name) or {"s": float(len(order)), "MB": 7.0}, name == "c")

    told: list[str] = []
    contests = [Contest("table", case, tuple(map(entrant, names))) for case, names in (("1", "abc"), ("2", "de"))]
    found = compete("suite", contests, 2, told.append)
    assert "".join(order) == "abcde" + "cbaed"
    assert told[:2] == ["table, 1: a", "table, 1: b"]
    assert len(told) == len(order)
    assert Figure("suite", "table", "c", "1", "s", (3.0, 6.0), yardstick=True) in found
    assert Figure("suite", "table", "d", "2", "MB", (7.0, 7.0)) in found
    assert len(found) == 10


def test_a_rate_counts_all_and_begins_again_at_the_end() -> None:
    calls: list[list[int]] = []
    found = rate(lambda items: calls.append(list(items)), range(5), 2, 0.001)
    assert calls[:4] == [[0, 1], [2, 3], [0, 1], [2, 3]]
    assert found["sentences/s"] > 2 * len(calls) / 10  # in far less than ten seconds


def test_however_short_something_is_measured() -> None:
    calls: list[list[int]] = []
    for measured in (lambda work: rate(work, range(9), 8, 0.0), lambda work: one_by_one(work, range(3), 0.0)):
        measured(lambda items: calls.append(list(items)))
    assert calls == [list(range(8)), [0], [1], [2], [0], [1]]


def test_waiting_is_told_for_half_and_for_most() -> None:
    found = one_by_one(lambda items: None, ["a"], 0.001)
    assert set(found) == {"sentences/s", "ms (p50)", "ms (p95)"}
    assert 0 < found["ms (p50)"] <= found["ms (p95)"]


@pytest.mark.parametrize(("share", "expected"), [(0.5, 10), (0.95, 19), (0.951, 20), (1.0, 20), (0.0, 1)])
def test_percentiles_are_values_that_were_seen(share: float, expected: int) -> None:
    assert percentile(list(range(20, 0, -1)), share) == expected


def test_prose_has_25_words_and_is_always_the_same() -> None:
    texts = prose(500)
    assert texts == prose(500) != prose(500, seed=2)
    assert 24.5 < mean_words(texts) < 25.9
    assert {len(text.split()) for text in texts} <= set(range(19, 32))
