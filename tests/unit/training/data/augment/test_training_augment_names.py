"""Other names: the same on both sides, of the same gender, and nothing else changed."""

import random
import re

import pytest

from training.data.augment.lists import people
from training.data.augment.names import rename, sources
from training.data.augment.places import move

SEEDS = range(300)


def renamed(pair, invented=0.25, surnames=0.0):
    return [rename(pair, random.Random(seed), invented, surnames) for seed in SEEDS]


def test_a_name_becomes_the_same_other_one_wherever_it_stands():
    frame = ("(.+) dice che l'amico di (.+) non c'è.", "(.+) says that (.+)'s friend is out.")
    new = set()
    for italian, english in renamed(("Tom dice che l'amico di Tom non c'è.", "Tom says that Tom's friend is out.")):
        found = [*re.fullmatch(frame[0], italian).groups(), *re.fullmatch(frame[1], english).groups()]
        assert len(set(found)) == 1
        new.add(found[0])
    assert len(new) > 150


@pytest.mark.parametrize(("name", "kind"), [("Tom", "male"), ("Mary", "female"), ("Jackson", "surname")])
def test_the_new_name_is_of_the_same_kind(name, kind):
    for italian, english in renamed((f"{name} dorme.", f"{name} sleeps."), invented=0.0):
        assert italian.removesuffix(" dorme.") == english.removesuffix(" sleeps.")
        assert italian.removesuffix(" dorme.").removeprefix("ad ") in people()[kind]


def test_invented_names_are_in_no_list():
    known = {name for names in people().values() for name in names}
    new = [italian.removesuffix(" dorme.") for italian, _ in renamed(("Tom dorme.", "Tom sleeps."), invented=1.0)]
    assert sum(name in known for name in new) < 15
    assert all(re.fullmatch("[A-Z][a-z]+", name) for name in new)


def test_two_people_do_not_become_one_and_may_change_places():
    for italian, english in renamed(("Tom vede Mary.", "Tom sees Mary.")):
        first, second = re.fullmatch(r"(\w+) vede (\w+)\.", italian).groups()
        assert english == f"{first} sees {second}."
        assert first != second


def test_some_first_names_get_a_surname_unless_they_have_one():
    assert all(
        re.fullmatch(r"\S+ [^.]+ dorme\.", italian)
        for italian, _ in renamed(("Tom dorme.", "Tom sleeps."), surnames=1.0)
    )
    for italian, english in renamed(("Tom Jackson dorme.", "Tom Jackson sleeps."), invented=1.0, surnames=1.0):
        assert re.fullmatch(r"\w+ \w+ dorme\.", italian)
        assert italian.removesuffix(" dorme.") == english.removesuffix(" sleeps.")


@pytest.mark.parametrize(
    "pair",
    [
        ("Lui dorme.", "Tom sleeps."),
        ("Tom dorme, Tom sogna.", "Tom sleeps and dreams."),
        ("Maria dorme.", "Mary sleeps."),
        ("tom dorme.", "tom sleeps."),
        ("I Tomasi dormono.", "The Tomasi sleep."),
        ("", ""),
        ("Tom", ""),
    ],
)
def test_names_that_do_not_stand_on_both_sides_stay(pair):
    assert set(renamed(pair)) == {pair}


def test_and_and_to_get_their_d():
    for italian, _ in renamed(("Tom e Mary parlano a Tom e a Mary.", "Tom and Mary talk to Tom and to Mary.")):
        for word, letter in re.findall(r"\b([aAe]d?) ([A-ZÀ-Ý])", italian):
            assert not (word.endswith("d") and letter not in "AEIOU")
            assert word.endswith("d") or word[0].upper() != letter


def test_names_that_may_be_something_else_are_no_source():
    assert sources()["Tom"] == "male"
    assert not {"Kelly", "Sofia", "Messina"} & set(sources())


def test_a_city_becomes_another_in_both_languages():
    new = {move(("Vivo a Roma.", "I live in Rome."), random.Random(seed)) for seed in SEEDS}
    assert ("Vivo a Parigi.", "I live in Paris.") in new
    assert any(italian.startswith("Vivo ad A") for italian, _ in new)
    assert not any(italian.startswith("Vivo a A") for italian, _ in new)
    assert len(new) > 80


@pytest.mark.parametrize(
    ("pair", "shapes"),
    [
        (("L'Australia è bella.", "Australia is nice."), (r"L'[AEIU][\w ]+ è bella\.", r"[\w ]+ is nice\.")),
        (("Vive in Francia.", "He lives in France."), (r"Vive in [B-DF-HJ-Z][\w ]+\.", r"He lives in [\w ]+\.")),
        (("Il Giappone è qui.", "Japan is here."), (r"Il [B-DF-HJ-Z][\w ]+ è qui\.", r"[\w ]+ is here\.")),
        (("È di Boston.", "He is a Boston boy."), (r"È di [\w' ]+\.", r"He is (a [^AEIO]|an [AEIO])[\w ]+ boy\.")),
    ],
)  # fmt: skip
def test_what_stands_before_a_place_still_fits(pair, shapes):
    for seed in SEEDS:
        for shape, text in zip(shapes, move(pair, random.Random(seed)), strict=True):
            assert re.fullmatch(shape, text)


@pytest.mark.parametrize(
    "pair",
    [
        ("Il Boston Globe è un giornale.", "The Boston Globe is a newspaper."),
        ("Che bello!", "Nice!"),
        ("Vivo in Germania.", "I live in Rome."),
        ("Sofia dorme.", "Sofia sleeps."),
    ],
)
def test_other_words_are_no_places(pair):
    assert {move(pair, random.Random(seed)) for seed in SEEDS} == {pair}
