"""A training that is stopped on one machine goes on, on another, from checkpoints in a store."""

from __future__ import annotations

import json
from pathlib import Path

import toy_corpus
from cli_kit import failed, in_process, succeeded

from training.run.checkpoint import steps_in


def test_another_machine_goes_on_where_one_was_stopped(tmp_path: Path) -> None:
    toy_corpus.write(tmp_path / "data")
    toy_corpus.write_settings(tmp_path / "toy.toml", max_steps=100_000, batch_tokens=64, threads=1)
    (tmp_path / "store").mkdir()
    train = ("train", "toy.toml", "--data", "data", "--out", "models", "--checkpoints", f"file://{tmp_path / 'store'}")
    stopped = in_process(*train, "--runs", "one", "--stop-after", "0.01", cwd=tmp_path)
    assert "go on with --resume" in stopped.stderr, stopped.stderr
    copied = tmp_path / "store" / "it-en" / "toy"
    assert "last.safetensors" in json.loads((copied / "files.json").read_text())
    failed(in_process(*train, "--runs", "two", cwd=tmp_path), 1, "--resume goes on with them")
    stopped = in_process(*train, "--runs", "two", "--resume", "--stop-after", "0.01", cwd=tmp_path)
    assert "go on with --resume" in stopped.stderr, stopped.stderr
    one, two = (tmp_path / name / "it-en" / "toy" for name in ("one", "two"))
    assert (one / "source.model").read_bytes() == (two / "source.model").read_bytes(), "the vocabulary came along"
    before, after = (steps_in(folder / "last.safetensors") for folder in (one, two))
    assert 0 < before < after
    done = in_process(*train, "--runs", "one", "--resume", "--max-steps", "1", cwd=tmp_path)
    succeeded(done)
    card = json.loads((tmp_path / "models" / "it-en" / "toy" / "card.json").read_text())
    assert card["training"]["steps"] == after, "the first machine has the second one's checkpoint, which is farther"


def test_a_place_with_a_password_is_refused(tmp_path: Path) -> None:
    toy_corpus.write_settings(tmp_path / "toy.toml")
    wrong = in_process("train", "toy.toml", "--checkpoints", "s3://key:hunter2@bucket/runs", cwd=tmp_path)
    failed(wrong, 2, "--checkpoints must hold no user")
    assert "hunter2" not in wrong.stderr
