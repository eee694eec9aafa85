"""The story, on the shipped model and a real server: correct, approve, remember, retrain, promote."""

from __future__ import annotations

from pathlib import Path

import pytest
from gate_sets import gate_options

from benchmarks.demo_loop import PAIR, choose, demonstrate

CORRECTIONS = 3
"""Of one term. Each is held out once: five cost twice as much. BLEU of the two more sentences that have the term is
shown, not asked for: it moves by some points either way with how the corrections, whose ids are random, are dealt."""


@pytest.mark.long
@pytest.mark.weights
@pytest.mark.timeout(900)
def test_corrections_act_at_once_and_then_by_the_model_itself(tmp_path: Path) -> None:
    found = demonstrate(tmp_path / "data", choose(CORRECTIONS, seed=1), gate_options(tmp_path / "sets", PAIR))
    assert found["state"] == "promoted"
    assert found["from_memory"] == CORRECTIONS, "an approved correction must answer the next request"
    before, after = found["corrected"]["right"]
    assert before == 0 and after >= CORRECTIONS - 1, "the model itself must have learnt them, memory off"
    measure, before_held, after_held = found["sets"]["corrections"]
    assert after_held > before_held, f"{measure} of each correction by what has learnt the others must get better"
