"""Pairs scored by models of both directions: exactly, and again after a stop."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import toy_corpus
from rich.console import Console

from model.config import ModelConfig
from model.errors import ConfigError
from model.network.seq2seq import Seq2Seq
from model.versions import store
from training.config import TrainingConfig
from training.data.noisy import pair_fingerprint
from training.data.subwords import train_subwords
from training.filtering import cross_entropy as module
from training.filtering.cross_entropy import ScoreOptions, score
from training.filtering.score_files import read_table
from training.filtering.worst import MAX_GAIN
from training.run.batching import Encoded
from training.run.likelihood import nats_per_token

QUIET = Console(quiet=True)
SIZES = {"embedding_size": 16, "encoder_hidden_size": 16, "decoder_hidden_size": 32, "encoder_layers": 1,
         "decoder_layers": 1, "dropout": 0.0}  # fmt: skip
PAIRS = toy_corpus.pairs()[:25]
LONG = ("Il mare " * 40, "The sea " * 40)
CONFIG = TrainingConfig.from_dict({
    "pair": "it-en", "version": "x", "data": {"groups": {"a": ["mine"]}, "max_tokens": 40},
    "phases": [{"until": 1, "shares": {"a": 1.0}}], "loop": {"max_steps": 1, "precision": "fp32"},
})  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """An untrained model for each direction in `models`, and a table with a duplicate and a pair that is too long."""
    folder = tmp_path_factory.mktemp("filtering")
    (folder / "data").mkdir()
    rows = ["\t".join(pair) + "\n" for pair in [*PAIRS, PAIRS[3], LONG]]
    (folder / "data/mine.tsv").write_text("".join(rows))
    italian, english = (train_subwords([pair[side] for pair in toy_corpus.pairs()[:60]], 320 + side) for side in (0, 1))
    for seed, (pair, sides) in enumerate({"it-en": (italian, english), "en-it": (english, italian)}.items()):
        torch.manual_seed(seed)
        model = Seq2Seq(ModelConfig(sides[0].vocab_size, sides[1].vocab_size, **SIZES))
        store.save(folder / "models", pair, "default", model, sides, {})
    return folder


@pytest.fixture(autouse=True)
def _roots(place, monkeypatch):
    monkeypatch.setattr(module, "version_roots", lambda: [place / "models"])
    monkeypatch.setattr(module, "PART_PAIRS", 10)


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.*"))}


def test_each_usable_pair_is_scored_in_both_directions(place, tmp_path):
    assert score(CONFIG, place / "data", tmp_path / "scores", ScoreOptions(), QUIET) == 0
    scores, whole = read_table(tmp_path / "scores", "mine")
    assert whole
    tidied = [*PAIRS, tuple(side.strip() for side in LONG)]
    assert scores.fingerprints.tolist() == [pair_fingerprint(pair) for pair in tidied]
    assert np.isnan(scores.dual).tolist() == [*[False] * len(PAIRS), True], "what is too long has no score"
    for direction, found in (("it-en", scores.it_en), ("en-it", scores.en_it)):
        version = store.load(place / "models" / direction / "default")
        for row, pair in enumerate(PAIRS):
            source, target = pair if direction == "it-en" else pair[::-1]
            ids = Encoded(version.source.encode(source), version.target.encode(target))
            assert found[row] == pytest.approx(nats_per_token(version.model, [ids])[0], abs=4e-3)
            assert scores.tokens[row] == max(map(len, ids))
    scored = np.isfinite(scores.gain)
    assert [scored[start : start + 10].sum() for start in (0, 10, 20)] == [2, 2, 1], "the worst fifth of each part"
    assert scores.dual[:10][scored[:10]].min() >= scores.dual[:10][~scored[:10]].max()
    one, other = float(scores.it_en[0]), float(scores.en_it[0])
    assert scores.dual[0] == pytest.approx(abs(one - other) + (one + other) / 2, abs=1e-3)


@pytest.mark.parametrize("stop", ["interrupted", "out of time"])
def test_a_run_that_stops_goes_on_to_the_same_files(place, tmp_path, monkeypatch, stop):
    score(CONFIG, place / "data", tmp_path / "at once", ScoreOptions(), QUIET)
    calls = []

    def stopping(model, ids, each_batch=lambda pairs: None):
        calls.append(1)
        if stop == "interrupted" and len(calls) == 6:
            raise KeyboardInterrupt
        return nats_per_token(model, ids, each_batch)

    monkeypatch.setattr(module, "nats_per_token", stopping)
    limit = {"max_minutes": 1e-9} if stop == "out of time" else {}
    left = score(CONFIG, place / "data", tmp_path / "twice", ScoreOptions(**limit), QUIET)
    assert left == (16 if stop == "interrupted" else 26), "the first part is kept, the second was cut short"
    assert score(CONFIG, place / "data", tmp_path / "twice", ScoreOptions(), QUIET) == 0
    assert files(tmp_path / "twice") == files(tmp_path / "at once")
    calls.clear()
    score(CONFIG, place / "data", tmp_path / "twice", ScoreOptions(), QUIET)
    assert not calls, "nothing is left to do"


def test_a_sample_is_always_the_same_pairs(place, tmp_path):
    score(CONFIG, place / "data", tmp_path / "scores", ScoreOptions(sample=7), QUIET)
    scores, _ = read_table(tmp_path / "scores", "mine")
    assert scores.fingerprints.tolist() == sorted(map(pair_fingerprint, [*PAIRS, LONG]))[:7]


def test_scores_of_other_models_or_limits_are_not_mixed(place, tmp_path):
    score(CONFIG, place / "data", tmp_path / "scores", ScoreOptions(sample=3), QUIET)
    with pytest.raises(ConfigError, match="other sample"):
        score(CONFIG, place / "data", tmp_path / "scores", ScoreOptions(), QUIET)


def test_what_comes_with_the_program_is_not_scored(place, tmp_path):
    named = replace(CONFIG, data=replace(CONFIG.data, groups={"a": ["mine"], "ours": ["ordinary/*"]}))
    assert score(named, place / "data", tmp_path / "scores", ScoreOptions(), QUIET) == 0
    assert {path.parent.name for path in (tmp_path / "scores").rglob("*.safetensors")} == {"mine"}


def test_what_cannot_be_scored_is_named(place, tmp_path):
    with pytest.raises(ConfigError, match="matches 'yours'"):
        score(CONFIG, place / "data", tmp_path / "scores", ScoreOptions(tables=["yours"]), QUIET)
    score(CONFIG, place / "data", tmp_path / "scores", ScoreOptions(), QUIET)
    (tmp_path / "scores/mine/0001.safetensors").write_bytes(b"no scores")
    with pytest.raises(ConfigError, match=r"0001\.safetensors.* damaged"):
        score(CONFIG, place / "data", tmp_path / "scores", ScoreOptions(), QUIET)


@pytest.mark.weights
def test_the_models_that_ship_tell_wrong_pairs_from_right_ones(tmp_path, monkeypatch):
    right = [
        ("Il gatto nero dorme sulla sedia in cucina.", "The black cat is sleeping on the kitchen chair."),
        ("Domani partiremo presto per evitare il traffico.", "Tomorrow we will leave early to avoid the traffic."),
        ("Mi ha chiesto se poteva usare il mio telefono.", "She asked me whether she could use my phone."),
        ("Il treno per Torino parte alle otto.", "The train to Turin leaves at eight."),
        ("Non ho ancora deciso che cosa comprare.", "I have not decided yet what to buy."),
        ("Quando piove, i bambini giocano in casa.", "When it rains, the children play indoors."),
    ]  # fmt: skip
    wrong = [(right[row][0], right[row - 1][1]) for row in range(len(right))]
    half = [(italian, english.split(" ", 4)[-1]) for italian, english in right]
    for name, pairs in (("right", right), ("wrong", wrong), ("half", half)):
        (tmp_path / f"{name}.tsv").write_text("".join("\t".join(pair) + "\n" for pair in pairs))
    monkeypatch.setattr(module, "version_roots", lambda: [store.BUNDLED])
    monkeypatch.setattr(module, "SUSPECTS", 1.0)
    score(CONFIG, tmp_path, tmp_path / "scores", ScoreOptions(tables=["*"]), QUIET)
    found = {name: read_table(tmp_path / "scores", name)[0] for name in ("right", "wrong", "half")}
    dual, gain = ({name: getattr(one, what) for name, one in found.items()} for what in ("dual", "gain"))
    assert dual["right"].max() < dual["wrong"].min()
    assert np.median(gain["wrong"]) < MAX_GAIN
    assert max(MAX_GAIN, gain["wrong"].max()) < gain["right"].min()
    assert (dual["right"] < dual["half"]).all(), "a side that lacks its beginning is worse than a whole one"
