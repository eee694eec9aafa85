"""Amounts, numbers and times come out as the other language writes them, where it is certain what they are."""

import pytest
from translations import said

from model.text.kept.amounts import amount_in_other_language, with_numbers_in_other_language


@pytest.mark.parametrize(
    ("english", "italian"),
    [
        ("€1,350.20", "1.350,20 €"),
        ("-£35.00", "-35,00 £"),
        ("£3m", "3 mln £"),
        ("£3.5bn", "3,5 mld £"),
        ("$1.2 million", "1,2 milioni di $"),
        ("€5 billion", "5 miliardi di €"),
        ("€1 billion", "1 miliardo di €"),
        ("€12.50/kg", "12,50 €/kg"),
        ("$12-15", "12-15 $"),
        ("EUR 45.00", "EUR 45,00"),
        ("1,350.20 EUR", "1.350,20 EUR"),
        ("-3.5 °C", "-3,5 °C"),
        ("2.5 kg", "2,5 kg"),
        ("30x40.5 cm", "30x40,5 cm"),
    ],
)
def test_both_ways(english: str, italian: str) -> None:
    assert amount_in_other_language(english, "en") == italian
    assert amount_in_other_language(italian, "it") == english


@pytest.mark.parametrize(
    ("time", "wanted"),
    [("3pm", "15:00"), ("12 am", "0:00"), ("12.30pm", "12:30"), ("7:45 p.m.", "19:45"), ("8:05 a.m", "8:05"),
     ("14 pm", "14 pm")],
)  # fmt: skip
def test_times_of_the_english_clock(time: str, wanted: str) -> None:
    assert amount_in_other_language(time, "en") == wanted
    assert amount_in_other_language(time, "it") == time


@pytest.mark.parametrize(
    ("italian", "english"), [("1º", "1st"), ("1°", "1st"), ("2ª", "2nd"), ("13º", "13th"), ("23º", "23rd")]
)
def test_ordinals(italian: str, english: str) -> None:
    assert amount_in_other_language(italian, "it") == english


@pytest.mark.parametrize(
    ("sentence", "source", "written", "wanted"),
    [
        ("The population is 58,997,201.", "en", "La popolazione è 58,997,201.", "La popolazione è 58.997.201."),
        ("It costs 1.2 million dollars.", "en", "Costa 1.2 milioni.", "Costa 1,2 milioni."),
        ("37.5% said no.", "en", "37.5% ha detto no.", "37,5% ha detto no."),
        ("Divide it by 0.5 now.", "en", "Dividilo per 0.5 ora.", "Dividilo per 0,5 ora."),
        ("See section 2.5 of it.", "en", "Vedi la sezione 2.5.", "Vedi la sezione 2.5."),
        ("Python 3.11 is out.", "en", "È uscito Python 3.11.", "È uscito Python 3.11."),
        ("Come at 7.30 please.", "en", "Vieni alle 7.30.", "Vieni alle 7.30."),
        ("Sono 1.234,56 in tutto.", "it", "They are 1.234,56 in all.", "They are 1,234.56 in all."),
        ("Sono 1.234,56 in tutto.", "it", "They are 1,234.56 in all.", "They are 1,234.56 in all."),
        ("It is on the 3rd floor.", "en", "È al piano 3rd.", "È al piano 3º."),
        ("The 3rd week", "en", "La 3rd settimana", "La 3ª settimana"),
        ("php 8.1 and 8.1 times", "en", "php 8.1 e 8.1 volte", "php 8.1 e 8.1 volte"),
        ("I use php 8.1 here", "en", "Uso php 8.1 qui", "Uso php 8.1 qui"),
        ("Il 12.05.2024 alle 9.30", "it", "On 12.05.2024 at 9.30", "On 12.05.2024 at 9:30"),
        ("Deadline: September 30", "en", "Scadenza: settembre 30", "Scadenza: 30 settembre"),
        ("Until April 9, 2024.", "en", "Fino ad aprile 9, 2024.", "Fino ad 9 aprile, 2024."),
        ("In April 2024 or May 3", "en", "Ad aprile 2024 o 3 maggio", "Ad aprile 2024 o 3 maggio"),
        ("Le 2.50 euro", "it", "2.50 euros", "2.50 euros"),
    ],
)
def test_numbers_that_were_copied(sentence: str, source: str, written: str, wanted: str) -> None:
    found = with_numbers_in_other_language(sentence, source, said(written))
    assert found.text == wanted
    assert [word.text for word in found.words] == wanted.split()
