"""The learning curve that a version's card keeps: some points of a run, for whoever has not the run's folder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

MOST_POINTS = 60
"""Of one curve: a card is read whole whenever versions are listed."""
DIGITS = 3

Point = dict[str, float]
"""`tokens`, the target tokens trained on so far; `SET bleu` (0 to 100) and `SET nll` (nats a token) of each dev set;
`nll`, the mean loss of the training steps since the point before (nats a token). What was not measured is left out."""


def curve_points(rows: Sequence[dict[str, Any]], most: int = MOST_POINTS) -> list[Point]:
    """A point for each evaluation in the rows of a run's `metrics.jsonl`, in order; of more than `most` an even choice,
    with the first and the last."""
    points: list[Point] = []
    losses: list[float] = []
    for row in rows:
        if _is_number(row.get("nll")):
            losses.append(row["nll"])
        if isinstance(row.get("dev"), dict) and _is_number(row.get("tokens")):
            points.append(_point(row, losses))
            losses = []
    return _thinned(points, most)


def _point(row: dict[str, Any], losses: Sequence[float]) -> Point:
    point: Point = {"tokens": row["tokens"]}
    for key, value in row["dev"].items():
        name, _, measure = key.rpartition(" ")
        if measure in ("bleu", "nll") and _is_number(value):
            point[f"{name or 'dev'} {measure}"] = round(value, DIGITS)
    if losses:
        point["nll"] = round(sum(losses) / len(losses), DIGITS)
    return point


def _is_number(value: object) -> bool:
    """Whether JSON knows it: a run that goes wrong writes NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _thinned(points: Sequence[Point], most: int) -> list[Point]:
    if len(points) <= most:
        return list(points)
    step = (len(points) - 1) / (most - 1)
    return [points[round(step * number)] for number in range(most)]
