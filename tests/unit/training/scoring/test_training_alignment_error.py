"""The alignment error rate: computed by hand, read from a table, and forced out of a model."""

import re

import pytest

from model.errors import ConfigError
from model.translation import Translation, Word
from model.translator import Translator
from training.scoring.alignment_error import AlignedPair, alignment_error, forced_links, read_aligned

SURE = frozenset({(0, 0), (1, 1)})
POSSIBLE = SURE | {(2, 1), (2, 2)}
PAIR = AlignedPair("il gatto dorme qui", "the cat sleeps here", SURE, POSSIBLE)


def test_the_rate_is_what_it_is_by_hand():
    """A = {0-0, 2-1, 3-3}: one sure, two possible (the sure one among them) of three; two sure ones wanted."""
    report = alignment_error([PAIR], [frozenset({(0, 0), (2, 1), (3, 3)})])
    assert report.error_rate == pytest.approx(1 - (1 + 2) / (3 + 2))
    assert report.precision == pytest.approx(2 / 3)
    assert report.recall == pytest.approx(1 / 2)


def test_sentences_are_summed_before_they_are_divided():
    wrong = AlignedPair("a b", "c d", frozenset({(0, 1)}), frozenset({(0, 1)}))
    report = alignment_error([PAIR, wrong], [SURE, frozenset({(0, 0)})])
    assert report.error_rate == pytest.approx(1 - (2 + 2) / (3 + 3))


def test_the_best_rate_is_0_and_the_worst_1():
    assert alignment_error([PAIR], [SURE]).error_rate == 0
    assert alignment_error([PAIR], [POSSIBLE]).error_rate == 0
    assert alignment_error([PAIR], [frozenset({(3, 0)})]).error_rate == 1


def test_sentences_that_cannot_be_compared_are_counted():
    report = alignment_error([PAIR, PAIR], [None, SURE])
    assert (report.sentences, report.left_out) == (1, 1)
    with pytest.raises(ConfigError, match="no sentence"):
        alignment_error([PAIR], [None])


def said(*words, split=False):
    return Translation(" ".join(words), 0.0, tuple(Word(word, 1.0, (3,)) for word in words), split=split)


def test_only_the_words_of_the_reference_count():
    links = forced_links(PAIR, said("the", "cat", "sleeps", "here.", "And", "snores."))
    assert links == {(3, 0), (3, 1), (3, 2), (3, 3)}


@pytest.mark.parametrize(
    "translation",
    [said("the", "cat"), said("the", "dog", "sleeps", "here"), said("the", "cat", "sleeps", "here", split=True)],
    ids=["too short", "other words", "cut"],
)
def test_other_words_than_those_of_the_reference_are_not_compared(translation):
    assert forced_links(PAIR, translation) is None


def test_a_model_is_made_to_say_the_reference(tiny_data_dir):
    translator = Translator.load(tiny_data_dir / "models" / "it-en" / "default", "cpu")
    source, target = "Il gatto dorme sul divano.", "The cat sleeps on the sofa."
    pair = AlignedPair(source, target, SURE, SURE)
    (forced,) = translator.translate([source], prefixes=[target])
    links = forced_links(pair, forced)
    assert sorted(target for _, target in links) == list(range(6)), "one link for each word of the reference"
    assert all(0 <= source < 5 for source, _ in links)


def write(tmp_path, row):
    path = tmp_path / "aligned.tsv"
    path.write_text(f"# Italian\tEnglish\tlinks\n{row}\n", encoding="utf-8")
    return path


def test_links_are_read_and_turned_round(tmp_path):
    path = write(tmp_path, "la gatta bianca\tthe white cat\t0-0 1-2 2-1 2?2")
    (pair,) = read_aligned(path, "it-en")
    assert (pair.source, pair.target) == ("la gatta bianca", "the white cat")
    assert pair.sure == {(0, 0), (1, 2), (2, 1)}
    assert pair.possible == pair.sure | {(2, 2)}
    (turned,) = read_aligned(path, "en-it")
    assert (turned.source, turned.target) == ("the white cat", "la gatta bianca")
    assert turned.sure == {(0, 0), (2, 1), (1, 2)}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("la gatta\tthe cat", "2 columns in place of 3"),
        ("la gatta\tthe cat\t0-0 1=1", "'1=1' is not a link"),
        ("la gatta\tthe cat\t0-0 2-1", "link 2-1 leads to a word that is not there"),
        ("la gatta\tthe cat\t0-0 1-2", "link 1-2 leads to a word that is not there"),
        ("la  gatta\tthe cat\t0-0", "single spaces"),
        ("la gatta\tthe cat\t0?0", "no sure link"),
    ],
)
def test_a_broken_row_is_named(row, problem, tmp_path):
    path = write(tmp_path, row)
    with pytest.raises(ConfigError, match=re.escape(f"{path}, line 2: ") + ".*" + re.escape(problem)):
        read_aligned(path, "it-en")
