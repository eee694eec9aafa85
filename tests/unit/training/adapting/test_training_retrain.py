"""Retraining of a tiny model, and the gate; that nonsense does not pass is tried on the model that ships."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from patience import wait_until
from retraining_kit import (
    LEARNS,
    PAIRS,
    PROGRESS,
    QUICK,
    UNTRAINED,
    candidate_of,
    one_thread,
    retrained,
    small_sets,
    teach,
    write_corrections,
)

from model.errors import ConfigError
from model.versions import store
from training.adapting.adaptation import AdaptationSettings, Material, adapt, encode, log_probs
from training.adapting.corrections import Correction, examples, read_corrections
from training.adapting.folds import blended, deal, fold_count, mean_of
from training.adapting.gate_sets import TOGETHER, gate_sets, together
from training.run.milestones import GATING, MEASURING, READING, TRAINING, VALIDATING

Report = dict[str, Any]


@pytest.fixture(scope="module")
def tiny(tiny_data_dir: Path) -> Path:
    return tiny_data_dir / "models" / "it-en" / "default"


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_sets(tmp_path_factory.mktemp("sets"))


@pytest.fixture(scope="module")
def six(tiny: Path, sets: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Path]:
    """The report of a retraining on six corrections, and its folder; three tests look at it."""
    folder = tmp_path_factory.mktemp("six") / "run"
    return retrained(tiny, folder, PAIRS, settings=QUICK, limits=UNTRAINED, sets=sets), folder


@pytest.fixture(scope="module")
def taught(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learnt four of the six pairs by heart."""
    return teach(tiny, tmp_path_factory.mktemp("taught"), PAIRS[:4])


def learn(tiny: Path, material: Material, settings: AdaptationSettings) -> store.Seq2Seq:
    kept = []
    with one_thread():
        adapt(store.load(tiny).model, material, settings, settings.stops(1), lambda _, model: kept.append(model))
    return kept[-1]


def test_what_is_corrected_becomes_likelier_and_what_is_replayed_stays(tiny: Path) -> None:
    version = store.load(tiny)
    ids = [one for one in encode(PAIRS, (version.source, version.target), 64) if one]
    ours, others = ids[:2], ids[2:]
    with_replay = learn(tiny, Material(ours, others), QUICK)
    without = learn(tiny, Material(ours, []), AdaptationSettings(learning_rate=2e-3, least_steps=8, anchor=0.0))
    anchored = learn(tiny, Material(ours, []), AdaptationSettings(learning_rate=2e-3, least_steps=8, anchor=0.5))

    def mean(model: store.Seq2Seq, pairs: Sequence) -> float:
        return sum(log_probs(model, pairs)) / len(pairs)

    before = mean(version.model, ours), mean(version.model, others)
    assert mean(with_replay, ours) > before[0] + 0.05
    drift = [abs(mean(model, others) - before[1]) for model in (with_replay, without, anchored)]
    assert drift[0] < drift[1], "replay must hold the model where it was"
    assert drift[2] < drift[1], "the anchor must hold it where there is no replay"


def test_the_same_seed_gives_the_same_weights(tiny: Path, sets: Path, six: tuple[Report, Path], tmp_path: Path) -> None:
    retrained(tiny, tmp_path / "again", PAIRS, settings=QUICK, limits=UNTRAINED, sets=sets)
    one, two = (store.verify(candidate_of(folder)) for folder in (six[1], tmp_path / "again"))
    assert one.files["model.safetensors"] == two.files["model.safetensors"]


def test_the_card_says_where_a_candidate_comes_from(tiny: Path, sets: Path, six: tuple[Report, Path]) -> None:
    report, folder = six
    card = store.verify(candidate_of(folder))
    assert card.parent == "it-en/default"
    assert card.data["corrections"]["ids"] == [f"c{number}" for number in range(len(PAIRS))]
    assert card.settings["adaptation"]["seed"] == QUICK.seed
    assert card.training["averaged"] == 1 + fold_count(len(PAIRS))
    assert {one["name"] for one in report["sets"]} == {"corrections", "challenge", "general", TOGETHER}
    stored = json.loads(json.dumps(report, allow_nan=False))
    assert {name for name in stored if card.scores["gate"][name] != stored[name]} <= {"sets"}
    assert PAIRS[0][0] not in card.to_json(), "a card stays when a correction is deleted: no texts"
    weights = store.verify(tiny).files["model.safetensors"]
    drift = {one["name"]: one["delta"] for one in report["sets"] if one["name"] != "corrections"}
    gates = gate_sets("it-en", None, sets)
    digests = {gate.name: gate.sha256 for gate in (*gates, together(gates))}
    assert report["anchor"] == {"version": "default", "sha256": weights, "drift": drift, "sets": digests}


