"""Short forms and lost apostrophes: which words, and that nothing else changes."""

import random

import pytest

from training.data.chat import as_in_chats


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Why don't you come? I'm here.", "Why dont u come? Im here."),
        ("That’s what they’ve said, isn’t it?", "Thats what theyve said, isnt it?"),
        ("Perché non vieni? Comunque sono qui.", "Xke nn vieni? Cmq sn qui."),
        ("YOU CAN'T GO", "U CANT GO"),
        ("You are late.", "U r late."),
    ],
)
def test_words_become_what_people_thumb(text, expected):
    assert as_in_chats(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "We're ill, we'll call.", "L'ho vista un'ora fa.", "Carla's car", "youth, peoples, aboutness, cheque", "",
        "https://you.com/about", "thanks@people.it", "non-fiction", "see www.about.it",
    ],
)  # fmt: skip
def test_what_would_be_read_as_another_word_parts_of_words_and_addresses_stay(text):
    assert as_in_chats(text) == text


def test_a_word_that_ends_a_sentence_is_one():
    assert as_in_chats("It's about you. Thanks: people") == "Its abt u. Thx: ppl"


def test_what_the_translation_has_too_stays():
    assert as_in_chats("Che non è Che Guevara", spared={"Che", "Guevara"}) == "Che nn è Che Guevara"


def test_a_draw_leaves_half_of_them_and_takes_each_form():
    rng = random.Random(1)
    drawn = [as_in_chats("perché", rng) for _ in range(2000)]
    assert set(drawn) == {"perché", "xke", "xké", "xche", "perke"}
    assert 900 < drawn.count("perché") < 1100


def test_the_same_random_state_gives_the_same_text():
    text = "Perché non dici che non puoi? Don't you know what people are about?"
    assert as_in_chats(text, random.Random(3)) == as_in_chats(text, random.Random(3))
