"""What the first page says of a version: from its card, whatever that holds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings
from app.versions.quality import Passed, Score, quality_of

GOOD = {
    "tatoeba.test": {"bleu": 67.1, "bleu_interval": [65.7, 68.5], "sentences": 2106},
    "general": {"bleu": 33, "sentences": 552},
    "challenge": {
        "passed": 30, "items": 60,
        "phenomena": {
            "idioms": {"passed": 1, "items": 15}, "names": {"passed": 9, "items": 15}, "few": {"passed": 0, "items": 3},
            "dates": {"passed": 5, "items": 15}, "prices": {"passed": 15, "items": 15},
        },
    },
}  # fmt: skip


@pytest.fixture
def told(tmp_path: Path, tiny_data_dir: Path):
    """Writes the scores of a version's card, and says its quality."""
    shutil.copytree(tiny_data_dir / "models", tmp_path / "models")
    card = tmp_path / "models" / "it-en" / "default" / "card.json"

    def tell(scores: Any) -> Any:
        card.write_text(json.dumps(json.loads(card.read_text()) | {"scores": scores}))
        return quality_of(Settings(data_dir=tmp_path), "it-en", "default")

    return tell


def test_scores_traps_and_what_goes_well_and_badly(told) -> None:
    found = told(GOOD)
    assert found.bleu == {"everyday": Score(67.1, 2106, (65.7, 68.5)), "general": Score(33, 552, None)}
    assert (found.traps.passed, found.traps.items) == (30, 60)
    assert [one.name for one in found.weak] == ["idioms", "dates", "names"], "too few items say nothing"
    assert found.strong[0] == Passed("prices", 15, 15)


@pytest.mark.parametrize(
    "odd",
    [
        {"bleu": "<b>99</b>"}, {"bleu": float("nan")}, {"bleu": -1}, {"bleu": True}, {"bleu": 101}, {}, [], "x", None,
    ],
)  # fmt: skip
def test_odd_numbers_are_left_out(told, odd: Any) -> None:
    found = told(GOOD | {"general": odd})
    assert set(found.bleu) == {"everyday"}


@pytest.mark.parametrize(
    "odd", [{"passed": 5, "items": 0}, {"passed": 9, "items": 3}, {"items": "x"}, {"phenomena": 3}, 7]
)
def test_odd_traps_are_left_out(told, odd: Any) -> None:
    assert told(GOOD | {"challenge": odd}).traps is None


def test_a_version_without_numbers_or_without_a_card_has_no_quality(told, tmp_path: Path) -> None:
    assert told({}) is None
    assert quality_of(Settings(data_dir=tmp_path), "it-en", "gone") is None
    assert quality_of(Settings(data_dir=tmp_path), "it-en", "../../etc") is None
