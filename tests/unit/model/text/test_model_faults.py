"""What is seen to be wrong with a translation beside its source, and what is not wrong though it looks so."""

from __future__ import annotations

import pytest

from model.text.faults import is_looping, is_skipping, lost_numbers


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("È una cantante famosa.", "She is a well singer singer."),
        ("Il vestito non mi sta bene.", "The dress, the dress is not well."),
        ("Queste osservazioni sono rivolte a lui.", "These are on the sen on the sen on the sen."),
        ("È importante per gli stati e per il mondo.", "For the whole world it is important for the whole world."),
        ("Molto, molto bello.", "Very, very, very beautiful."),
        ("No!", "NO no!"),
    ],
)
def test_a_loop_is_seen(source: str, target: str) -> None:
    assert is_looping(source, target)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("Molto, molto, molto bello.", "Very, very, very beautiful."),
        ("No, no e poi no!", "No, no, and again no!"),
        ("A poco a poco, a poco a poco.", "Little by little, little by little."),
        ("Vado a casa, tu vai a casa, lui va a casa.", "I go home, you go home, he goes home."),
        ("Uno dei due è uno dei tre.", "One of the two is one of the three."),
        ("Il gatto è nella casa della figlia.", "The cat is in the house of the daughter."),
        ("Ciao.", "Bye-bye."),
        ("Vado.", ""),
        ("", ""),
    ],
)
def test_what_the_source_repeats_may_be_repeated(source: str, target: str) -> None:
    assert not is_looping(source, target)


def test_a_word_that_was_never_attended_was_skipped() -> None:
    source = "La casa è molto bella."
    assert not is_skipping(source, (0.5, 1.0, 0.4, 0.9, 1.3))
    assert is_skipping(source, (0.5, 1.0, 0.4, 0.02, 1.3))
    assert is_skipping("Ne ho 125.", (0.5, 1.0, 0.02))


def test_articles_clitics_and_marks_need_not_be_attended() -> None:
    assert not is_skipping("Il gatto – lo so – è qui!", (0.0, 1.0, 0.0, 0.0, 0.5, 0.0, 0.0, 1.0))


def test_nothing_is_said_without_attention_for_each_word() -> None:
    assert not is_skipping("La casa", ())
    assert not is_skipping("La casa", (0.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("source", "target", "lost"),
    [
        ("Costa 1.250,50 euro.", "It costs 1,250.50 euros.", 0),
        ("Costa 1.250,50 euro.", "It costs 1,250.05 euros.", 1),
        ("Sono le 15:30.", "It's 15.30.", 0),
        ("Ha 3 gatti e 12 cani.", "He has three cats and Twelve dogs.", 0),
        ("Ha 3 gatti.", "Ha tre gatti.", 0),
        ("Ha 3 gatti e 3 cani.", "He has 3 cats and dogs.", 1),
        ("Dal 1990 al 2005", "From to", 2),
        ("Il 5º posto", "5th place", 0),
        ("Nessun numero", "There were 4 of them", 0),
    ],
)
def test_numbers_of_the_source_must_be_there(source: str, target: str, lost: int) -> None:
    assert lost_numbers(source, target) == lost
