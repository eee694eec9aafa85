"""All of it together: nothing when off, repeatable, alike in both directions, fast on any text."""

import random
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import ConfigError
from training.config import TrainingConfig
from training.data.augment.augmenter import Augmenter
from training.data.augment.config import PROBABILITIES, AugmentConfig
from training.data.pairs import read_pairs

BASE = Path(__file__).parents[5] / "training/configs/base.toml"
ALL = AugmentConfig(**dict.fromkeys(PROBABILITIES, 0.5))
GROUP = [
    ("Tom ha 30 dollari a Boston.", "Tom has 30 dollars in Boston."),
    ("Alle 7:30 Mary dorme da tre ore.", "At 7:30 Mary has slept for three hours."),
    ("casa", "home"),
    ("gatto", "cat"),
    ("L'8 maggio 1990 a Roma", "On May 8th, 1990, in Rome"),
    ("", ""),
    ("Ciao!", "Hi!"),
]
TEXT = st.text(st.characters(codec="utf-8"), max_size=60)
DIGITS = re.compile(r"\d+")


def run(config, pair="it-en", group=GROUP, seed=1, times=50):
    augment, rng = Augmenter(config, pair), random.Random(seed)
    return [augment(text, group, rng) for _ in range(times) for text in group]


def test_nothing_changes_and_nothing_is_drawn_when_all_is_off():
    rng = random.Random(1)
    state = rng.getstate()
    augment = Augmenter(AugmentConfig(), "it-en")
    assert all(augment(text, GROUP, rng) == text for text in GROUP)
    assert rng.getstate() == state


def test_the_same_random_state_gives_the_same_pairs():
    assert run(ALL) == run(ALL)
    assert run(ALL) != run(ALL, seed=2)


def test_both_directions_are_augmented_alike():
    turned = [pair[::-1] for pair in GROUP]
    assert [pair[::-1] for pair in run(ALL, "en-it", turned)] == run(ALL)


@pytest.mark.parametrize(
    "name", sorted(set(PROBABILITIES) - {"invented", "surnames", "minutes", "dotted_times", "days", "large"})
)
def test_each_probability_does_something_by_itself(name):
    changed = [
        result for result, text in zip(run(AugmentConfig(**{name: 1.0})), GROUP * 50, strict=True) if result != text
    ]
    assert changed
    rare = [
        result for result, text in zip(run(AugmentConfig(**{name: 0.1})), GROUP * 50, strict=True) if result != text
    ]
    assert len(rare) < len(changed) / 2


def test_several_changes_meet_in_one_pair():
    results = [italian for italian, _ in run(ALL, times=300)]
    assert any(
        "Tom" not in text and "Boston" not in text and re.search("[$€£]", text) and "? " not in text for text in results
    )


@given(TEXT, TEXT, st.integers(0, 1000))
def test_any_text_is_survived(italian, english, seed):
    augment = Augmenter(ALL, "it-en")
    ours, theirs = augment((italian, english), [("casa", "home"), (english, italian)], random.Random(seed))
    assert bool(ours) >= bool(italian)
    assert bool(theirs) >= bool(english)


UNITS = (
    "a", "A", "1", "Tom ", "Tom", "a1", "1.", "1,000", "12:30 ", "Two ", "a hundred s", "$1 ", "è", "l'", " ", "-",
)  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_time_grows_with_the_length_only(unit):
    augment = Augmenter(AugmentConfig(**dict.fromkeys(PROBABILITIES, 1.0)), "it-en")
    text = unit * (40_000 // len(unit))
    began = time.process_time()
    augment((text, text), GROUP, random.Random(1))
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize(
    ("settings", "times"),
    [
        ({}, [1, 1, 1]),
        ({"short_repeats": [6, 4]}, [1, 1, 1]),
        ({"short_repeats": [6, 4], "short_groups": ["a"]}, [6, 4, 1]),
    ],
)
def test_short_pairs_of_the_named_groups_come_more_often_by_their_longer_side(settings, times):
    augment = Augmenter(AugmentConfig(**settings), "it-en")
    pairs = [("Ciao!", "Hello!"), ("Ciao!", "Good morning!"), ("Come va oggi?", "Well?")]
    assert [augment.repeats("a", pair) for pair in pairs] == times


@pytest.mark.parametrize(
    "wrong", [{"names": 1.5}, {"name": 0.1}, {"form_words": 0}, {"short_repeats": [0]}, {"short_repeats": [101]}]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ConfigError):
        AugmentConfig.from_dict(wrong)


@pytest.mark.corpus
@pytest.mark.parametrize("table", ["tatoeba.train", "debian_website_news"])
def test_pairs_of_the_corpus_keep_equal_digits(corpus_dir, table):
    pairs = [pair for pair in read_pairs(corpus_dir / f"{table}.tsv.gz") if _equal_digits(pair)]
    rng = random.Random(1)
    with_digits = [pair for pair in pairs if DIGITS.search(pair[0])]
    config = TrainingConfig.read(BASE).augment
    augment = Augmenter(config, "it-en")
    for pair in rng.sample(pairs, 1000) + rng.sample(with_digits, 700):
        assert _equal_digits(augment(pair, pairs, rng)), pair


@pytest.mark.corpus
def test_names_of_the_corpus_stand_equally_often_on_both_sides(corpus_dir):
    pairs = [pair for pair in read_pairs(corpus_dir / "tatoeba.train.tsv.gz") if "Tom" in pair[0] and "Tom" in pair[1]]
    rng = random.Random(1)
    augment = Augmenter(AugmentConfig(names=1.0), "it-en")
    for pair in rng.sample(pairs, 1000):
        italian, english = (re.findall(r"[^\W\d_]+", side) for side in augment(pair, pairs, rng))
        for word in {*italian} - {*re.findall(r"[^\W\d_]+", pair[0])} - {"a", "e", "ad", "ed", "A", "E", "Ad", "Ed"}:
            assert italian.count(word) == english.count(word) > 0, pair


def _equal_digits(pair):
    return sorted(DIGITS.findall(pair[0])) == sorted(DIGITS.findall(pair[1]))
