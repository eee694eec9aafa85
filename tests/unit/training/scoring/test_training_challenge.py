"""The challenge set and the everyday words: who passes, and what a broken row says."""

import re

import pytest

from model.errors import ConfigError
from training.scoring.challenge import FORMS, Item, check, read_challenge, read_words
from training.scoring.sets import SETS


def item(answers=(), must=None, must_not=None, phenomenon="numbers"):
    compiled = [re.compile(one, re.IGNORECASE) if one else None for one in (must, must_not)]
    return Item(phenomenon, "Costa 1.250 euro.", tuple(answers), *compiled)


@pytest.mark.parametrize("said", ["It costs 1250 euros.", "it costs  1250 euros", "It costs 1250 EUROS!"])
def test_an_answer_passes_whatever_its_case_and_punctuation(said):
    assert item(["It is 1250.", "It costs 1250 euros."]).passes(said)


def test_without_an_expression_only_an_answer_passes():
    assert not item(["It costs 1250 euros."]).passes("It costs 1250 euros now.")


@pytest.mark.parametrize(
    ("said", "passes"),
    [
        ("That is 1,250 EUROS.", True),
        ("That is 1250 euros.", True),
        ("That is 1.250 euros.", False),
        ("That is 1,250 euros, not 1.250.", False),
        ("", False),
    ],
)
def test_what_must_be_there_and_what_must_not(said, passes):
    assert item(must=r"\b1,?250\b.*euros", must_not=r"1\.250").passes(said) is passes


def test_an_answer_passes_even_if_it_holds_what_must_not_be_there():
    assert item(["No, 1.250."], must="x", must_not=r"1\.250").passes("no 1.250")


def test_expressions_see_straight_apostrophes_single_spaces_and_nfkc():
    assert item(must=r"don't know").passes("I don’t  know.")
    assert item(must="1/2|½|1⁄2").passes("½ kilo")
    assert item(must="^ffi$").passes("ﬃ")


def test_items_are_counted_by_phenomenon_in_the_order_of_the_file():
    items = [item(must="a", phenomenon=name) for name in ("times", "names", "times")]
    report = check(items, ["a", "b", "c"])
    assert report.phenomena == {"times": (1, 2), "names": (0, 1)}
    assert report.total == (1, 3)
    assert [(failure.phenomenon, failure.translation) for failure in report.failures] == [
        ("names", "b"),
        ("times", "c"),
    ]
    assert report.to_dict()["phenomena"]["times"] == {"passed": 1, "items": 2}


def test_rows_are_read_with_empty_columns(tmp_path):
    path = tmp_path / "challenge.tsv"
    path.write_text(
        "# phenomenon\tsource\nnumbers\tSono 3.\tThey are 3. | There are 3.\t\t\n\ntimes\tOra.\t\tnow\tnever\n"
    )
    first, second = read_challenge(path)
    assert (first.answers, first.must, first.must_not) == (("They are 3.", "There are 3."), None, None)
    assert second.answers == ()
    assert second.passes("NOW")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("numbers\tSono 3.\tThey are 3.", "line 2: 3 columns in place of 5"),
        ("numbers\tSono 3.\tThey are 3.\t(\t", "line 2: '(' is not a regular expression"),
        ("numbers\tSono 3.\t\t\tnever", "line 2: neither answers nor"),
        ("\tSono 3.\tThey are 3.\t\t", "line 2: no phenomenon"),
    ],
)
def test_a_broken_row_is_named(row, problem, tmp_path):
    path = tmp_path / "challenge.tsv"
    path.write_text(f"# phenomenon\n{row}\n")
    with pytest.raises(ConfigError, match=re.escape(f"{path}, {problem}")):
        read_challenge(path)


def test_each_word_is_asked_in_every_form(tmp_path):
    path = tmp_path / "words.tsv"
    path.write_text("# word\tanswers\nètto\thundred grams | 100 g\npane\tbread\n")
    items = read_words(path)
    assert [item.source for item in items] == ["ètto", "Ètto", "ÈTTO", "ètto.", "pane", "Pane", "PANE", "pane."]
    report = check(items, ["100 G", "Bread.", "x", "", "bread", "bread", "BREAD", "loaf."])
    assert report.phenomena == dict(zip(FORMS, [(2, 2), (1, 2), (1, 2), (0, 2)], strict=True))


@pytest.mark.parametrize(
    ("row", "problem"),
    [("pane", "1 columns in place of 2"), ("\tbread", "no phenomenon or no source"), ("pane\t", "neither answers nor")],
)
def test_a_broken_word_is_named(row, problem, tmp_path):
    path = tmp_path / "words.tsv"
    path.write_text(f"# word\n{row}\n")
    with pytest.raises(ConfigError, match=re.escape(f"{path}, line 2: {problem}")):
        read_words(path)


def test_our_own_words_are_a_hundred_in_each_direction():
    for pair in ("it-en", "en-it"):
        items = read_words(SETS / pair / "words.tsv")
        assert len(items) == len(FORMS) * 100
        assert len({item.source for item in items}) == len(items), "no word twice, in whatever form"
