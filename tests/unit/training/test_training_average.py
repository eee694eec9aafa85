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
from model.versions.store import WEIGHTS
from training.adapting.anchor import ADAPTATION
from training.average import average
from training.data.subwords import train_subwords

PAIR = "it-en"
SIZES = {"embedding_size": 8, "encoder_layers": 1, "encoder_hidden_size": 8, "decoder_hidden_size": 16}
SENTENCES = ["Il gatto dorme sul tetto.", "La barca arriva al porto.", "Domani piove.", "Chi vuole un caffè?"] * 3
START = 7
"""Seed of the weights from which all versions went on that have something in common."""


@pytest.fixture(scope="module")
def subwords() -> SubwordTokenizer:
    return train_subwords(SENTENCES, 324, threads=1)


@pytest.fixture
def models(tmp_path: Path, subwords: SubwordTokenizer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The versions of the data directory: `one`, `two` and `three`, with different weights."""
    monkeypatch.setenv("TRAGHETTO_DATA_DIR", str(tmp_path))
    for number, name in enumerate(("one", "two", "three")):
        told = {"tatoeba": {"of": name}, name: {}}
        write(tmp_path / "models", name, subwords, number, data=told, training={"steps": number})
    return tmp_path / "models"


def write(root: Path, name: str, subwords: SubwordTokenizer, number: int, start: int = START, **more: Any) -> Path:
    """A version that has gone on for a little from the weights of the seed `start`, to somewhere by `number`."""
    config = replace(ModelConfig(subwords.vocab_size, subwords.vocab_size, **SIZES), **more.pop("config", {}))
    torch.manual_seed(start)
    model = Seq2Seq(config).eval()
    torch.manual_seed(100 + number)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.01 * torch.randn_like(parameter)
    card = {"scores": {"test": {"bleu": 1.0, "chrf": 2.0}}, **more}
    return store.save(root, card.pop("pair", PAIR), name, model, (subwords, subwords), card)


def test_every_weight_is_the_mean_by_the_shares(models: Path) -> None:
    mean = store.load(average(PAIR, {"one": 3, "two": 1, "three": 1}, "mean"))
    one, two, three = (store.load(models / PAIR / name).weights for name in ("one", "two", "three"))
    assert mean.weights.keys() == one.keys()
    for name, found in mean.weights.items():
        wanted = 0.6 * one[name].astype(np.float64) + 0.2 * two[name] + 0.2 * three[name]
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5, err_msg=name)
        assert np.abs(wanted - one[name]).max() > 1e-3, "there was something to average"


def test_the_card_says_of_what_it_is_the_mean(models: Path) -> None:
    card = store.verify(average(PAIR, {"two": 0.5, "one": 1.5}, "mean"))
    digests = {name: store.verify(models / PAIR / name).files[WEIGHTS] for name in ("one", "two")}
    assert card.training["mean_of"] == [
        {"version": "it-en/two", "sha256": digests["two"], "share": 0.25},
        {"version": "it-en/one", "sha256": digests["one"], "share": 0.75},
    ]
    assert (card.parent, card.training["steps"]) == ("it-en/two", 1), "the first goes on in it"
    assert card.data == {"tatoeba": {"of": "two"}, "two": {}, "one": {}}, "all that any of them has read"
    assert card.scores == {}, "nothing has been measured"


def test_two_of_one_name_are_told_apart(models: Path, tmp_path: Path, subwords: SubwordTokenizer) -> None:
    """As the runs of `scripts/long-run` are, which all write `long`."""
    elsewhere = write(tmp_path / "elsewhere", "one", subwords, 7)
    folder = average(PAIR, {"one": 1, str(elsewhere): 1}, "mean", tmp_path / "out")
    assert folder == tmp_path / "out" / PAIR / "mean"
    parts = store.verify(folder).training["mean_of"]
    assert [(one["version"], one["share"]) for one in parts] == [("it-en/one", 0.5), ("it-en/one", 0.5)]
    assert parts[0]["sha256"] != parts[1]["sha256"]
    assert not (models / PAIR / "mean").exists()


@pytest.mark.parametrize(
    ("shares", "problem"),
    [
        ({"one": 1.0}, "two versions or more"),
        ({"one": 1.0, "two": 0.0}, "more than 0"),
        ({"one": 1.0, "two": -1.0}, "more than 0"),
        ({"one": float("nan"), "two": 1.0}, "finite together"),
        ({"one": 1e308, "two": 1e308}, "finite together"),
    ],
)
@pytest.mark.usefixtures("models")
def test_shares_that_make_no_mean(shares: dict[str, float], problem: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=problem):
        average(PAIR, shares, "mean", tmp_path)


def test_versions_that_do_not_go_together(models: Path, tmp_path: Path, subwords: SubwordTokenizer) -> None:
    other_words = train_subwords([*SENTENCES, "Zucchine e quadri, zabaione!"], 324, threads=1)
    odd = {
        "has learnt corrections": write(models, "learnt", subwords, 3, settings={ADAPTATION: {}}),
        "has another architecture": write(models, "wide", subwords, 3, config={"decoder_hidden_size": 24}),
        "has other vocabularies": write(models, "words", other_words, 3),
        "not a version of it-en": write(models, "back", subwords, 3, pair="en-it"),
        "began apart": write(models, "stranger", subwords, 3, start=START + 1),
        "are there twice": write(models, "copy", subwords, 0),
        "is not a version; ": tmp_path,
    }
    for problem, folder in odd.items():
        with pytest.raises(ConfigError, match=problem):
            average(PAIR, {"one": 1, str(folder): 1}, "mean", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("models")
def test_names_are_checked_and_nothing_is_written_over() -> None:
    with pytest.raises(ConfigError, match="exists already"):
        average(PAIR, {"one": 1, "two": 1}, "two")
    with pytest.raises(VersionError, match="not a version name"):
        average(PAIR, {"one": 1, "two": 1}, "a b")
    with pytest.raises(VersionNotFound, match="no version four"):
        average(PAIR, {"one": 1, "it-en/four": 1}, "mean")
