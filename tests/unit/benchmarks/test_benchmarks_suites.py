"""Suites run with a tiny untrained model: that they measure, not what."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.results.figures import Figure, ratios
from benchmarks.suites import decode, setup, train
from benchmarks.suites.contest import compete
from benchmarks.suites.setup import Setup

ROOT = Path(__file__).parents[3]


@pytest.fixture
def tiny(tiny_data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    """A few lines, as short as they can be measured."""
    monkeypatch.setattr(setup, "COUNT", 64)
    monkeypatch.setattr(train, "keep_freed_memory", lambda: None)  # it lasts as long as the process
    return Setup(tiny_data_dir / "models" / "it-en" / "default", tmp_path, seconds=0.01, quick=True)


def test_training_is_measured_beside_pytorch(tiny: Setup) -> None:
    with train.contests(tiny) as contests:
        found = compete("train", contests, 2)
    assert [(figure.program, figure.unit) for figure in found] == [
        ("Traghetto", "target tokens/s"), (train.LAYERS, "target tokens/s"),
    ]  # fmt: skip
    assert all(value > 0 for figure in found for value in figure.values)
    assert len(ratios(found)) == 1


def test_decoding_is_measured_beside_every_peer(tiny: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ctranslate2", reason="make install-bench")
    for name in ("OPUS_MT", "FIREFOX_TINY"):
        shape = getattr(decode, name)
        monkeypatch.setattr(decode, name, type(shape)(shape.name, (1, 1), 16, 32, 2, 500, "RELU", shape.shortlist))
    monkeypatch.setattr("benchmarks.suites.peers.OPUS_MT", decode.OPUS_MT)
    with decode.contests(tiny) as contests:
        found = compete("decode", contests, 1)
    rates = [figure for figure in found if figure.unit == "sentences/s"]
    assert all(value > 0 for figure in rates for value in figure.values)
    assert len(rates) == 3 * 2 * 4 + 1  # tables, cases, programs; and LibreTranslate's way
    assert Figure.from_dict(found[0].to_dict()).table == "the lines"


def test_help_says_what_there_is_without_loading_anything() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    command = [sys.executable, "-m", "benchmarks", "--help"]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout
    assert all(option in shown for option in ("--suites", "--rounds", "--quick", "--check", "--tolerance", "--output"))
    assert "make bench" in shown
