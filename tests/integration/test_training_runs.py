"""Whole trainings, as the command line starts them: alone, resumed, and as two workers under torchrun."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import toy_corpus
from cli_kit import in_process
from safetensors.torch import load_file

from model.translator import Translator
from model.versions.store import verify
from training.evaluate import record

ROOT = Path(__file__).parents[2]
SETTINGS = """
pair = "it-en"
version = "toy"
[model]
embedding_size = 16
encoder_layers = 1
encoder_hidden_size = 16
decoder_layers = 2
decoder_hidden_size = 32
attention_heads = 2
dropout = 0.0
[data]
dev = ""
hold_out_per_mille = 50
source_vocab_size = 330
target_vocab_size = 320
[data.groups]
everyday = ["*"]
[[phases]]
until = 1.0
shares = { everyday = 1.0 }
[optim]
warmup_steps = 5
[loop]
max_steps = 24
batch_tokens = BUDGET
pool_pairs = 200
eval_steps = 12
precision = "fp32"
"""


TRAIN = ("train", "toy.toml", "--data", "data", "--out", "models")


def train(folder: Path, budget: int, *launcher: str) -> Path:
    """The version that `TRAIN` writes in a process of its own, or more of them, with `folder` as its own."""
    toy_corpus.write(folder / "data")
    (folder / "toy.toml").write_text(SETTINGS.replace("BUDGET", str(budget)))
    command = [*launcher, "-m", "app.cli", *TRAIN]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "models/it-en/toy"


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    return train(tmp_path_factory.mktemp("alone"), 512)


def test_a_run_writes_a_version_that_translates(alone):
    translator = Translator.load(alone, "cpu")
    assert len(translator.translate(["Il capitano vede la barca."])) == 1
    card = json.loads((alone / "card.json").read_text())
    assert card["training"]["steps"] == 24
    assert card["training"]["curve"][-1]["dev bleu"] == round(card["scores"]["dev"]["bleu"], 3)
    assert card["data"]["everyday"]["read"] == len(toy_corpus.pairs())
    assert "BLEU" in card["scores"]["dev"]["bleu_signature"] or "refs:1" in card["scores"]["dev"]["bleu_signature"]
    assert card["settings"]["loop"]["seed"] == 1


def test_a_run_leaves_a_curve_and_the_mistakes_in_the_form_of_the_slides(alone):
    run = alone.parents[2] / "runs/it-en/toy"
    assert (run / "curve.png").read_bytes().startswith(b"\x89PNG")
    lines = (run / "mistakes.txt").read_text().splitlines()[2:]
    assert [line[:2] for line in lines[:3]] == ["> ", "= ", "< "]


def test_two_workers_do_what_one_does(alone, tmp_path):
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
    together = train(tmp_path, 256, *launcher)  # half the budget each: the same batches
    ours, theirs = load_file(together / "model.safetensors"), load_file(alone / "model.safetensors")
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert (tensor.float() - theirs[name].float()).abs().max() < 5e-3, f"{name} differs between one and two workers"


def test_a_version_is_not_overwritten_and_a_run_not_restarted_by_accident(alone):
    refused = in_process(*TRAIN, cwd=alone.parents[2])
    assert refused.returncode != 0
    assert "exists already" in refused.stderr


def test_scores_are_recorded_in_the_card_and_the_version_stays_whole(alone):
    record(alone, "test", {"bleu": 12.5})
    card = verify(alone)
    assert card.scores["test"] == {"bleu": 12.5}
    assert "bleu" in card.scores["dev"]
    assert not list(alone.parent.glob(".*"))
