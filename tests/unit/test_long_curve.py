"""The picture of the long run: slices behind each other, and the table that is committed."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from scripts.long_curve import DIRECTIONS, SETS, TABLE, draw, slices

ROWS = """pair\tslice\ttokens\ttatoeba.dev\tgeneral.dev\tkept
it-en\tfirst\t2\t60.0\t18.0\t
it-en\tfirst\t5\t61.0\t18.5\tyes
it-en\tfirst\t6\t60.5\t18.4\t
en-it\tfirst\t4\t50.0\t13.0\tyes
it-en\tlost\t3\t60.9\t18.3\t
it-en\tthird\t1\t61.2\t18.6\tyes
"""


def test_a_slice_begins_where_the_one_before_was_kept(tmp_path: Path) -> None:
    table = tmp_path / "run.tsv"
    table.write_text(ROWS, encoding="utf-8")
    first, lost, third = slices(table, "it-en")
    assert (first.tokens, first.kept) == ([2, 5, 6], 1)
    assert (lost.began, lost.tokens, lost.kept) == (5, [8], None)
    assert (third.began, third.tokens, third.scores["general.dev"]) == (5, [6], [18.6])
    assert [one.tokens for one in slices(table, "en-it")] == [[4]]


@pytest.mark.parametrize("pair", DIRECTIONS)
def test_the_table_is_in_order(pair: str) -> None:
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["pair"] == pair]
    assert {row["kept"] for row in rows} == {"", "yes"}
    kept = [row["slice"] for row in rows if row["kept"]]
    assert len(kept) == len(set(kept)), "a slice keeps one point"
    assert kept[-1] == rows[-1]["slice"], "what ships is the end"
    for one in slices(TABLE, pair):
        assert one.tokens == sorted(set(one.tokens))
        assert all(0 < score < 100 for name in SETS for score in one.scores[name])


def test_it_can_be_drawn(tmp_path: Path) -> None:
    draw(TABLE, tmp_path / "run.png")
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")
