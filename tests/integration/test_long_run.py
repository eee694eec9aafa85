"""`scripts/long-run` as a person uses it: real processes that train, are held still, stop, and go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import toy_corpus
from patience import wait_until

from model.versions.store import verify
from scripts.background import Run, figures
from scripts.long_run import PAIRS
from training.config import OptimSettings

ROOT = Path(__file__).parents[2]
TINY = ROOT / "training" / "configs" / "tiny.toml"
PATIENCE_S = 120.0
"""A process imports torch, reads and begins."""
SETTINGS = f"""
extends = "{TINY}"
version = "long"
[data]
source_vocab_size = 330
target_vocab_size = 320
[optim]
schedule = "constant"
[loop]
max_steps = 0
eval_steps = 0
eval_minutes = 60
"""


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[list[Run]]:
    """Both directions of a run in a folder; no process outlives a test that fails."""
    found = [Run(tmp_path / "long", pair) for pair in PAIRS]
    yield found
    for run in found:
        run.send(signal.SIGKILL)


def tokens(run: Run) -> int:
    metrics = run.metrics()
    return int(metrics[-1]["tokens"]) if metrics else 0


def await_more(runs: list[Run], before: list[int]) -> None:
    """Wait until each has trained on more tokens than `before`."""
    wait_until(lambda: all(tokens(run) > had for run, had in zip(runs, before, strict=True)), "both train", PATIENCE_S)


def own_share() -> str:
    """What Linux gives to the session of this process."""
    path = Path("/proc/self/autogroup")
    return path.read_text() if path.exists() else ""


def long_run(*arguments: str, status: int = 0) -> str:
    """What the script prints; it must end with `status`."""
    command = [sys.executable, "-m", "scripts.long_run", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def finish_copies(runs: list[Run], folder: list[str], config: Path) -> None:
    """Let copies of both decay: versions are written, and the runs themselves stay as they are."""
    finish = ["finish", *folder, "--config", str(config), "--minutes", "0.05"]
    assert "in 0.05 minutes" in long_run(*finish)
    assert [run.state() for run in runs] == ["stopped"] * 2, "its copies train, and want the cores"
    kept = [tokens(run) for run in runs]
    copies = [Run(runs[0].folder / "finish", run.pair) for run in runs]
    wait_until(lambda: all(copy.version.exists() for copy in copies), "versions are written", PATIENCE_S)
    for copy in copies:
        curve = verify(copy.version).training["curve"]
        assert curve and "dev bleu" in curve[-1], "the curve must come with the version"
        rates = [row["rate"] for row in copy.metrics() if "rate" in row]
        assert rates[0] <= OptimSettings.peak_learning_rate and rates == sorted(rates, reverse=True)
        assert len(rates) == 1 or rates[-1] < rates[0], "it decays, however few steps there is time for"
    assert [tokens(run) for run in runs] == kept, "the run itself stays as it was"
    assert "move" in long_run(*finish, status=1)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_two_directions_train_are_held_stop_and_go_on(
    runs: list[Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, folder = tmp_path / "endless.toml", ["--folder", str(tmp_path / "long")]
    config.write_text(SETTINGS)
    start = ["start", *folder, "--config", str(config), "--max-minutes", "15"]
    monkeypatch.delenv("TRAGHETTO_CORPUS_DIR", raising=False)
    assert "--data" in long_run(*start, status=1), "a first start without a corpus"
    start += ["--data", str(toy_corpus.write(tmp_path / "data"))]
    share = own_share()
    assert "it did not begin" in long_run(*start, "--pair", "it-en", "--init", str(tmp_path / "nothing"), status=1)

    long_run(*start, "--init", "none")
    assert [run.state() for run in runs] == ["running"] * 2
    assert all(os.getpriority(os.PRIO_PROCESS, run.process() or 0) == 19 for run in runs)
    assert "all run already" in long_run(*start)
    await_more(runs, [0, 0])

    assert long_run("pause", *folder).count("paused") == 2
    held = [tokens(run) for run in runs]
    assert long_run(*start).count("goes on") == 2
    await_more(runs, held)

    long_run("stop", *folder)
    assert [run.state() for run in runs] == ["stopped"] * 2
    kept = [tokens(run) for run in runs]
    long_run(*start)
    await_more(runs, kept)
    finish_copies(runs, folder, config)
    shown = long_run("status", *folder)
    assert "stopped" in shown
    assert all(pair in shown for pair in PAIRS)
    assert own_share() == share, "who called it was lowered with it"


def test_the_table_says_how_far_how_fast_and_how_good() -> None:
    steps = [{"step": 20 * n, "seconds": 10.0 * n, "tokens": 40_000 * n, "loss": 1.0} for n in range(1, 61)]
    dev = {"step": 500, "seconds": 250.0, "tokens": 1_000_000, "dev": {"bleu": 61.234, "general.dev bleu": 20.5}}
    assert figures([*steps[:25], dev, *steps[25:]]) == ["2.40 M", "0.17", "4,000", "61.23", "20.50", "1.00 M"]
    assert figures([]) == ["0", "", "", "", "", ""]


def test_the_number_of_a_process_that_is_gone_is_nobodys(tmp_path: Path) -> None:
    run = Run(tmp_path, "it-en")
    run.pid_file.write_text(str(os.getpid()))
    assert (run.process(), run.state()) == (None, "stopped"), "this process is another one"
    run.pid_file.write_text("no number")
    assert run.process() is None
