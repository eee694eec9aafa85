"""Texts as people write them: what is kept, what is right, and rows that say nothing."""

from pathlib import Path

import pytest

from model.errors import ConfigError
from model.translation import Translation
from training.config import DIRECTIONS
from training.scoring.sets import SETS
from training.scoring.texts import TextItem, check_texts, read_texts

ROWS = (
    "# kind, source, kept, answers\n"
    "placeholder\tApri {a} e {a}.\t{a} ¦ {a}\t\n"
    "word\tFARINA\t\tFLOUR ¦ MEAL\n"
    "list\t- uno\\n\\t- due\t\t/^- \\\\w+\\n\\t- \\\\w+$/\n"
)


@pytest.fixture
def items(tmp_path: Path) -> list[TextItem]:
    path = tmp_path / "texts.tsv"
    path.write_text(ROWS, encoding="utf-8")
    return read_texts(path)


def said(text: str, *warnings: str) -> Translation:
    return Translation(text, -0.5, warnings=warnings)


def test_what_is_kept_and_right_is_counted_by_kind(items: list[TextItem]) -> None:
    assert items[2].source == "- uno\n\t- due"
    report = check_texts(items, [said("Open {a} and {a}."), said("FLOUR"), said("- one\n\t- two")])
    assert (report.total.items, report.total.right, report.total.lost, report.failures) == (3, 3, 0, ())
    report = check_texts(items, [said("Open {a}.", "span"), said("Flour"), said("- one - two")])
    assert (report.total.right, report.total.lost, report.total.unsaid) == (0, 1, 0)
    assert [failure.lost for failure in report.failures] == [True, False, False]
    assert check_texts(items[:1], [said("Open {a} and {a} and {a}.")]).total.unsaid == 1


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("word\tciao\t\t", "anything is right"),
        ("word\tciao\t{x}\t", "not 1 times"),
        ("word\tciao {x}\t{x} ¦ {x}\t", "not 2 times"),
        ("word\tciao\t\t/(/", "not a regular expression"),
        ("\tciao\t\thi", "no kind"),
        ("word\tciao\thi", "3 columns"),
    ],
)
def test_a_row_that_says_nothing_is_refused(row: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "texts.tsv"
    path.write_text(row + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=says):
        read_texts(path)


@pytest.mark.parametrize("pair", DIRECTIONS)
def test_our_own_sets_are_whole_and_have_all_kinds(pair: str) -> None:
    items = read_texts(SETS / pair / "texts.tsv")
    assert len(items) >= 300
    assert len({item.source for item in items}) == len(items)
    assert len({item.kind for item in items}) >= 20
