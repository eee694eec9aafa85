"""A retraining from a version that is adapted already: what it is told of the last full training behind it."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from retraining_kit import LEARNS, PAIRS, UNTRAINED, candidate_of, retrained, small_sets, teach

from model.translator import Translator
from model.versions import store
from model.versions.card import CARD
from training.adapting.gate import translations
from training.adapting.gate_sets import TOGETHER, GateSet, gate_sets, together
from training.scoring.bootstrap import Statistics

RECORDED = {"general": -7.0, "challenge": -6.0, TOGETHER: -6.25}
"""BLEU points by the card of the adapted version; not what is found when they are measured."""


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_sets(tmp_path_factory.mktemp("sets"))


@pytest.fixture(scope="module")
def versions(tiny_data_dir: Path, sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions of it-en: `full` knows all sentences by heart, `adapted`, which comes from it, four of them."""
    root = tmp_path_factory.mktemp("versions")
    tiny = tiny_data_dir / "models" / "it-en" / "default"
    full = store.verify(teach(tiny, root, PAIRS, "full"))
    known = store.load(teach(tiny, root, PAIRS[:4], "adapted"))
    gates = {gate.name: gate.sha256 for gate in all_sets(sets)}
    anchor = {"version": "full", "sha256": full.files[store.WEIGHTS], "drift": RECORDED, "sets": gates}
    card = {"parent": "it-en/full", "settings": {"adaptation": {}}, "scores": {"gate": {"anchor": anchor}}}
    store.save(root, "it-en", "adapted", known.model, (known.source, known.target), card, overwrite=True)
    return root


@pytest.fixture
def root(versions: Path, tmp_path: Path) -> Path:
    """A copy of `versions` that may be spoilt."""
    return shutil.copytree(versions, tmp_path / "models")


def all_sets(sets: Path) -> list[GateSet]:
    """Those of `sets`, and all of them as one."""
    found = gate_sets("it-en", None, sets)
    return [*found, together(found)]


def retrain(root: Path, folder: Path, sets: Path, **limits: float) -> dict[str, Any]:
    limited = dataclasses.replace(UNTRAINED, **limits)
    return retrained(root / "it-en" / "adapted", folder, PAIRS[4:5], settings=LEARNS, limits=limited, sets=sets)


def bleu(folder: Path, gate: GateSet) -> float:
    return Statistics(translations(Translator.load(folder), gate.sources), gate.references).bleu


def steps(report: dict[str, Any]) -> dict[str, float]:
    """Set -> what this retraining changed, BLEU points."""
    return {one["name"]: one["delta"] for one in report["sets"] if one["name"] in RECORDED}


def by_the_card(report: dict[str, Any]) -> dict[str, float]:
    return {name: RECORDED[name] + delta for name, delta in steps(report).items()}


def test_where_the_last_full_training_is_there_the_distance_is_measured(root: Path, sets: Path, tmp_path: Path) -> None:
    report = retrain(root, tmp_path / "run", sets, drift=0, alone=0)
    found = report["anchor"]["drift"]
    for gate in all_sets(sets):
        lost = bleu(candidate_of(tmp_path / "run"), gate) - bleu(root / "it-en" / "full", gate)
        assert lost < 0 and found[gate.name] == pytest.approx(lost), gate.name
    assert found != pytest.approx(by_the_card(report)), "the card was believed"
    assert "problem" not in report["anchor"]
    refused = {one["name"]: one["why"] for one in report["sets"] if not one["passed"]}
    assert all("below the last full training" in refused[name] for name in RECORDED), "a bound of 0 lets pass"
    assert store.verify(candidate_of(tmp_path / "run")).scores["gate"]["anchor"] == report["anchor"]


def test_where_it_is_gone_the_sum_in_the_card_goes_on(root: Path, sets: Path, tmp_path: Path) -> None:
    shutil.rmtree(root / "it-en" / "full")
    report = retrain(root, tmp_path / "run", sets, drift=5)
    assert report["anchor"]["drift"] == pytest.approx(by_the_card(report))
    assert "problem" not in report["anchor"]
    assert "below the last full training" in " ".join(report["reasons"])


def test_a_card_from_before_all_sets_were_one_says_it_by_the_mean_of_each(
    root: Path, sets: Path, tmp_path: Path
) -> None:
    shutil.rmtree(root / "it-en" / "full")
    path = root / "it-en" / "adapted" / CARD
    card = json.loads(path.read_text())
    for kind in ("drift", "sets"):
        del card["scores"]["gate"]["anchor"][kind][TOGETHER]
    path.write_text(json.dumps(card))
    report = retrain(root, tmp_path / "run", sets)
    assert report["anchor"]["drift"][TOGETHER] == pytest.approx(-6.5 + steps(report)[TOGETHER])


def test_where_it_is_damaged_the_sum_goes_on_and_the_report_says_so(root: Path, sets: Path, tmp_path: Path) -> None:
    """A copy of a full training that was cut short must not end every retraining of what came of it."""
    weights = root / "it-en" / "full" / store.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:1000])
    report = retrain(root, tmp_path / "run", sets)
    assert report["anchor"]["drift"] == pytest.approx(by_the_card(report))
    assert "SHA-256" in report["anchor"]["problem"] and str(root) not in report["anchor"]["problem"]


def test_on_other_sentences_of_the_same_name_the_sum_begins_anew(root: Path, tmp_path: Path) -> None:
    shutil.rmtree(root / "it-en" / "full")
    others = small_sets(tmp_path / "sets")
    with (others / "it-en" / "general.tsv").open("a") as file:
        file.write("Due volte.\tTwice.\n")
    report = retrain(root, tmp_path / "run", others)
    delta = steps(report)
    assert report["anchor"]["drift"] == pytest.approx(
        {
            "general": delta["general"],
            "challenge": RECORDED["challenge"] + delta["challenge"],
            TOGETHER: 6 / 13 * RECORDED["challenge"] + delta[TOGETHER],
        }
    )
