"""The learning curve in a card: what of a run's metrics it keeps."""

from __future__ import annotations

import itertools
import json
import math

from training.scoring.curve import MOST_POINTS, curve_points


def test_a_point_has_the_scores_of_each_dev_set_and_the_loss_since_the_one_before() -> None:
    rows = [
        {"step": 1, "tokens": 100, "loss": 9.0, "nll": 4.0},
        {"step": 2, "tokens": 200, "loss": 9.0, "nll": 3.0},
        {"step": 2, "tokens": 200, "dev": {"bleu": 10.12345, "nll": 2.5, "chrf": 30.0, "general.dev bleu": 4.0,
                                           "general.dev nll": 3.5, "bleu_signature": "x", "bleu_mean": 7.0}},
        {"step": 3, "tokens": 300, "nll": 2.0},
        {"step": 3, "tokens": 300, "dev": {"bleu": 20.0}},
    ]  # fmt: skip
    assert curve_points(rows) == [
        {"tokens": 200, "dev bleu": 10.123, "dev nll": 2.5, "general.dev bleu": 4.0, "general.dev nll": 3.5,
         "nll": 3.5},
        {"tokens": 300, "dev bleu": 20.0, "nll": 2.0},
    ]  # fmt: skip


def test_a_long_run_keeps_its_first_and_last_points_and_an_even_choice() -> None:
    rows = [{"tokens": number, "dev": {"bleu": 1.0}} for number in range(1000)]
    tokens = [point["tokens"] for point in curve_points(rows)]
    assert len(tokens) == MOST_POINTS and (tokens[0], tokens[-1]) == (0, 999)
    steps = [later - earlier for earlier, later in itertools.pairwise(tokens)]
    assert max(steps) - min(steps) <= 1
    assert len(curve_points(rows[:MOST_POINTS])) == MOST_POINTS


def test_what_is_no_number_is_left_out() -> None:
    """A run that goes wrong writes NaN, which is not JSON."""
    rows = [
        {"tokens": 1, "nll": math.nan},
        {"tokens": 2, "dev": {"bleu": math.nan, "nll": math.inf, "general.dev bleu": True}},
        {"tokens": math.nan, "dev": {"bleu": 1.0}},
        {"tokens": 3, "dev": None},
        {"dev": {"bleu": 1.0}},
    ]
    points = curve_points(rows)
    assert points == [{"tokens": 2}]
    assert json.dumps(points, allow_nan=False)
    assert curve_points([]) == []