def test_a_run_tells_how_far_it_is_and_no_text(six: tuple[Report, Path]) -> None:
    _, folder = six
    told = (folder / PROGRESS).read_text()
    lines = [json.loads(line) for line in told.splitlines()]
    stages = [stage for stage, _ in itertools.groupby(line["stage"] for line in lines)]
    assert stages == [READING, VALIDATING, TRAINING, MEASURING, GATING]
    ends = {line["stage"]: (line["done"], line["total"]) for line in lines}
    assert all(done == total for done, total in ends.values()), ends
    assert next(line["number"] for line in lines if line["stage"] == TRAINING) == len(PAIRS)
    assert not any(word in told for source, _ in PAIRS for word in source.split() if len(word) > 3)


def test_a_candidate_that_says_none_of_its_corrections_is_refused(six: tuple[Report, Path]) -> None:
    report, _ = six
    assert report["answers"] == {
        "corrections": 6, "before": 0, "after": 0, "exact_before": 0, "learnt": 0, "passed": False,
        "why": "answers none of 6 corrections itself",
    }  # fmt: skip
    assert not report["passed"], "the limits are wide, and held-out corrections are no proof of what users get"
    assert report["reasons"][0] == "answers none of 6 corrections itself"
    assert len(report["attempts"]) == 1, "a weaker blend says still less"


def test_what_a_candidate_says_itself_is_counted_before_and_after(taught: Path, sets: Path, tmp_path: Path) -> None:
    learnt = [PAIRS[0], PAIRS[0], PAIRS[4], PAIRS[4]]  # twice: what is held out gains to the last stop
    report = retrained(taught, tmp_path / "run", learnt, settings=LEARNS, limits=UNTRAINED, sets=sets)
    found = report["answers"]  # how many are learnt depends on how the CPU rounds
    assert (found["corrections"], found["passed"]) == (4, True)
    assert found["before"] < found["after"] <= 4 and found["learnt"] >= found["after"] - found["before"]


def test_a_single_correction_cannot_be_held_out_but_must_be_answered(taught: Path, sets: Path, tmp_path: Path) -> None:
    options = {"limits": UNTRAINED, "sets": sets}
    weak = retrained(taught, tmp_path / "weak", PAIRS[4:5], settings=QUICK, **options)
    assert "nothing can be held out" in weak["sets"][0]["why"]
    assert not weak["passed"] and "answers none" in weak["reasons"][0]
    assert retrained(taught, tmp_path / "learnt", PAIRS[4:5], settings=LEARNS, **options)["passed"]


def test_folds_hold_each_correction_out_once_and_keep_its_parts_together(tiny: Path, tmp_path: Path) -> None:
    version = store.load(tiny)
    text = [Correction(f"c{number}", f"{source} {source}", f"{target} {target}")
            for number, (source, target) in enumerate(PAIRS)]  # fmt: skip
    found, left_out = examples(text, "it-en", (version.source, version.target), 64)
    assert (len(found), left_out) == (2 * len(PAIRS), []), "texts of as many sentences on both sides are parted"
    folds = deal(found, [], tiny, QUICK, tmp_path)
    assert sorted(row for fold in folds for row in fold.held_out) == list(range(len(found)))
    for fold in folds:
        ids = {found[row].id for row in fold.held_out}
        assert len(fold.held_out) == sum(one.id in ids for one in found)
        assert len(fold.material.corrections) + len(fold.held) == len(found)
    assert [fold_count(count) for count in (2, 5, 49, 50, 199, 200)] == [2, 5, 5, 4, 4, 3]


def test_a_blend_lies_between_the_two(tiny: Path) -> None:
    start = store.load(tiny).model
    weights = {name: tensor + 1 for name, tensor in start.named_parameters()}
    half = dict(blended(start, weights, 0.5).named_parameters())
    for name, tensor in start.named_parameters():
        torch.testing.assert_close(half[name], tensor + 0.5)


def test_of_several_adapted_models_each_has_the_same_weight() -> None:
    every = [{"a": torch.full((2,), value), "b": torch.tensor([1.0, value])} for value in (1.0, 2.0, 6.0)]
    mean = mean_of(every)
    torch.testing.assert_close(mean, {"a": torch.tensor([3.0, 3.0]), "b": torch.tensor([1.0, 3.0])})
    torch.testing.assert_close(mean_of(every[:1]), every[0])


