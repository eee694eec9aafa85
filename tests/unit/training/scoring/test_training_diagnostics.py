"""Slips: what counts as one, and above all what does not."""

import pytest

from training.scoring.diagnostics import (
    copied_words,
    diagnose,
    invented_words,
    is_length_outlier,
    is_untranslated,
    numbers_differ,
    repeats_trigram,
    words_of,
)

SAME_NUMBERS = [
    ("Costa 1.250,50 euro.", "It costs 1,250.50 euros."),
    ("Costa 1.250,50 euro.", "It costs 1250.50 euros."),
    ("Ne ho 1.250.000.", "I have 1,250,000 of them."),
    ("Pesa 2,4 chili.", "It weighs 2.40 kilos."),
    ("Parte alle 15.30.", "It leaves at 15:30."),
    ("Parte alle 15.30.", "It leaves at 3:30 p.m."),
    ("Parte alle 15:30.", "It leaves at 3.30 pm."),
    ("Finisce alle 22.", "It ends at 10 p.m."),
    ("Apre alle 9:00.", "It opens at 9 a.m."),
    ("Apre alle 8:00.", "It opens at eight."),
    ("Il 1º maggio.", "On the 1st of May."),
    ("Il 21° giorno.", "The 21st day."),
    ("Il 3° piano.", "The third floor."),
    ("Ho 3 gatti.", "I have three cats."),
    ("Conta fino a 40.", "He counts up to forty."),
    ("Dammi 1 minuto.", "Give me a minute."),
    ("Pesa 65 chili.", "It weighs sixty-five kilos."),
    ("La giacca costa trecento dollari.", "The jacket costs $300."),
    ("Le gemelle hanno diciott'anni.", "The twins are 18."),
    ("Il faro ha ventitré gradini.", "The lighthouse has 23 steps."),
    ("Il molo è del millenovecentosessanta.", "The pier is of 1960."),
    ("Il molo è del 1960.", "The pier is of nineteen sixty."),
    ("Salpa alle sette e mezza.", "It sails at 7:30."),
    ("Salpa alle 19:30.", "It sails at half past seven."),
    ("Ha tre gatti.", "He has 3 cats."),
    ("Gli anni '80.", "The 1980s."),
    ("Gli anni '80.", "The 80s."),
    ("Vale 5 milioni.", "It is worth 5,000,000."),
    ("Vale 5 milioni.", "It is worth five million."),
    ("Circa 30mila persone.", "About 30,000 people."),
    ("È salito del 4%.", "It rose by 4 percent."),
    ("Nato il 03/04/1990.", "Born on 3/4/1990."),
    ("Versione 2.6.0.", "Version 2.6.0."),
    ("Il 12.3.1999.", "On 12 March 1999, the 3rd."),
    ("2 + 2 fa 4.", "2 + 2 is 4."),
]
OTHER_NUMBERS = [
    ("Costa 1.250,50 euro.", "It costs 1,205.50 euros."),
    ("Pesa 2,4 chili.", "It weighs 24 kilos."),
    ("Pesa 2,4 chili.", "It weighs 2 kilos."),
    ("Parte alle 15.30.", "It leaves at 15:20."),
    ("Parte alle 15:30.", "It leaves at 4:30 p.m."),
    ("Finisce alle 22.", "It ends at 10 a.m."),
    ("Ho 3 gatti.", "I have cats."),
    ("Ho 3 gatti.", "I have four cats."),
    ("Ho 3 gatti.", "I have 3 cats and 5 dogs."),
    ("2 + 2 fa 4.", "2 is 4."),
    ("Costa 70 euro.", "It costs 70 euros, 70 euros."),
    ("Nel 1987.", "In 1978."),
    ("Vale 5 milioni.", "It is worth 5,000."),
    ("Gli anni '80.", "The 1970s."),
    ("Pesa 65 chili.", "It weighs sixty kilos."),
    ("La giacca costa duecento dollari.", "The jacket costs $300."),
    ("Salpa alle 7:30.", "It sails at half past eight."),
]


@pytest.mark.parametrize(("italian", "english"), SAME_NUMBERS)
def test_the_same_number_may_be_written_otherwise(italian, english):
    assert not numbers_differ(italian, english, italian, "it-en")
    assert not numbers_differ(english, italian, english, "en-it")


@pytest.mark.parametrize(("italian", "english"), OTHER_NUMBERS)
def test_another_number_is_found_in_both_directions(italian, english):
    """The reference has the numbers of the source, so that it excuses nothing."""
    assert numbers_differ(italian, english, italian, "it-en")
    assert numbers_differ(english, italian, english, "en-it")


