"""From settings and a data folder to groups and dev pairs: nothing leaks, and each pair that was read is counted."""

import hashlib
import io
from pathlib import Path

import pytest
from rich.console import Console

from model.errors import ConfigError
from training.config import TrainingConfig
from training.data import noisy
from training.data.assemble import Corpus, assemble

ONE = [(f"frase {number}", f"phrase {number}") for number in range(300)]
OTHER = [(f"frase {number}", f"sentence {number}") for number in range(300)]
"""The same Italian with another English, as a second source of sentences has it."""


def write(folder: Path, **tables: list[tuple[str, str]]) -> None:
    for name, pairs in tables.items():
        (folder / f"{name}.tsv").write_text("".join(f"{italian}\t{english}\n" for italian, english in pairs))


def assembled(folder: Path, groups: dict[str, list[str]], pair: str = "it-en", **data: object) -> tuple[Corpus, str]:
    """The corpus, and what was shown."""
    settings = {
        "pair": pair, "version": "x", "data": {"groups": groups, **data},
        "phases": [{"until": 1, "shares": dict.fromkeys(groups, 1.0)}], "loop": {"max_steps": 1},
    }  # fmt: skip
    console = Console(file=io.StringIO(), width=200)
    corpus = assemble(TrainingConfig.from_dict(settings), folder, console)
    return corpus, console.file.getvalue()


def test_a_sentence_that_two_groups_share_is_never_on_both_sides_of_the_split(tmp_path):
    write(tmp_path, one=ONE, other=OTHER)
    corpus, _ = assembled(tmp_path, {"a": ["one"], "b": ["other"]}, dev="", hold_out_per_mille=100)
    assert all(corpus.groups.values())
    for side in (0, 1):
        leaked = set(corpus.side(side)) & {pair[side] for pair in corpus.dev}
        assert not leaked, "held out in one group and trained on in the other"


def test_the_card_can_say_what_was_trained_on(tmp_path):
    write(tmp_path, **{"tatoeba.train": ONE, "mine": OTHER})
    corpus, _ = assembled(tmp_path, {"a": ["tatoeba.train", "mine"]}, dev="", hold_out_per_mille=100)
    table = (tmp_path / "tatoeba.train.tsv").read_bytes()
    known, own = corpus.sources["tatoeba.train"], corpus.sources["mine"]
    assert known["sha256"] == hashlib.sha256(table).hexdigest()
    assert "CC-BY" in known["licence"]
    assert "nikodallanoce" in known["from"]
    assert set(own) == {"sha256"}, "nothing is known of a table of somebody's own"


def test_what_the_split_takes_is_counted(tmp_path):
    write(tmp_path, one=ONE, other=OTHER)
    corpus, shown = assembled(tmp_path, {"a": ["one"], "b": ["other"]}, dev="", hold_out_per_mille=100)
    for count in corpus.counts.values():
        assert count["held out"] > 0, "pairs that share a sentence with a dev pair vanished from the card"
        assert count["read"] == sum(count.values()) - count["read"], count
    assert sum(count["dev"] for count in corpus.counts.values()) == len(corpus.dev)
    assert [count["kept"] for count in corpus.counts.values()] == [len(pairs) for pairs in corpus.groups.values()]
    assert str(len(corpus.dev)) in next(line for line in shown.splitlines() if " all " in line)


def test_one_group_is_split_as_its_files_are_in_two(tmp_path):
    write(tmp_path, one=ONE, other=OTHER)
    together, _ = assembled(tmp_path, {"a": ["one", "other"]}, dev="", hold_out_per_mille=100)
    apart, _ = assembled(tmp_path, {"a": ["one"], "b": ["other"]}, dev="", hold_out_per_mille=100)
    assert together.dev == apart.dev
    assert together.groups["a"] == apart.groups["a"] + apart.groups["b"]


def test_a_dev_file_is_not_trained_on_and_takes_what_shares_its_sentences(tmp_path):
    write(tmp_path, **{"one": ONE, "one.dev": OTHER[:7]})
    corpus, _ = assembled(tmp_path, {"a": ["*"]}, pair="en-it", dev="one.dev")
    assert corpus.dev == [(english, italian) for italian, english in OTHER[:7]]
    assert corpus.groups["a"] == [(english, italian) for italian, english in ONE[7:]]
    assert corpus.counts == {"one": {"read": 300, "held out": 7, "kept": 293}}


def test_a_file_that_two_groups_name_is_kept_once_and_counted_twice(tmp_path):
    write(tmp_path, **{"one": ONE, "one.dev": [("altra", "other")]})
    corpus, _ = assembled(tmp_path, {"a": ["one"], "b": ["one"]}, dev="one.dev")
    assert corpus.counts == {"one": {"read": 600, "duplicate": 300, "kept": 300}}
    assert {name: len(pairs) for name, pairs in corpus.groups.items()} == {"a": 300, "b": 0}


def test_the_limits_of_cleaning_come_from_the_settings(tmp_path):
    write(tmp_path, **{"one": [("una frase lunga", "a long phrase"), *ONE], "one.dev": [("altra", "other")]})
    corpus, _ = assembled(tmp_path, {"a": ["one"]}, dev="one.dev", clean={"max_words": 2})
    assert corpus.counts == {"one": {"read": 301, "too long": 1, "kept": 300}}


def test_what_is_missing_is_named(tmp_path):
    write(tmp_path, one=ONE)
    with pytest.raises(ConfigError, match="has no dev file"):
        assembled(tmp_path, {"a": ["one"]}, dev="one.dev")
    with pytest.raises(ConfigError, match="matches 'two'"):
        assembled(tmp_path, {"a": ["two"]}, dev="", hold_out_per_mille=100)
    with pytest.raises(ConfigError, match=r"nothing is left .* 300 dev pairs, groups a 0"):
        assembled(tmp_path, {"a": ["one"]}, dev="", hold_out_per_mille=1000)


def test_listed_pairs_are_left_out_and_counted_where_the_settings_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr(noisy, "LIST", tmp_path / "noisy.npy")
    write(tmp_path, **{"one": ONE, "one.dev": [("altra", "other")]})
    assembled(tmp_path, {"a": ["one"]}, dev="one.dev")
    with pytest.raises(ConfigError, match=r"noisy\.npy: there is no list"):
        assembled(tmp_path, {"a": ["one"]}, dev="one.dev", drop_noisy=True)
    listed = [noisy.pair_fingerprint(("Frase 7!", "PHRASE 7")), noisy.pair_fingerprint(OTHER[8])]
    noisy.write_list(noisy.LIST, listed)
    corpus, shown = assembled(tmp_path, {"a": ["one"]}, dev="one.dev", drop_noisy=True)
    assert corpus.counts == {"one": {"read": 300, "noisy": 1, "kept": 299}}, "spelling does not matter, both sides do"
    assert corpus.groups["a"] == ONE[:7] + ONE[8:]
    assert "noisy" in shown
