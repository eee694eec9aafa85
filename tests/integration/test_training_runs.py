"""Whole trainings, as the command line starts them: alone, and as workers under torchrun, some of them lost."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import toy_corpus
from cli_kit import in_process
from safetensors.torch import load_file

from model.translator import Translator
from model.versions.store import verify
from training.evaluate import record

ROOT = Path(__file__).parents[2]
TRAIN = ("train", "toy.toml", "--data", "data", "--out", "models")
TORCHRUN = ("-m", "torch.distributed.run")
LONGER = {"max_steps": 100, "eval_steps": 25, "threads": 1}


def prepare(folder: Path, budget: int, **loop: int) -> dict[str, str]:
    """Write corpus and settings into `folder`; the environment of who trains on them."""
    toy_corpus.write(folder / "data")
    toy_corpus.write_settings(folder / "toy.toml", batch_tokens=budget, **loop)
    told = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    return {**os.environ, **told, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}


def train(folder: Path, budget: int, *launcher: str, **loop: int) -> Path:
    """The version that `TRAIN` writes in a process of its own, or more of them, with `folder` as its own."""
    done = subprocess.run(
        [sys.executable, *launcher, "-m", "app.cli", *TRAIN],
        env=prepare(folder, budget, **loop),
        cwd=folder,
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
    together = train(
        tmp_path, 256, *TORCHRUN, "--standalone", "--nproc_per_node=2"
    )  # half the budget: the same batches
    assert json.loads((together / "card.json").read_text())["training"]["steps"] == 24
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


@contextlib.contextmanager
def nodes(folder: Path, environment: dict[str, str]) -> Iterator[list[subprocess.Popen[str]]]:
    """Two nodes with one worker each, as two `torchrun` on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    meeting = ("--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}", "--rdzv-id=toy", "--max-restarts=3")
    command = [sys.executable, *TORCHRUN, "--nnodes=2", "--nproc_per_node=1", *meeting, "-m", "app.cli", *TRAIN]
    started = []
    try:
        for number in range(2):
            with (folder / f"node-{number}.log").open("w") as log:
                started.append(
                    subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, text=True)
                )
        yield started
    finally:
        for node in started:
            if node.poll() is None:
                node.terminate()
                node.wait(60)


def worker_of(node: subprocess.Popen[str]) -> int:
    """Process of the worker that `node` has started."""
    children = Path(f"/proc/{node.pid}/task/{node.pid}/children").read_text().split()
    return next(int(child) for child in children if b"\0RANK=" in Path(f"/proc/{child}/environ").read_bytes())


def steps(metrics: Path) -> list[int]:
    """Steps whose loss was logged, in the order of the file."""
    if not metrics.exists():
        return []
    rows = [json.loads(line) for line in metrics.read_text().splitlines() if line.endswith("}")]
    return [row["step"] for row in rows if "loss" in row]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for the worker in /proc")
@pytest.mark.timeout(400)
def test_a_worker_of_two_nodes_that_is_killed_comes_back_to_the_last_checkpoint(tmp_path):
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    whole = train(tmp_path / "whole", 256, *TORCHRUN, "--standalone", "--nproc_per_node=2", **LONGER)
    killed, metrics = tmp_path / "killed", tmp_path / "killed/runs/it-en/toy/metrics.jsonl"
    ends = time.monotonic() + 240
    with nodes(killed, prepare(killed, 256, **LONGER)) as started:
        while 40 not in steps(metrics):
            assert time.monotonic() < ends
            assert all(node.poll() is None for node in started), (killed / "node-0.log").read_text()
            time.sleep(0.01)
        os.kill(worker_of(started[1]), signal.SIGKILL)  # 25 steps are in the checkpoint
        assert [node.wait(max(1.0, ends - time.monotonic())) for node in started] == [0, 0]
    log = "".join((killed / f"node-{number}.log").read_text() for number in range(2))
    assert "-9" in log, "nobody was killed in time"
    assert steps(metrics) == [20, 40, 60, 80, 100], "steps are in the log twice, or not at all"
    ours, theirs = load_file(killed / "models/it-en/toy/model.safetensors"), load_file(whole / "model.safetensors")
    assert all(tensor.equal(theirs[name]) for name, tensor in ours.items()), "the result is another"
