"""The mean of versions: what is in it, what its card says, and which versions have none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.config import ModelConfig
from model.errors import ConfigError, VersionError, VersionNotFound
from model.network.seq2seq import Seq2Seq
from model.text.tokenizer import SubwordTokenizer
from model.versions import store
from training.adapting.anchor import ADAPTATION
from training.average import average
from training.data.subwords import train_subwords

PAIR = "it-en"
SIZES = {
    "embedding_size": 8,
    "encoder_layers": 1,
    "encoder_hidden_size": 8,
    "decoder_hidden_size": 16,
    "decoder_layers": 1,
}
SENTENCES = ["Il gatto dorme sul tetto.", "La barca arriva al porto.", "Domani piove.", "Chi vuole un caffè?"] * 3


@pytest.fixture(scope="module")
def subwords() -> SubwordTokenizer:
    return train_subwords(SENTENCES, 324, threads=1)


@pytest.fixture
def models(tmp_path: Path, subwords: SubwordTokenizer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of versions of the data directory: `one` and `other`, with different weights."""
    monkeypatch.setenv("TRAGHETTO_DATA_DIR", str(tmp_path))
    for seed, name in enumerate(("one", "other")):
        write(tmp_path / "models", name, subwords, seed, training={"steps": seed, "curve": [seed]})
    return tmp_path / "models"


def write(
    root: Path, name: str, subwords: SubwordTokenizer, seed: int, pair: str = PAIR, **more: Any
) -> Path:  # fmt: skip
    torch.manual_seed(seed)
    config = replace(ModelConfig(subwords.vocab_size, subwords.vocab_size, **SIZES), **more.pop("config", {}))
    card = {"scores": {"test": {"bleu": 1.0, "chrf": 2.0}}, "data": {"tiny": seed}, **more}
    return store.save(root, pair, name, Seq2Seq(config).eval(), (subwords, subwords), card)


def test_every_weight_is_the_mean_by_the_shares(models: Path) -> None:
    mean = store.load(average(PAIR, {"one": 3, "other": 1}, "mean", models))
    one, other = (store.load(models / PAIR / name).weights for name in ("one", "other"))
    assert mean.weights.keys() == one.keys()
    for name, found in mean.weights.items():
        wanted = 0.75 * one[name].astype(np.float64) + 0.25 * other[name].astype(np.float64)
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-6, err_msg=name)
    assert any(np.abs(one[name] - other[name]).max() > 0.01 for name in one), "there was something to average"


def test_the_card_says_of_what_it_is_the_mean(models: Path) -> None:
    card = store.verify(average(PAIR, {"other": 0.5, "one": 1.5}, "mean", models))
    assert card.parent == "it-en/other", "the first goes on in it"
    assert card.training["mean_of"] == {"it-en/other": 0.25, "it-en/one": 0.75}
    assert (card.training["steps"], card.data) == (1, {"tiny": 1})
    assert card.scores == {}, "nothing has been measured"


def test_versions_outside_the_data_directory_are_named_by_their_folders(
    models: Path, tmp_path: Path, subwords: SubwordTokenizer
) -> None:
    elsewhere = write(tmp_path / "elsewhere", "third", subwords, 7)
    folder = average(PAIR, {"one": 1, str(elsewhere): 1}, "mean", tmp_path / "out")
    assert folder == tmp_path / "out" / PAIR / "mean"
    assert store.verify(folder).training["mean_of"] == {"it-en/one": 0.5, "it-en/third": 0.5}
    assert not (models / PAIR / "mean").exists()


@pytest.mark.parametrize(
    ("shares", "problem"),
    [
        ({"one": 1.0}, "two versions or more"),
        ({"one": 1.0, "other": 0.0}, "share of other must be more than 0"),
        ({"one": float("inf"), "other": 1.0}, "share of one"),
        ({"one": float("nan"), "other": 1.0}, "share of one"),
    ],
)
@pytest.mark.usefixtures("models")
def test_shares_that_make_no_mean(shares: dict[str, float], problem: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=problem):
        average(PAIR, shares, "mean", tmp_path)


def test_versions_that_do_not_go_together(models: Path, tmp_path: Path, subwords: SubwordTokenizer) -> None:
    other_words = train_subwords([*SENTENCES, "Zucchine e quadri, zabaione!"], 324, threads=1)
    odd = {
        "learnt": write(models, "learnt", subwords, 3, settings={ADAPTATION: {}}),
        "architecture": write(models, "wide", subwords, 3, config={"decoder_hidden_size": 24}),
        "vocabularies": write(models, "words", other_words, 3),
        "not a version of it-en": write(models, "back", subwords, 3, pair="en-it"),
        "the same version twice": models / PAIR / "one",
    }
    for problem, folder in odd.items():
        with pytest.raises(ConfigError, match=problem):
            average(PAIR, {"one": 1, str(folder): 1}, "mean", tmp_path)
    assert not (tmp_path / PAIR).exists()


def test_nothing_is_written_over_and_what_is_missing_is_named(models: Path) -> None:
    with pytest.raises(VersionError, match="exists already"):
        average(PAIR, {"one": 1, "other": 1}, "other", models)
    with pytest.raises(VersionNotFound, match="no version third"):
        average(PAIR, {"one": 1, "third": 1}, "mean", models)
