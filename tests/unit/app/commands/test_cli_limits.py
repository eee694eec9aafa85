"""What the gate of a retraining is told by the options that were not given."""

from __future__ import annotations

import pytest

from app.commands.retrain import _limits
from training.adapting.gate import Limits


@pytest.mark.parametrize(
    ("given", "limits"),
    [
        ((0.2, 1.0, None, None), Limits()),
        ((5.0, 8.0, None, None), Limits(5, 8, 5, 5)),
        ((0.2, 1.0, 2.0, None), Limits(0.2, 1, 2, 2)),
        ((5.0, 8.0, 0.1, 0.3), Limits(5, 8, 0.1, 0.3)),
    ],
)
def test_a_limit_that_is_not_given_is_no_narrower_than_a_narrower_one(
    given: tuple[float, float, float | None, float | None], limits: Limits
) -> None:
    assert _limits(*given) == limits
