"""The tables that come with the program: sound, unlike what we test on, and read beside those of a data folder."""

from __future__ import annotations

import io
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from model.errors import ConfigError
from model.text.plan import plan_text
from training.config import TrainingConfig
from training.data.assemble import Corpus, assemble, matches
from training.data.ordinary import ordinary_tables
from training.data.pairs import normalise_key, read_pairs
from training.data.sources import describe
from training.scoring.sets import SETS, WORDS, read_lines

ROOT = Path(__file__).parents[4]
IN_A_ROW = 6
SAID_BY_ALL = "ordinary/greetings"
"""What all people say, and so our sets too: kept back from training, the model would only get it wrong."""
Row = tuple[str, int, tuple[str, str]]
"""Table, number of the line, pair."""


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return [(name, at, pair) for name, path in ordinary_tables().items() for at, pair in enumerate(read_pairs(path), 1)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = "".join(f"Il gatto {number} dorme.\tCat {number} sleeps.\n" for number in range(40))
    (tmp_path / "cats.tsv").write_text(rows, encoding="utf-8")
    return tmp_path


def sentences_of_our_sets() -> set[str]:
    """The normalised sentences of our sets, sources and all answers, and the inputs of the page on ordinary text.

    Not the everyday words of `words.tsv`: every one of them is in some table, and a word alone is nothing to keep back.
    """
    tables = [path for path in SETS.glob("*/*.tsv") if path.stem != WORDS]
    cells = [cell for path in tables for line in read_lines(path) for cell in line.split("\t")]
    page = (ROOT / "docs/results/ordinary.md").read_text(encoding="utf-8")
    cells += [row.split("|")[2] for row in page.splitlines() if row.count("|") > 3]
    texts = [text for cell in cells for text in cell.split(" | ")]
    parts = (one for text in texts for side in ("it", "en") for one in (text, *plan_text(text, side).sentences))
    return set(map(normalise_key, parts)) - {""}


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


def test_cards_can_say_whose_they_are():
    for name, path in ordinary_tables().items():
        assert describe(name, path)["from"] == "written for this project"


def test_the_page_on_data_has_each_table_and_how_many_pairs_it_has(rows):
    found = re.findall(
        r"^\| `(\w+)`(?: \*)? \| ([\d,]+) \| [\d.]+ / ", (ROOT / "docs/data.md").read_text("utf-8"), re.M
    )
    told = {f"ordinary/{name}": int(count.replace(",", "")) for name, count in found}
    assert told == Counter(name for name, _, _ in rows)


def test_no_pair_comes_twice(rows):
    found = Counter((normalise_key(italian), normalise_key(english)) for _, _, (italian, english) in rows)
    assert not [pair for pair, count in found.items() if count > 1]


def test_no_line_is_one_that_we_test_on_or_shares_six_words_in_a_row_with_it(rows):
    tested = sentences_of_our_sets()
    assert len(tested) > 2000
    known = set().union(*map(in_a_row, tested))
    for name, number, pair in rows:
        for key in map(normalise_key, pair):
            is_kept_back = name != SAID_BY_ALL or len(key.split()) >= IN_A_ROW
            assert not is_kept_back or key not in tested, f"{name}, line {number}: a sentence of our sets"
            assert not in_a_row(key) & known, f"{name}, line {number}: {IN_A_ROW} words in a row as in our sets"


def test_settings_name_them_and_a_pattern_for_the_data_folder_does_not_mean_them(data, rows):
    named = assembled(data, {"cats": ["*"], "ordinary": ["ordinary/*"]})
    assert len(named.groups["cats"]) < 40
    assert len(named.groups["ordinary"]) > 0.7 * len(rows)
    assert set(ordinary_tables()) <= set(named.sources)
    assert set(assembled(data, {"all": ["*"]}).sources) == {"cats"}


def test_a_misspelt_one_is_not_looked_for_in_the_data_folder(data):
    with pytest.raises(ConfigError, match="no table of the program matches 'ordinary/lettres'"):
        assembled(data, {"all": ["*"], "ours": ["ordinary/lettres"]})


@pytest.mark.parametrize(("name", "pattern", "is_one"), [
    ("ordinary/news", "ordinary/*", True), ("ordinary/news", "*", False), ("ordinary/news", "news", False),
    ("cats", "*", True), ("cats", "ordinary/*", False),
])  # fmt: skip
def test_a_star_stays_in_the_folder(name, pattern, is_one):
    assert matches(name, pattern) is is_one
