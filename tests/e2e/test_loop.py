"""The story, on the shipped model and a real server: correct, approve, remember, retrain, promote."""

from __future__ import annotations

from pathlib import Path

import pytest
from gate_sets import gate_options

from benchmarks.demo_loop import PAIR, choose, demonstrate

CORRECTIONS = 3
"""Of one term, which two more sentences have. Each is held out once: five cost twice as much."""
SEED = 13
"""Draws a term that the shipped model does not know and learns by a wide margin: of the two, one comes out right."""


@pytest.mark.long
@pytest.mark.weights
@pytest.mark.timeout(900)
def test_corrections_act_at_once_and_then_by_the_model_itself(tmp_path: Path) -> None:
    found = demonstrate(tmp_path / "data", choose(CORRECTIONS, SEED), gate_options(tmp_path / "sets", PAIR))
    assert found["state"] == "promoted"
    assert found["from_memory"] == CORRECTIONS, "an approved correction must answer the next request"
    before, after = found["corrected"]["right"]
    assert before == 0 and after >= CORRECTIONS - 1, "the model itself must have learnt them, memory off"
    before_bleu, after_bleu = found["similar"]["bleu"]
    assert after_bleu > before_bleu, "sentences with the same terms, which nobody corrected, must get better"
