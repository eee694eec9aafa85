"""What is seen to be wrong with a translation beside its source, and what is not wrong though it looks so."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.text.faults import is_looping, is_skipping, lost_numbers, wrong_numbers
from model.text.numerals import in_digits, unmatched


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
        ("Parte alle 15:30.", "It leaves at 3:30 p.m.", 0),
        ("Parte alle 12.00.", "It leaves at noon.", 0),
        ("Costa 12 milioni.", "It costs 12,000,000.", 0),
        ("Ha 35 anni.", "He is thirty-five.", 0),
        ("On the 21st floor.", "Al ventunesimo piano.", 0),
        ("In the 19th century.", "Nel XIX secolo.", 0),
        ("Il 12.05.2020", "12/05/2020", 0),
        ("Ha 35 anni.", "He is thirty-six.", 1),
        ("Vedi <ph0> e 12", "See 12", 0),
        ("Vedi 0 e <ph0>", "See <ph0>", 1),
    ],
)
def test_numbers_of_the_source_must_be_there(source: str, target: str, lost: int) -> None:
    assert lost_numbers(source, target) == lost


@pytest.mark.parametrize(
    ("source", "target", "wrong"),
    [
        ("Uno sconto del venti per cento.", "A 10% discount.", 1),
        ("Uno sconto del venti per cento.", "A 20% discount.", 0),
        ("Ci sono 200 grammi.", "There are 200 grams of 200 programs.", 1),
        ("Nel XX secolo.", "In the 20th century.", 0),
        ("Alle tre e mezza.", "At 3:30.", 0),
        ("Ho 3 gatti.", "I have 4 cats.", 2),
        ("Il gatto dorme.", "The cat sleeps.", 0),
    ],
)
def test_an_invented_number_is_as_wrong_as_a_lost_one(source: str, target: str, wrong: int) -> None:
    assert wrong_numbers(source, target) == wrong


def test_many_numbers_take_no_time_that_grows_with_their_square() -> None:
    """Compared one by one, ten thousand numbers with as many others are a hundred million comparisons."""
    ours, others = (in_digits(" ".join(map(str, range(start, start + 10_000)))) for start in (0, 10_000))
    began = time.process_time()
    assert unmatched(ours, others) == ours
    assert unmatched(ours, ours[::-1]) == []
    assert time.process_time() - began < 5


@pytest.mark.parametrize("text", ["Il DDT è vietato.", "DD e MMDC", "CDX LLM CCXM", "IIX"])
def test_capitals_that_look_like_roman_numbers_and_are_none_are_no_numbers(text: str) -> None:
    assert wrong_numbers(text, "No number here.") == 0


@settings(max_examples=300, deadline=None)
@given(*[st.one_of(st.text(st.characters(exclude_categories=())), st.from_regex(r"[IVXLCDM0-9.,:% -]{0,12}"))] * 2)
def test_any_two_texts_can_be_compared(source: str, target: str) -> None:
    """What fails here fails a sentence in the server."""
    assert wrong_numbers(source, target) >= 0
    assert is_looping(source, target) in (True, False)
