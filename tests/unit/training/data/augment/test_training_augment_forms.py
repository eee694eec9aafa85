"""Forms of short phrases and joins: the same of both sides, and only of what they fit."""

import itertools
import random

import pytest

from training.data.augment.forms import drop_marks, entitle, is_unmarked, vary
from training.data.augment.joining import enlist, join

SEEDS = range(200)


def test_a_word_stands_in_every_form_alike_on_both_sides():
    forms = {vary(("casa mia", "my home"), random.Random(seed)) for seed in SEEDS}
    assert forms >= {
        ("Casa mia", "My home"), ("CASA MIA", "MY HOME"), ("Casa mia.", "My home."), ("Casa mia!", "My home!"),
        ("Casa mia?", "My home?"), ("casa mia.", "my home."),
    }  # fmt: skip
    assert all(italian[8:] == english[7:] for italian, english in forms)


def test_placeholders_are_not_written_in_capitals():
    pair = ("vedi <ph1>", "see <ph1>")
    assert all("<ph1>" in side for seed in SEEDS for side in vary(pair, random.Random(seed)))
    assert entitle(pair) == ("Vedi <ph1>", "See <ph1>")


@pytest.mark.parametrize(
    ("pair", "fits"),
    [
        (("casa", "home"), True),
        (("casa.", "home"), False),
        (('"Casa."', '"Home."'), False),
        (("uno due tre quattro", "one"), True),
        (("uno due tre quattro cinque", "one"), False),
        (("", "home"), False),
    ],
)
def test_what_is_a_phrase_without_a_mark(pair, fits):
    assert is_unmarked(pair, 4) is fits


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (("Vieni?", "Are you coming?"), ("Vieni?", "Are you coming?")),
        (("Dov'è Carla?", "Where is Carla?"), ("Dov'è Carla", "Where is Carla")),
        (("A che ora?", "At what time?"), ("A che ora", "At what time")),
        (("Comete in cielo?", "Comets in the sky?"), ("Comete in cielo?", "Comets in the sky?")),
        (("Vieni.", "Come."), ("Vieni", "Come")),
        (("Mah...", "Well..."), ("Mah", "Well")),
        (("Vieni!", "Come."), ("Vieni!", "Come.")),
        (("...", "..."), ("...", "...")),
        (("", ""), ("", "")),
    ],
)
def test_the_final_mark_is_dropped_where_both_have_it(pair, expected):
    assert drop_marks(pair) == expected


def test_titles_begin_every_word_but_not_what_follows_an_apostrophe():
    assert entitle(("un'ora d'amore è già lì", "don't stop an hour")) == (
        "Un'ora D'amore È Già Lì",
        "Don't Stop An Hour",
    )


WORDS = [("casa", "home"), ("gatto", "cat"), ("rosso, blu", "red, blue"), ("Vieni qui.", "Come here."), ("sole", "sun")]


def test_lists_join_words_in_the_same_order_and_nothing_else():
    meanings = dict(WORDS)
    lengths = set()
    for seed in SEEDS:
        rng = random.Random(seed)
        italian, english = enlist(("casa", "home"), rng, lambda: rng.choice(WORDS), 4)  # noqa: B023
        items = italian.replace(" e ", ", ").split(", ")
        assert english.replace(" and ", ", ").split(", ") == [meanings[item] for item in items]
        assert (" e " in italian) == (" and " in english)
        assert not {"Vieni qui.", "rosso"} & set(items)
        lengths.add(len(items))
    assert lengths == {2, 3, 4, 5}


def test_without_fitting_neighbours_a_pair_stays():
    assert enlist(WORDS[0], random.Random(1), lambda: WORDS[3], 4) == WORDS[0]
    assert enlist(WORDS[2], random.Random(1), lambda: WORDS[0], 4) == WORDS[2]
    assert join(WORDS[3], lambda: WORDS[0], 100) == WORDS[3]
    assert join(WORDS[0], lambda: WORDS[3], 100) == WORDS[0]


def test_a_sentence_gets_another_behind_it_within_the_limit():
    others = itertools.cycle([("x" * 60 + ".", "y."), ("Ciao!", "Hi!")])
    assert join(WORDS[3], lambda: next(others), 30) == ("Vieni qui. Ciao!", "Come here. Hi!")
    assert join(WORDS[3], lambda: ("x" * 60 + ".", "y."), 30) == WORDS[3]
