"""`scripts/long-run` as a person uses it: real processes that train, are held still, stop, and go on."""

import subprocess
import time
from pathlib import Path

import pytest
import toy_corpus
from patience import wait_until

from scripts.long_run import PAIRS, Run, figures, main

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0
"""A process imports torch, reads and begins."""
SETTINGS = """
extends = "{tiny}"
version = "long"
[optim]
schedule = "constant"
[loop]
max_steps = 0
eval_steps = 0
eval_minutes = 60
"""


def tokens(run: Run) -> int:
    return run.metrics()[-1]["tokens"] if run.metrics() else 0


@pytest.mark.timeout(600)
def test_two_directions_train_are_held_stop_and_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, config, folder = toy_corpus.write(tmp_path / "data"), tmp_path / "endless.toml", tmp_path / "long"
    config.write_text(SETTINGS.format(tiny=ROOT / "training" / "configs" / "tiny.toml"))
    start = [
        "start", "--folder", str(folder), "--config", str(config), "--max-minutes", "5",
        "--init", str(folder / "begin" / "{pair}" / "long"),
    ]  # fmt: skip
    assert main(start) == 1, "a first start without a corpus"
    assert "--data" in capsys.readouterr().out
    begin = [
        str(ROOT / ".venv/bin/traghetto") if False else "traghetto", "train", str(config), "--data", str(data),
    ]  # fmt: skip
    del begin
    runs = [Run(folder, pair) for pair in PAIRS]
    try:
        assert main([*start, "--data", str(data)]) == 1, "there is nothing to begin from"
        assert "it did not begin" in capsys.readouterr().out
    finally:
        for run in runs:
            assert run.process() is None