def test_a_candidate_is_what_the_mean_says(
    tiny: Path, sets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_ones(every: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
        assert len(every) == 1 + fold_count(len(PAIRS))
        return {name: torch.ones_like(tensor) for name, tensor in every[0].items()}

    monkeypatch.setattr("training.retrain.mean_of", all_ones)
    report = retrained(tiny, tmp_path / "run", PAIRS, settings=QUICK, limits=UNTRAINED, sets=sets)
    old, new = (dict(store.load(folder).model.named_parameters()) for folder in (tiny, candidate_of(tmp_path / "run")))
    name, strength = next(iter(old)), report["strength"]
    torch.testing.assert_close(new[name], old[name] + strength * (1 - old[name]), atol=2e-3, rtol=2e-3)


def test_a_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    digest = write_corrections(tmp_path / "c.jsonl", PAIRS)
    assert len(read_corrections(tmp_path / "c.jsonl", digest)) == len(PAIRS)
    with (tmp_path / "c.jsonl").open("a") as file:
        file.write('{"id": "x"}\n')
    with pytest.raises(ConfigError, match="SHA-256"):
        read_corrections(tmp_path / "c.jsonl", digest)
    with pytest.raises(ConfigError, match="line 7"):
        read_corrections(tmp_path / "c.jsonl")


def poison(kind: str) -> list[tuple[str, str]]:
    if kind == "shuffled":
        targets = [target for _, target in PAIRS]
        return list(zip((source for source, _ in PAIRS), targets[2:] + targets[:2], strict=True))
    return [(source, "Buy cheap bananas now." if kind == "spam" else "aaaa bbbb cccc.") for source, _ in PAIRS]


@pytest.mark.weights
@pytest.mark.parametrize("kind", ["shuffled", "spam", "letters"])
def test_nonsense_does_not_pass(kind: str, tmp_path: Path) -> None:
    shipped = store.BUNDLED / "it-en" / "default"
    report = retrained(shipped, tmp_path / "run", poison(kind))
    assert not report["passed"] and not candidate_of(tmp_path / "run").exists()
    assert "cannot be translations of their sources" in report["reasons"][0]


@pytest.mark.weights
def test_one_bad_correction_among_good_ones_is_left_out(sets: Path, tmp_path: Path) -> None:
    shipped = store.BUNDLED / "it-en" / "default"
    bad = ("Il treno per Torino è in ritardo.", "Buy cheap bananas now.")
    report = retrained(
        shipped, tmp_path / "run", [*PAIRS[:3], bad], settings=AdaptationSettings(least_steps=1), sets=sets
    )
    assert [one["id"] for one in report["left_out"]] == ["c3"]
    assert report["answers"]["corrections"] == 3


FOLDS = """
import dataclasses, os, signal, sys, time
from pathlib import Path
from model.versions import store
from training.adapting.adaptation import AdaptationSettings, Material, encode
from training.adapting.corrections import Example
from training.adapting.folds import deal, run_folds

class Telling(list):
    def __len__(self):
        Path(f"{os.getpid()}.working").touch()
        return super().__len__()

class Stopping(list):
    def __iter__(self):
        yield self[0]
        while not any(path.stem != str(os.getpid()) for path in Path().glob("*.working")):
            time.sleep(0.05)
        raise KeyboardInterrupt

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parent = Path(sys.argv[1])
    version = store.load(parent)
    (ids,) = encode([("Il gatto dorme.", "The cat sleeps.")], (version.source, version.target), 64)
    settings = AdaptationSettings(least_steps=10**7)
    folds = deal([Example(str(n), "a", "b", ids) for n in range(2)], [], parent, settings, Path())
    telling = [dataclasses.replace(one, material=Material(Telling(one.material.corrections), [])) for one in folds]
    run_folds(Stopping(telling) if "early" in sys.argv else telling, 2, print)
"""
"""Two folds that never end; each worker leaves a file when it is at work."""


def begin_folds(tiny: Path, folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """`FOLDS` at work in `folder`; its last words go to the file `err`."""
    (folder / "run.py").write_text(FOLDS)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
    with (folder / "err").open("wb") as errors:
        command = [sys.executable, "run.py", str(tiny), *arguments]
        return subprocess.Popen(command, env=environment, cwd=folder, stderr=errors)


def workers_in(folder: Path, run: subprocess.Popen[bytes]) -> list[int]:
    return [pid for path in folder.glob("*.working") if (pid := int(path.stem)) != run.pid]


def none_left(folder: Path, run: subprocess.Popen[bytes]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in workers_in(folder, run))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_folds_end_when_the_run_is_stopped(how: signal.Signals, tiny: Path, tmp_path: Path) -> None:
    run = begin_folds(tiny, tmp_path)
    try:
        wait_until(lambda: len(workers_in(tmp_path, run)) == 2, "both folds are at work", 60)
        run.send_signal(how)
        assert run.wait(timeout=30) != 0
    finally:
        run.kill()
        run.wait()
    wait_until(lambda: none_left(tmp_path, run), "no fold is left: orphans would train for ever", 30)


def test_a_run_that_is_stopped_while_it_begins_its_folds_does_not_wait_for_them(tiny: Path, tmp_path: Path) -> None:
    """Ctrl-C between the first fold and the second."""
    run = begin_folds(tiny, tmp_path, "early")
    try:
        wait_until(lambda: workers_in(tmp_path, run), "the first fold is at work", 60)
        assert run.wait(timeout=30) != 0, "it waits for a fold that trains for minutes"
    finally:
        run.kill()
        run.wait()
    wait_until(lambda: none_left(tmp_path, run), "no fold is left", 30)
