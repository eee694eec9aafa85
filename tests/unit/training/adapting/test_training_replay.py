"""What is replayed: the corpus without its held-out sentences, else logged sentences and our own tables."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.errors import ConfigError
from model.versions.card import Card
from training.adapting.replay import OURS, SAMPLE, Replay, find_replay
from training.adapting.replay import PAIRS as PAIRS_AT_MOST
from training.data.ordinary import ordinary_tables
from training.data.pairs import read_pairs

HELD = ("Questa frase è tenuta da parte.", "This sentence is held out.")
PAIRS = [(f"Il gatto numero {n} dorme sul divano.", f"The cat number {n} sleeps on the sofa.") for n in range(30)]


def card(pair: str = "it-en") -> Card:
    return Card(pair=pair, version="default", created="2026-11-25T00:00:00+00:00", files={})


def settings(groups: dict[str, list[str]]) -> dict[str, Any]:
    return {
        "pair": "it-en", "version": "default", "data": {"groups": groups}, "loop": {"max_steps": 1},
        "phases": [{"until": 1, "shares": dict.fromkeys(groups, 1.0)}],
    }  # fmt: skip


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


def test_without_a_corpus_logged_sentences_and_our_own_tables_are_replayed(tmp_path: Path) -> None:
    logged = tmp_path / "logged.jsonl"
    logged.write_text(json.dumps({"source_text": "Ho fame.", "translation": "I am hungry."}) + "\n")
    found = find_replay(card(), None, logged, 1)
    own = {pair for path in ordinary_tables().values() for pair in read_pairs(path)}
    assert found.pairs[0] == ("Ho fame.", "I am hungry.")
    assert len(found.pairs) == 1 + PAIRS_AT_MOST
    assert set(found.pairs[1:]) <= own
    assert "1 sentences logged with consent" in found.origin and f"{PAIRS_AT_MOST} that come with" in found.origin
    back = find_replay(card("en-it"), None, None, 1)
    assert {(italian, english) for english, italian in back.pairs} <= own


def test_a_folder_of_sets_may_bring_what_is_replayed(tmp_path: Path) -> None:
    (tmp_path / "it-en").mkdir()
    (tmp_path / "it-en" / SAMPLE).write_text("Ecco il faro.\tHere is the lighthouse.\n")
    found = find_replay(card(), None, None, 1, tmp_path)
    assert found.pairs == [("Ecco il faro.", "Here is the lighthouse.")]
    assert found.origin == "1 of replay.tsv"


def test_another_pair_of_languages_has_nothing_of_ours() -> None:
    assert find_replay(card("de-en"), None, None, 1) == Replay([], "none")


def test_what_comes_with_the_program_is_half_beside_a_folder_that_the_settings_name(corpus: Path) -> None:
    groups = {"cats": ["cats.*"], "dogs": ["dogs.*"], "ordinary": ["ordinary/*"]}
    found = find_replay(replace(card(), settings=settings(groups)), corpus, None, 1)
    ours = set(found.pairs) - set(PAIRS)
    assert set(PAIRS) < set(found.pairs)
    assert 0.9 * OURS * PAIRS_AT_MOST < len(ours) <= OURS * PAIRS_AT_MOST
    assert "corpus and of what comes with the program" in found.origin
    foreign = replace(card(), settings=settings({"dogs": ["dogs.*"], "ordinary": ["ordinary/*"]}))
    assert set(find_replay(foreign, corpus, None, 1).pairs) == set(PAIRS), "a folder of others is replayed as it is"
