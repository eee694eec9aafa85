"""Retraining of a tiny model, and the gate; that nonsense does not pass is tried on the model that ships."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from rich.console import Console

from model.errors import ConfigError
from model.versions import store
from training.adapting.adaptation import AdaptationSettings, Material, adapt, encode, log_probs
from training.adapting.corrections import Correction, examples, read_corrections
from training.adapting.folds import blended, deal, fold_count
from training.adapting.gate import GateSet, HeldOut, Limits, judge_log_probs, judge_set
from training.adapting.job import Job
from training.retrain import retrain

PAIRS = (
    ("Il gatto dorme sul divano.", "The cat sleeps on the sofa."),
    ("Quanto costa questo libro?", "How much is this book?"),
    ("Sono già stato a Roma due volte.", "I have already been to Rome twice."),
    ("Vorrei un bicchiere d'acqua, per favore.", "I would like a glass of water, please."),
    ("Non so perché non è venuta!", "I don't know why she did not come!"),
    ("Domani andiamo al mare con gli amici.", "We are going to the sea tomorrow with our friends."),
)
UNTRAINED = Limits(100, 100, least_fit=-100)
"""For a model that knows nothing: it cannot tell a translation from nonsense."""
QUICK = AdaptationSettings(learning_rate=2e-3, least_steps=8, warmup_steps=1)


def write(path: Path, pairs: Sequence[tuple[str, str]]) -> str:
    lines = [{"id": f"c{number}", "source_text": source, "corrected_translation": target}
             for number, (source, target) in enumerate(pairs)]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def job(parent: Path, folder: Path, pairs: Sequence[tuple[str, str]], **more: object) -> Job:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "work").mkdir()
    digest = write(folder / "c.jsonl", pairs)
    values = {"settings": QUICK, "limits": UNTRAINED, "sha256": digest} | more
    return Job(parent, folder / "c.jsonl", folder / "models", "next", folder / "work", **values)  # type: ignore[arg-type]


def quiet() -> Console:
    return Console(file=io.StringIO())


@pytest.fixture
def tiny(tiny_data_dir: Path) -> Path:
    return tiny_data_dir / "models" / "it-en" / "default"


def learn(tiny: Path, material: Material, settings: AdaptationSettings) -> store.Seq2Seq:
    kept = []
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


def test_the_same_seed_gives_the_same_weights(tiny: Path, tmp_path: Path) -> None:
    one, two = (retrain(job(tiny, tmp_path / name, PAIRS), quiet()).candidate for name in ("a", "b"))
    assert one and two
    assert store.verify(one).files["model.safetensors"] == store.verify(two).files["model.safetensors"]


def test_the_card_says_where_a_candidate_comes_from(tiny: Path, tmp_path: Path) -> None:
    outcome = retrain(job(tiny, tmp_path, PAIRS), quiet())
    assert outcome.candidate == tmp_path / "models" / "it-en" / "next"
    card = store.verify(outcome.candidate)
    assert card.parent == "it-en/default"
    assert card.data["corrections"]["ids"] == outcome.trained_ids
    assert card.settings["adaptation"]["seed"] == QUICK.seed
    assert {one["name"] for one in outcome.report["sets"]} == {"corrections", "challenge", "general"}
    stored = json.loads(json.dumps(outcome.report, allow_nan=False))
    assert {name for name in stored if card.scores["gate"][name] != stored[name]} <= {"sets"}
    assert PAIRS[0][0] not in card.to_json(), "a card stays when a correction is deleted: no texts"


def test_a_single_correction_cannot_be_held_out(tiny: Path, tmp_path: Path) -> None:
    report = retrain(job(tiny, tmp_path, PAIRS[:1]), quiet()).report
    assert "nothing can be held out" in report["sets"][0]["why"]


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


def test_a_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    digest = write(tmp_path / "c.jsonl", PAIRS)
    assert len(read_corrections(tmp_path / "c.jsonl", digest)) == len(PAIRS)
    with (tmp_path / "c.jsonl").open("a") as file:
        file.write('{"id": "x"}\n')
    with pytest.raises(ConfigError, match="SHA-256"):
        read_corrections(tmp_path / "c.jsonl", digest)
    with pytest.raises(ConfigError, match="line 7"):
        read_corrections(tmp_path / "c.jsonl")


GATE = GateSet("general", [f"s{n}" for n in range(40)], [[f"the small cat number {n} sleeps here"] for n in range(40)])
RIGHT = [references[0] for references in GATE.references]


@pytest.mark.parametrize(
    ("spoilt", "limits", "passed"),
    [
        (0, Limits(), True),
        (1, Limits(margin=0.2), False),
        (1, Limits(margin=10, floor=10), True),
        (1, Limits(margin=10, floor=0.5), False),  # the mean is within the margin, the lower end is not
    ],
)
def test_a_set_may_not_lose_more_than_the_limits(spoilt: int, limits: Limits, passed: bool) -> None:
    after = ["no dog is awake there at all"] * spoilt + RIGHT[spoilt:]
    found = judge_set(GATE, RIGHT, after, limits)
    assert found.passed is passed, found.why
    assert [one.source for one in found.changed] == GATE.sources[:spoilt]


@pytest.mark.parametrize(
    ("after", "after_crossed", "passed"),
    [
        ([-1.0, -1.5], [-6.0, -6.0], True),
        ([-3.5, -3.5], [-6.0, -6.0], False),  # less likely
        ([-1.0, -1.5], [-3.0, -3.0], False),  # likelier, but after any source
    ],
)
def test_held_out_corrections_must_gain_after_their_own_sources(
    after: list[float], after_crossed: list[float], passed: bool
) -> None:
    assert judge_log_probs(HeldOut([-3.0, -3.0], after, [-6.0, -6.0], after_crossed)).passed is passed


def poison(kind: str) -> list[tuple[str, str]]:
    if kind == "shuffled":
        targets = [target for _, target in PAIRS]
        return list(zip((source for source, _ in PAIRS), targets[2:] + targets[:2], strict=True))
    return [(source, "Buy cheap bananas now." if kind == "spam" else "aaaa bbbb cccc.") for source, _ in PAIRS]


@pytest.mark.weights
@pytest.mark.parametrize("kind", ["shuffled", "spam", "letters"])
def test_nonsense_does_not_pass(kind: str, tmp_path: Path) -> None:
    shipped = store.BUNDLED / "it-en" / "default"
    outcome = retrain(job(shipped, tmp_path, poison(kind), limits=Limits()), quiet())
    assert not outcome.passed and outcome.candidate is None
    assert "cannot be translations of their sources" in outcome.report["reasons"][0]


@pytest.mark.weights
def test_one_bad_correction_among_good_ones_is_left_out(tmp_path: Path) -> None:
    shipped = store.BUNDLED / "it-en" / "default"
    bad = ("Il treno per Torino è in ritardo.", "Buy cheap bananas now.")
    settings = AdaptationSettings(least_steps=2)
    outcome = retrain(job(shipped, tmp_path, [*PAIRS, bad], settings=settings, limits=Limits()), quiet())
    assert [one["id"] for one in outcome.report["left_out"]] == ["c6"]
    assert len(outcome.trained_ids) == len(PAIRS)


KILLED = """
import sys
from pathlib import Path
from model.versions import store
from training.adapting.adaptation import AdaptationSettings, encode
from training.adapting.corrections import Example
from training.adapting.folds import deal, run_folds

if __name__ == "__main__":
    parent, work = map(Path, sys.argv[1:3])
    version = store.load(parent)
    (ids,) = encode([("Il gatto dorme.", "The cat sleeps.")], (version.source, version.target), 64)
    settings = AdaptationSettings(least_steps=10**7)
    run_folds(deal([Example(str(n), "a", "b", ids) for n in range(2)], [], parent, settings, work), 2, print)
"""


def children(pid: int) -> set[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return {int(line) for line in found.stdout.split()}


@pytest.mark.skipif(shutil.which("ps") is None, reason="needs ps")
def test_folds_end_when_the_run_is_killed(tiny: Path, tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(KILLED)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
    run = subprocess.Popen([sys.executable, str(script), str(tiny), str(tmp_path)], env=environment)
    ends = time.monotonic() + 60
    while len(workers := children(run.pid)) < 3 and time.monotonic() < ends:  # two folds and the resource tracker
        time.sleep(0.2)
    time.sleep(3)  # so that they are at work
    run.kill()
    run.wait()
    assert len(workers) == 3
    ends = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < ends:
        time.sleep(0.2)
    assert [pid for pid in workers if Path(f"/proc/{pid}").exists()] == [], "orphans would train for ever"
