"""Which folder a run goes on in when torchrun begins its workers again."""

import json

import pytest
import torch

from model.errors import ConfigError
from training.run.checkpoint import Checkpoint, steps_in
from training.run.job import check_restarts, forget_rows_after, prepare_folder


def checkpoint(folder) -> None:
    (folder / "last.safetensors").write_bytes(b"")


def test_the_same_job_goes_on_and_another_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "one")
    assert not prepare_folder(tmp_path, resume=False)
    checkpoint(tmp_path)
    assert prepare_folder(tmp_path, resume=False)
    for name in ("other", "none"):
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", name)
        with pytest.raises(ConfigError, match="--resume"):
            prepare_folder(tmp_path, resume=False)
    assert prepare_folder(tmp_path, resume=True)


def test_a_job_that_was_lost_before_its_first_checkpoint_begins_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "one")
    prepare_folder(tmp_path, resume=False)
    (tmp_path / "best.safetensors").write_bytes(b"")
    (tmp_path / "metrics.jsonl").write_text("")
    assert not prepare_folder(tmp_path, resume=False)
    assert [path.name for path in tmp_path.iterdir()] == ["job"]


def test_without_torchrun_a_folder_with_a_checkpoint_is_refused(tmp_path, monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert not prepare_folder(tmp_path, resume=False)
    checkpoint(tmp_path)
    with pytest.raises(ConfigError, match="--resume"):
        prepare_folder(tmp_path, resume=False)


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        ({}, None),
        ({"TORCHELASTIC_MAX_RESTARTS": "0", "TORCHELASTIC_RUN_ID": "none"}, None),
        ({"TORCHELASTIC_MAX_RESTARTS": "2", "TORCHELASTIC_RUN_ID": "none"}, "--rdzv-id"),
        ({"TORCHELASTIC_MAX_RESTARTS": "2", "TORCHELASTIC_RUN_ID": "a"}, None),
        (
            {"TORCHELASTIC_MAX_RESTARTS": "2", "TORCHELASTIC_RUN_ID": "a", "TORCHELASTIC_USE_AGENT_STORE": "True"},
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE",
        ),
    ],
)
def test_restarts_that_cannot_work_are_refused_at_the_start(monkeypatch, told, wrong):
    for name in ("TORCHELASTIC_MAX_RESTARTS", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_USE_AGENT_STORE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    if wrong is None:
        check_restarts()
    else:
        with pytest.raises(ConfigError, match=wrong):
            check_restarts()


def test_a_run_that_is_to_stop_early_is_not_begun_again(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "a")
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE", raising=False)
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "0")
    check_restarts(stops_early=True)
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "2")
    with pytest.raises(ConfigError, match="--stop-after"):
        check_restarts(stops_early=True)


def test_rows_after_the_checkpoint_are_forgotten_and_a_torn_one(tmp_path):
    metrics = tmp_path / "metrics.jsonl"
    forget_rows_after(metrics, 5)
    assert not metrics.exists()
    rows = [{"step": 20}, {"step": 25, "dev": {}}, {"step": 40}]
    metrics.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"step": 6')
    forget_rows_after(metrics, 25)
    assert [json.loads(line) for line in metrics.read_text().splitlines()] == rows[:2]


def test_who_dies_while_writing_a_checkpoint_leaves_the_one_before(tmp_path, monkeypatch):
    path = tmp_path / "last.safetensors"
    Checkpoint({"weights": torch.ones(3)}, {"step": 1}).save(path)

    def half(_tensors, file, _header) -> None:
        file.write_bytes(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr("training.run.checkpoint.save_file", half)
    with pytest.raises(KeyboardInterrupt):
        Checkpoint({"weights": torch.zeros(3)}, {"step": 2}).save(path)
    assert Checkpoint.load(path).state == {"step": 1}


def test_how_far_a_checkpoint_is_stands_in_its_header(tmp_path):
    path = tmp_path / "last.safetensors"
    assert steps_in(path) == -1
    path.write_bytes(b"half of it")
    assert steps_in(path) == -1
    for state, found in (({"step": 1}, -1), ({"standing": {"step": 7}}, 7)):
        Checkpoint({"weights": torch.ones(3)}, state).save(path)
        assert steps_in(path) == found