def test_what_the_reference_changes_the_translation_may_change_too():
    source, reference = "L'albero è alto 18,3 metri.", "The mast is 60 feet tall."
    assert not numbers_differ(source, "The mast is 60 feet tall.", reference, "it-en")
    assert not numbers_differ(source, "The mast is tall.", reference, "it-en")
    assert numbers_differ(source, "The mast is 70 feet tall.", reference, "it-en")
    assert numbers_differ("Ha 39 di febbre.", "It has 39, I have 39.", "She has a temperature of 39.", "it-en")


@pytest.mark.parametrize(
    "text", ["9" * 5000, "1" + ".000" * 2000, "٣", "1,2,3", "12:34:56", "'", "3.", "0,0", "00:00", "²"]
)
def test_odd_digits_are_borne(text):
    assert not numbers_differ(text, text, text, "it-en")


def test_a_loop_is_a_repeated_trigram_and_what_the_source_or_reference_repeats_is_none():
    once, loop = "I go to the sea.", "I go to the sea, to the sea, to the sea."
    assert repeats_trigram("Vado al mare.", loop, once)
    assert repeats_trigram("No.", "No no no no.", "No.")
    assert not repeats_trigram("Vado al mare.", once, "I'm off to the sea.")
    assert not repeats_trigram("Vado al mare, al mare, al mare, al mare.", loop, once)
    assert not repeats_trigram("Vado al mare.", loop, loop)


def test_length_counts_from_a_difference_of_four_words():
    reference = "one two three four five six"
    assert is_length_outlier("one two", reference)
    assert not is_length_outlier("one two three", reference), "exactly half"
    assert is_length_outlier(" ".join([reference] * 3), reference)
    assert not is_length_outlier("OK.", "All right then, yes.")
    assert is_length_outlier("", "All right, then: yes.")


def test_only_what_should_have_been_translated_is_an_untranslated_copy():
    assert is_untranslated("Vado al mare.", "vado al mare", "I go to the sea.")
    assert not is_untranslated("Vado al mare.", "I go to the sea.", "I go to the sea.")
    assert not is_untranslated("Ciao!", "Ciao!", "Hello!"), "one word"
    assert not is_untranslated("Tom Jones.", "Tom Jones.", "Tom Jones!")


def test_slips_are_counted_per_thousand_lines_and_numbers_per_thousand_lines_with_digits():
    sources = ["Ho 3 gatti.", "Ho 4 gatti.", "Vado al mare.", "Bene.", "Male."]
    outputs = ["I have 3 cats.", "I have 5 cats.", "Vado al mare.", "Good.", "Bad."]
    references = ["I have 3 cats.", "I have 4 cats.", "I go to the sea.", "Good.", "Bad."]
    found = diagnose(sources, outputs, references, "it-en")
    assert (found.untranslated, found.repeated_trigrams, found.length_outliers) == (200, 0, 0)
    assert (found.number_mismatches, found.lines_with_digits) == (500, 2)


def test_without_digits_there_is_no_rate_of_numbers():
    assert diagnose(["Bene."], ["3 good."], ["Good."], "it-en").number_mismatches is None


def test_a_word_is_copied_where_the_reference_translates_it():
    source, reference = "La barca di Marta entra nel porto.", "Marta's boat enters the harbour."
    assert copied_words(source, "The barca of Marta enters the porto.", reference) == ["barca", "porto"]
    assert copied_words(source, reference, reference) == []
    assert copied_words("Non so se sia vero.", "Se vero sia.", "I don't know.") == ["vero"], "short ones tell nothing"


def test_a_word_is_invented_where_nobody_has_it():
    known = words_of(["The sailor sells boats.", "Il marinaio vende barche."])
    source, reference = "Ciao, Marta!", "Hello, Marta!"
    assert invented_words(source, "Cioto, Marta!", reference, known) == ["cioto"]
    assert invented_words(source, "Hello Marta, sells BARCHE ciao 3.", reference, known) == []


def test_words_are_counted_per_thousand_lines_and_invented_ones_only_where_the_words_are_known():
    lines = ["La barca.", "Ciao!"], ["The barca barca.", "Cioto blipo!"], ["The boat.", "Hello!"]
    found = diagnose(*lines, "it-en")
    assert (found.copied_words, found.invented_words) == (1000, None)
    assert diagnose(*lines, "it-en", known={"the"}).invented_words == 1000
