"""The final mark, quotes, dashes and the case of the first letter are those of the source."""

import pytest
from translations import said

from model.text.marks import with_marks_of
from model.translation import Translation

SMALL = {"and", "well", "yes", "thank", "see", "what"}


def marked(source: str, written: str) -> Translation:
    return with_marks_of(source, said(written), lambda word: word in SMALL)


@pytest.mark.parametrize(
    ("source", "written", "wanted"),
    [
        ("Ci vediamo domani", "See you tomorrow.", "See you tomorrow"),
        ("dove sei", "Where are you?", "Where are you"),
        ("Come hai detto???", "What did you say??", "What did you say???"),
        ("Bravo!!!", "Well done.", "Well done!!!"),
        ("Forse…", "Maybe...", "Maybe…"),
        ("Gentile signora Conti,", "Dear Mrs Conti,", "Dear Mrs Conti,"),
        ("Sei nato negli Stati Uniti?", "Were you born in the U.S.", "Were you born in the U.S.?"),
        ("Cordiali saluti,", "Best regards", "Best regards,"),
        ("Carrello:", "Basket.", "Basket:"),
        ("uno", "one,", "one"),
        ("Alle 5 di mattina", "At 5 a.m.", "At 5 a.m."),
        ("Vieni?", "Are you coming?", "Are you coming?"),
        ("(Forse)", "(Maybe.)", "(Maybe.)"),
        ("Sì.", ".", "."),
        ("Sì", "", ""),
    ],
)
def test_the_final_mark_is_that_of_the_source(source: str, written: str, wanted: str) -> None:
    assert marked(source, written).text == wanted


@pytest.mark.parametrize(
    ("source", "written", "wanted"),
    [
        ("«Vieni qui», disse.", '"Come here," he said.', "«Come here,» he said."),
        ("“Vieni” e “vai”", '"Come" and «go»', "“Come” and “go”"),
        ('Disse "no" e "sì"', "He said “no” and yes", "He said “no” and yes"),
        ("— Dove vai? — chiese.", "- Where are you going? – he asked.", "— Where are you going? — he asked."),
        (
            "Disse: «Non torno».",
            "He said: “I will not return.",
            "He said: «I will not return».",
        ),
        ("«Non torno.»", "I will not return.", "«I will not return.»"),
        ("«Aiuto», disse", "Help,” he said", "«Help,» he said"),
        ("Dove vai - chiese", "Where are you going—he asked", "Where are you going—he asked"),
        ('Lo schermo da 5"', "The 5-inch screen", "The 5-inch screen"),
        ("bello—troppo", "nice—too much", "nice—too much"),
        ("una buona idea", "a well-known idea", "a well-known idea"),
    ],
)
def test_quotes_and_dashes_are_of_the_kind_of_the_source(source: str, written: str, wanted: str) -> None:
    found = marked(source, written)
    assert found.text == wanted
    assert [word.text for word in found.words] == wanted.split()


@pytest.mark.parametrize(
    ("source", "written", "wanted"),
    [
        ("e allora?", "And then?", "and then?"),
        ("grazie", "Thank you", "thank you"),
        ("lunedì vengo", "Monday I am coming", "Monday I am coming"),
        ("vengo io", "I come", "I come"),
        ("Stasera pizza", "pizza tonight", "Pizza tonight"),
        ("«Bene, andiamo»", "«well, let us go»", "«Well, let us go»"),
        ("Usa iPhone", "iPhone is used", "iPhone is used"),
        ("<ph0> vede", "See <ph0>", "See <ph0>"),
        ("Vede <ph0>", "<ph0> sees", "<ph0> sees"),
        ("sì", "YES", "YES"),
    ],
)
def test_the_first_letter_is_as_in_the_source(source: str, written: str, wanted: str) -> None:
    assert marked(source, written).text == wanted


def test_alternatives_have_marks_too() -> None:
    both = Translation("And then?", -0.5, said("And then?").words, (said("Well."),))
    assert [one.text for one in with_marks_of("e allora?", both, SMALL.__contains__).alternatives] == ["well?"]
