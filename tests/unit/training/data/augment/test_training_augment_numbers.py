"""Other digits: the same on both sides, and still what they were."""

import random
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.augment.amounts import enlarge, pay
from training.data.augment.dates import add_day, add_minutes, dot_times
from training.data.augment.numbers import renumber
from training.data.augment.spelt import in_digits

SEEDS = range(200)
DIGITS = re.compile(r"\d+")


def numbers(text):
    """Digits without separators, whatever their order."""
    return Counter(digits for number in re.findall(r"\d+(?:[.,:]\d+)*", text) for digits in [re.sub(r"\D", "", number)])


def drawn(change, pair):
    return [change(pair, random.Random(seed)) for seed in SEEDS]


@pytest.mark.parametrize(
    "pair",
    [
        ("Ho 5.000 mele e 1.250,50 euro.", "I have 5,000 apples and 1,250.50 euros."),
        ("Alle 7:30 del 24/3/2019 ho 12 anni.", "At 7:30 on 3/24/2019 I am 12 years old."),
        ("Il 23 maggio 1987 il 45%.", "45 % on May 23rd, 1987."),
        ("La versione 2.4.17 di 007", "Version 2.4.17 of 007"),
    ],
)
def test_both_sides_get_the_same_digits_and_as_many(pair):
    results = drawn(renumber, pair)
    assert len(set(results)) > 50
    for result in results:
        assert numbers(result[0]) == numbers(result[1])
        for before, after in zip(pair, result, strict=True):
            assert [len(part) for part in DIGITS.findall(before)] == [len(part) for part in DIGITS.findall(after)]
            assert re.sub(r"st\b|nd\b|rd\b|th\b|\d", "", before) == re.sub(r"st\b|nd\b|rd\b|th\b|\d", "", after)


@pytest.mark.parametrize(
    ("pair", "limits"),
    [
        (("Parto alle 7:30.", "I leave at 7:30."), [(2, 9), (2, 59)]),
        (("Parto alle 18:05.", "I leave at 18:05."), [(10, 23), (2, 59)]),
        (("Parto alle 10.", "I leave at 10."), [(10, 12)]),
        (("Nacque nel 1943.", "He was born in 1943."), [(1400, 2039)]),
        (("Il 30 marzo", "March 30"), [(10, 28)]),
        (("Dal 25/12", "From 12/25"), [(10, 28), (10, 12)]),
        (("3 gatti", "3 cats"), [(2, 9)]),
        (("1 gatto", "1 cat"), [(1, 1)]),
        (("il 100%", "100%"), [(100, 100)]),
    ],
)
def test_a_number_stays_what_it_is(pair, limits):
    for italian, _ in drawn(renumber, pair):
        for part, (low, high) in zip(DIGITS.findall(italian), limits, strict=True):
            assert low <= int(part) <= high


@pytest.mark.parametrize(
    "pair",
    [
        ("Gli 8 amici", "The 8 friends"),
        ("L'8 maggio", "On May 8"),
        ("negli anni '80", "in the '80s"),
        ("un MP3 in UTF-8", "an MP3 in UTF-8"),
        ("Ho 3 gatti.", "I have three cats."),
        ("Ho 3 gatti e 4 cani.", "I have 4 dogs."),
        ("9" * 5000, "9" * 5000),
        ("", ""),
    ],
)
def test_what_cannot_be_changed_alike_stays(pair):
    assert set(drawn(renumber, pair)) == {pair}


def test_articles_fit_the_new_number():
    for italian, english in drawn(renumber, ("Il 7 e i 15 e il 90", "The 7, the 15, and a 90")):
        assert not re.search(r"\b(?:Il|il|i) (?:8|11\b)", italian)
        assert not re.search(r"\ba (?:8|11\b|18\b)", english)


def test_english_ordinals_get_their_ending():
    found = {re.search(r"\d+\w\w", english)[0] for _, english in drawn(renumber, ("il 23 luglio", "on July 23rd"))}
    assert {"12th", "21st", "22nd", "24th"} <= found


def test_two_numbers_do_not_become_one():
    assert all(len(set(DIGITS.findall(italian))) == 2 for italian, _ in drawn(renumber, ("da 5 a 7", "from 5 to 7")))


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (("Ho tre gatti.", "I have three cats."), ("Ho 3 gatti.", "I have 3 cats.")),
        (("Venticinque o trenta?", "Twenty-five or thirty?"), ("25 o 30?", "25 or 30?")),
        (("Siamo in cento.", "We are a hundred people."), ("Siamo in 100.", "We are 100 people.")),
        (("Sei qui da due ore.", "You are here for two hours."), ("Sei qui da 2 ore.", "You are here for 2 hours.")),
        (("Sei in sei.", "You are six."), None),
        (("uno o due gatti", "one or two cats"), None),
        (("tutti e due", "the two of them"), None),
        (("Ho duemila euro.", "I have two thousand euros."), None),
        (("Un libro di due pagine", "A two-page book"), None),
        (("un gatto", "one cat"), None),
        (("", ""), None),
    ],
)  # fmt: skip
def test_numbers_in_words_become_digits_where_both_have_them(pair, expected):
    assert in_digits(pair) == (expected or pair)


