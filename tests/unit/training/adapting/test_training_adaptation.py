"""What a correction teaches, and when it stops."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from retraining_kit import LEARNS, PAIRS

from model.network.seq2seq import Seq2Seq
from model.versions import store
from training.adapting.adaptation import Material, adapt, encode, log_probs


@pytest.mark.parametrize("bf16", [False, True], ids=["fp32", "bf16"])
@pytest.mark.parametrize(("enough", "changed"), [(1e-9, False), (0.7, True)])
def test_tokens_that_are_said_already_teach_nothing(
    tiny_data_dir: Path, enough: float, changed: bool, bf16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where kernels run in bf16, the weights that are kept were not rounded to it."""
    monkeypatch.setattr("training.run.precision.fast_bfloat16", lambda _: bf16)
    parent = store.load(tiny_data_dir / "models" / "it-en" / "default")
    ids = [one for one in encode(PAIRS, (parent.source, parent.target), 64) if one]
    before = [parameter.detach().clone() for parameter in parent.model.parameters()]
    kept: list[Seq2Seq] = []
    settings = dataclasses.replace(LEARNS, enough=enough)
    adapt(parent.model, Material(ids, []), settings, [3], lambda _, model: kept.append(model))
    same = [torch.equal(old.float(), new) for old, new in zip(before, kept[0].parameters(), strict=True)]
    assert all(same) is not changed
    was = store.load(tiny_data_dir / "models" / "it-en" / "default").model
    assert (sum(log_probs(kept[0], ids)) > sum(log_probs(was, ids))) is changed
