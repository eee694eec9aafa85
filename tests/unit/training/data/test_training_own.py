"""The tables that come with the program: sound, unlike what we test on, and read beside those of a data folder."""

from __future__ import annotations

import io
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from training.config import TrainingConfig
from training.data.assemble import Corpus, assemble, matches
from training.data.own import own_tables
from training.data.pairs import normalise_key, read_pairs
from training.data.sources import describe
from training.scoring.sets import own_sentences

ROOT = Path(__file__).parents[4]
IN_A_ROW = 6
Row = tuple[str, int, tuple[str, str]]
"""Table, number of the line, pair."""


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return [(name, at, pair) for name, path in own_tables().items() for at, pair in enumerate(read_pairs(path), 1)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = "".join(f"Il gatto {number} dorme.\tCat {number} sleeps.\n" for number in range(40))
    (tmp_path / "cats.tsv").write_text(rows, encoding="utf-8")
    return tmp_path


def in_a_row(key: str) -> set[tuple[str, ...]]:
    words = key.split()
    return {tuple(words[start : start + IN_A_ROW]) for start in range(len(words) - IN_A_ROW + 1)}


def assembled(folder: Path, groups: dict[str, list[str]]) -> Corpus:
    phase = {"until": 1, "shares": dict.fromkeys(groups, 1.0)}
    settings = {
        "pair": "it-en", "version": "x", "phases": [phase], "loop": {"max_steps": 1},
        "data": {"groups": groups, "dev": "", "hold_out_per_mille": 100},
    }  # fmt: skip
    return assemble(TrainingConfig.from_dict(settings), folder, Console(file=io.StringIO()))


def test_each_line_has_two_clean_sides(rows):
    assert len(rows) > 1000
    for name, number, pair in rows:
        for side in pair:
            fault = not side or side != side.strip() or "  " in side or side != unicodedata.normalize("NFC", side)
            assert not fault, f"{name}, line {number}: {side!r}"


@pytest.mark.parametrize("name", own_tables())
def test_cards_can_say_whose_they_are(name):
    assert describe(name, own_tables()[name])["from"] == "written for this project"


def test_no_pair_comes_twice(rows):
    found = Counter((normalise_key(italian), normalise_key(english)) for _, _, (italian, english) in rows)
    assert not [pair for pair, count in found.items() if count > 1]


def test_no_line_is_one_that_we_test_on_or_shares_six_words_in_a_row_with_it(rows):
    page = (ROOT / "docs/results/ordinary.md").read_text(encoding="utf-8")
    inputs = {normalise_key(row.split("|")[2]) for row in page.splitlines() if row.count("|") > 3}
    tested = own_sentences() | inputs
    assert len(tested) > 2000
    known = set().union(*map(in_a_row, tested))
    for name, number, pair in rows:
        for key in map(normalise_key, pair):
            assert key not in tested, f"{name}, line {number}: a sentence of our sets"
            assert not in_a_row(key) & known, f"{name}, line {number}: {IN_A_ROW} words in a row as in our sets"


def test_settings_name_them_and_a_pattern_for_the_data_folder_does_not_mean_them(data, rows):
    named = assembled(data, {"cats": ["*"], "ordinary": ["ordinary/*"]})
    assert len(named.groups["cats"]) < 40
    assert len(named.groups["ordinary"]) > 0.7 * len(rows)
    assert set(own_tables()) <= set(named.sources)
    assert set(assembled(data, {"all": ["*"]}).sources) == {"cats"}


@pytest.mark.parametrize(("name", "pattern", "is_one"), [
    ("ordinary/news", "ordinary/*", True), ("ordinary/news", "*", False), ("ordinary/news", "news", False),
    ("cats", "*", True), ("cats", "ordinary/*", False),
])  # fmt: skip
def test_a_star_stays_in_the_folder(name, pattern, is_one):
    assert matches(name, pattern) is is_one


def test_the_sentences_of_our_sets_are_sources_and_all_answers(tmp_path):
    (tmp_path / "it-en").mkdir()
    (tmp_path / "it-en/challenge.tsv").write_text("names\tDov'è Pia?\tWhere is Pia? | Where's Pia?\tPia\t\n")
    assert {"dov è pia", "where is pia", "where s pia"} <= own_sentences(tmp_path)
