"""What is replayed: the corpus without its held-out sentences, else logged sentences and the shipped sample."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model.errors import ConfigError
from model.versions.card import Card
from training.adapting.replay import find_replay
from training.data.pairs import normalise_key
from training.scoring.sets import SETS, read_general

HELD = ("Questa frase è tenuta da parte.", "This sentence is held out.")
PAIRS = [(f"Il gatto numero {n} dorme sul divano.", f"The cat number {n} sleeps on the sofa.") for n in range(30)]


def card(pair: str = "it-en") -> Card:
    return Card(pair=pair, version="default", created="2026-11-25T00:00:00+00:00", files={})


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for name, pairs in {"cats.train": [*PAIRS, HELD], "cats.test": [HELD]}.items():
        (folder / f"{name}.tsv").write_text("".join(f"{it}\t{en}\n" for it, en in pairs), encoding="utf-8")
    return folder


@pytest.mark.parametrize("pair", ["it-en", "en-it"])
def test_a_corpus_is_replayed_in_the_direction_of_the_model_without_what_is_held_out(corpus: Path, pair: str) -> None:
    found = find_replay(card(pair), corpus, None, 1)
    assert set(found.pairs) == set(PAIRS if pair == "it-en" else [(en, it) for it, en in PAIRS])
    assert str(len(PAIRS)) in found.origin


def test_a_folder_without_tables_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no tables"):
        find_replay(card(), tmp_path, None, 1)


def test_without_a_corpus_logged_sentences_and_the_sample_are_replayed(tmp_path: Path) -> None:
    logged = tmp_path / "logged.jsonl"
    logged.write_text(json.dumps({"source_text": "Ho fame.", "translation": "I am hungry."}) + "\n")
    found = find_replay(card(), None, logged, 1)
    assert found.pairs[0] == ("Ho fame.", "I am hungry.")
    assert len(found.pairs) == 1 + len(read_general(SETS / "it-en" / "replay.tsv"))
    assert "logged with consent" in found.origin and "shipped sample" in found.origin


@pytest.mark.parametrize("pair", ["it-en", "en-it"])
def test_the_shipped_sample_has_no_sentence_twice_nor_of_our_other_sets(pair: str) -> None:
    sample = read_general(SETS / pair / "replay.tsv")
    assert len(sample) >= 1500
    for side in (0, 1):
        keys = {normalise_key(row[side]) for row in sample}
        assert len(keys) == len(sample)
        assert not keys & {normalise_key(row[side]) for row in read_general(SETS / pair / "general.tsv")}
