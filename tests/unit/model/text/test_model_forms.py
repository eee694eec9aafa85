"""Case and marks are taken off, put back as they were, and only where the network is surer so."""

import pytest
from translations import said

from model.text.forms import Form, plain_form, surer
from model.translation import Translation


def form(text: str) -> Form:
    found = plain_form(text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "plain", "written", "wanted"),
    [
        ("Farina", "farina", "flour", "Flour"),
        ("Farina.", "farina", "flour", "Flour."),
        ("FARINA!!!", "farina", "flour", "FLOUR!!!"),
        ("farina?", "farina", "flour", "flour?"),
        ("«Casa»", "casa", "house", "«House»"),
        ("Buonasera!", "buonasera", "good evening", "Good evening!"),
        ("Dov'è?", "dov'è", "where is it", "Where is it?"),
        ("La Stazione Dei Treni È Chiusa", "La stazione dei treni è chiusa", "The station is closed",
         "The Station Is Closed"),
        ("How to Change Your Password", "How to change your password", "Come cambiare la password",
         "Come Cambiare la Password"),
        ("How To Change A Password", "How to change a password", "come cambiare la password",
         "Come Cambiare La Password"),
        ("IL GATTO DORME.", "Il gatto dorme.", "The cat sleeps.", "THE CAT SLEEPS."),
        ("APRI <ph0> ORA", "Apri <ph0> ora", "Open <ph0> now", "OPEN <PH0> NOW"),
    ],
)  # fmt: skip
def test_what_the_network_reads_and_what_comes_back(text: str, plain: str, written: str, wanted: str) -> None:
    found = form(text)
    assert found.plain == plain
    back = found.put_on(said(written))
    assert back.text == wanted
    assert [word.text for word in back.words] == wanted.split()


@pytest.mark.parametrize(
    "text",
    [
        "farina",
        "farina bianca",
        "Un gatto dorme.",
        "Stefano Rossi Verdi",
        "iPhone",
        "<ph0>",
        "",
        "!?",
        "Roma 2",
        "McDonald",
        "Pagine 10 e 12",
        "Nato il 3/11",
        "Da 5 a 10",
    ],
)
def test_other_texts_are_read_as_they_are(text: str) -> None:
    assert plain_form(text) is None


def test_the_form_of_which_the_network_is_surer_counts() -> None:
    rosa = form("Rosa")
    assert surer(rosa, said("Rosa", -0.2), said("pink", -0.5)).text == "Rosa"
    assert surer(rosa, said("Ros", -0.9), said("pink", -0.5)).text == "Pink"
    assert surer(rosa, said("Rosa", -0.45), said("pink", -0.5)).text == "Pink", (
        "the plain form may be a little less sure"
    )


def test_a_text_in_capitals_is_read_once() -> None:
    assert form("IL GATTO DORME").sure
    assert not form("GATTO").sure, "it may be an abbreviation"


def test_alternatives_have_case_and_marks_too() -> None:
    both = Translation("flour", -0.5, said("flour").words, (said("meal"),))
    assert [one.text for one in form("FARINA.").put_on(both).alternatives] == ["MEAL."]
