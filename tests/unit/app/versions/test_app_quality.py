"""What the first page says of a version: from its card, whatever that holds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from databases import migrated
from fakes import client_of

from app.main import create_app
from app.settings import Settings
from app.versions.quality import quality_of

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
    assert {name: (one.bleu, one.sentences, one.bleu_interval) for name, one in found.scores.items()} == {
        "everyday": (67.1, 2106, (65.7, 68.5)), "general": (33, 552, None),
    }  # fmt: skip
    assert (found.traps.passed, found.traps.items) == (30, 60)
    assert [one.name for one in found.weak] == ["idioms", "dates"], "too few items say nothing"
    assert [one.name for one in found.strong] == ["prices", "names"]


@pytest.mark.parametrize(
    "odd",
    [
        {"bleu": "<b>99</b>"}, {"bleu": float("nan")}, {"bleu": -1}, {"bleu": True}, {"bleu": 101},
        {"bleu": 10**400}, {}, [], "x", None,
    ],
)  # fmt: skip
def test_odd_numbers_are_left_out(told, odd: Any) -> None:
    if isinstance(odd, dict):
        odd = {"sentences": 5} | odd
    assert set(told(GOOD | {"general": odd}).scores) == {"everyday"}


@pytest.mark.parametrize("odd", [{"passed": 5, "items": 0}, {"passed": 9, "items": 3}, {"items": "x"}, {"kinds": 3}, 7])
def test_odd_traps_are_left_out(told, odd: Any) -> None:
    assert told(GOOD | {"challenge": odd}).traps is None


async def test_a_name_that_is_no_text_does_not_break_the_page(told, tmp_path: Path) -> None:
    kinds = {"\ud800<b>": {"passed": 1, "items": 15}}
    assert told(GOOD | {"challenge": {"passed": 3, "items": 9, "phenomena": kinds}}).weak
    migrated(Settings(data_dir=tmp_path).database)
    async with client_of(create_app(Settings(data_dir=tmp_path), wait_for_models=True)) as client:
        page = await client.get("/")
    assert page.status_code == 200 and "<b> <span" not in page.text and "&lt;b&gt;" in page.text


def test_what_was_retrained_is_as_good_as_what_it_was_made_from(told, tmp_path: Path) -> None:
    told(GOOD)
    path = tmp_path / "models" / "it-en" / "second" / "card.json"
    card = json.loads(path.read_text()) | {"parent": "it-en/default", "scores": {"gate": {"sets": []}}}
    path.write_text(json.dumps(card))
    found = quality_of(Settings(data_dir=tmp_path), "it-en", "second")
    assert found is not None
    assert (found.version, found.scores["everyday"].bleu) == ("default", 67.1)


def test_a_version_without_numbers_or_without_a_card_has_no_quality(told, tmp_path: Path) -> None:
    assert told({}) is None
    assert quality_of(Settings(data_dir=tmp_path), "it-en", "gone") is None
    assert quality_of(Settings(data_dir=tmp_path), "it-en", "../../etc") is None
