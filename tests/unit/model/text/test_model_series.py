"""Words said again and again, and lists, keep their count."""

import pytest
from translations import said

from model.text.series import Listed, Repeated, series

LIST = "Servono: sale, pepe, olio, aglio, carote e latte, farina."


def found(text: str) -> Repeated | Listed | None:
    return series(text, lambda word: word != "i")


@pytest.mark.parametrize(
    ("text", "unit", "once", "wanted"),
    [
        ("no, no, no", "no", "no", "no, no, no"),
        ("Vai, vai, VAI!!", "vai", "go", "Go, go, GO!!"),
        ("No no no no no!", "no", "no", "No no no no no!"),
        ("Ti amo, ti amo.", "ti amo", "I love you", "I love you, I love you."),
        ("no no no no", "no", "no", "no no no no"),
        ("vai vai vai vai vai vai", "vai", "go", "go go go go go go"),
        ("presto, presto", "presto", "Soon.", "soon, soon"),
    ],
)
def test_what_is_repeated_comes_as_often(text: str, unit: str, once: str, wanted: str) -> None:
    repeated = found(text)
    assert repeated is not None
    assert repeated.reads(text) == [text, unit]
    back = repeated.chosen([said("altro"), said(once)])
    assert back.text == wanted
    assert [word.text for word in back.words] == wanted.split()
    assert {at for at, _ in back.alignment} == set(range(len(text.split())))


def test_a_translation_that_repeats_as_often_is_kept() -> None:
    repeated = found("no, no, no")
    assert repeated is not None
    assert repeated.chosen([said("nope, nope, nope"), said("no")]).text == "nope, nope, nope"


def test_noises_that_the_network_does_not_know_stay() -> None:
    noise = found("ha ha ha")
    assert noise is not None
    assert noise.chosen([said("haha"), said("rent", -1.8)]).text == "ha ha ha"
    words = found("accidenti, accidenti")
    assert words is not None
    assert words.chosen([said("damn it"), said("accents", -1.8)]).text == "damn it"


@pytest.mark.parametrize("text", ["piano piano", "no", "bene, male", "non lo so, non lo dico", "uno, due, tre", ""])
def test_other_texts_are_no_series(text: str) -> None:
    assert found(text) is None


def test_a_comma_before_the_last_item_is_no_item() -> None:
    listed = found("New York, Los Angeles, San Francisco, Chicago, Boston, and Miami.")
    assert listed is not None
    whole = said("New York, Los Angeles, San Francisco, Chicago, Boston e Miami.")
    assert listed.chosen([whole, *map(said, ["x"] * 6)]) is whole


def test_a_list_that_lost_items_is_translated_item_by_item() -> None:
    listed = found(LIST)
    assert listed is not None
    whole, *items = listed.reads(LIST)
    assert whole == LIST
    assert items == ["Servono: sale", "pepe", "olio", "aglio", "carote e latte", "farina"]
    apart = [said("You need: salt"), *map(said, ["Pepper.", "oil", "garlic", "carrots and milk", "flour"])]
    back = listed.chosen([said("You need salt, oil, flour."), *apart])
    assert back.text == "You need: salt, pepper, oil, garlic, carrots and milk, flour."
    assert [word.text for word in back.words] == back.text.split()
    complete = said("You need: salt, pepper, oil, garlic, carrots and milk, flour.")
    assert listed.chosen([complete, *apart]) is complete


@pytest.mark.parametrize("piece", ["no, ", "a ", "a, b, ", "aa", ", "])
@pytest.mark.timeout(60)
def test_no_text_takes_long(piece: str) -> None:
    found(piece * (100_000 // len(piece)) + "x")