def test_a_hundred_dollar_bill_keeps_its_article():
    pair = ("una banconota da cento dollari", "a hundred dollar bill")
    assert in_digits(pair) == pair


@pytest.mark.parametrize(
    "pair",
    [
        ("Costa 30 dollari.", "It costs 30 dollars."),
        ("Costa 1.500,00 euro.", "It costs 1,500.00 euros."),
        ("Costa 5$.", "It costs $5."),
    ],
)
def test_sums_stand_as_each_language_writes_them(pair):
    results = drawn(pay, pair)
    for italian, english in results:
        ours = re.fullmatch(r"Costa (\d{1,3}(?:\.\d{3})*(?:,\d\d)?) ([$€£])\.", italian)
        theirs = re.fullmatch(r"It costs ([$€£])(\d{1,3}(?:,\d{3})*(?:\.\d\d)?)\.", english)
        assert ours[2] == theirs[1]
        assert ours[1].translate({44: 46, 46: 44}) == theirs[2]
        assert theirs[2] != "1"
    assert {italian[-2] for italian, _ in results} == {"$", "€", "£"}


@pytest.mark.parametrize(
    "pair",
    [
        ("Pesa 30 libbre.", "It weighs 30 pounds."),
        ("Una banconota da 20 dollari", "A 20-dollar bill"),
        ("Ho 1 dollaro.", "I have 1 dollar."),
        ("Ho 5 dollari.", "I have 6 dollars."),
    ],
)
def test_what_is_no_sum_on_both_sides_stays(pair):
    assert set(drawn(pay, pair)) == {pair}


def test_counts_become_large_or_broken_numbers_in_each_language():
    results = drawn(enlarge, ("Ci sono 30 persone qui.", "There are 30 people here."))
    for italian, english in results:
        number = re.fullmatch(r"There are (\d{1,3}(?:,\d{3})+|\d{1,3}\.\d) people here\.", english)[1]
        assert italian == f"Ci sono {number.translate({44: 46, 46: 44})} persone qui."
    assert len(set(results)) > 150


@pytest.mark.parametrize(
    "pair",
    [
        ("Il 30 marzo piove.", "It rains on March 30."),
        ("Alle 7 arrivano.", "It arrives at 7 sharps."),
        ("I 30 amici", "The 30 friend"),
        ("Ho 20 anni.", "I am 20 years old."),
        ("3 milioni di persone", "3 millions of people"),
        ("1 gatto", "1 cats"),
        ("2 gatti e 3 cani", "3 dogs and 2 cats"),
    ],
)
def test_what_is_no_count_stays(pair):
    assert set(drawn(enlarge, pair)) == {pair}


def test_years_get_the_same_day():
    results = drawn(add_day, ("Nel 2013 piove.", "It rained in 2013."))
    for italian, english in results:
        ours = re.fullmatch(r"(Il |L')(\d+)\W(\d+|[a-z]+)\W2013 piove\.", italian)
        assert sorted(DIGITS.findall(italian)) == sorted(DIGITS.findall(english))
        assert (ours[1] == "L'") == (ours[2] in ("8", "11", "08"))
        assert english.startswith("It rained on ")
    assert any("24 marzo 2013" in italian or "March" in english for italian, english in results)
    for pair in [("Nel 2013, nel 2014", "In 2013, in 2014"), ("nel 2013", "in 2014"), ("nel 2013-14", "in 2013-14")]:
        assert set(drawn(add_day, pair)) == {pair}


def test_full_hours_get_the_same_minutes():
    for italian, english in drawn(add_minutes, ("Vengo alle 7 domani.", "I will come at 7 tomorrow.")):
        minutes = re.fullmatch(r"Vengo alle 7:([0-5]\d) domani\.", italian)[1]
        assert english == f"I will come at 7:{minutes} tomorrow."
    for pair in [("Do 7 mele alle 2 donne.", "I give 7 apples to 2 women."), ("alle 7 e mezza", "at 7")]:
        assert set(drawn(add_minutes, pair)) == {pair}


def test_italian_times_may_have_a_dot():
    assert dot_times("Alle 7:30, 1:1000 e 12:30:10") == "Alle 7.30, 1:1000 e 12.30:10"


@given(st.text("0123456789.,:/-'% lagiì$€", max_size=60), st.integers(0, 1000))
def test_whatever_the_digits_they_stay_alike(text, seed):
    for change in (renumber, pay, enlarge, add_day, add_minutes):
        italian, english = change((text, text), random.Random(seed))
        assert sorted(DIGITS.findall(italian)) == sorted(DIGITS.findall(english))
