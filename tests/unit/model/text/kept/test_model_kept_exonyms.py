"""Places that were copied get the name that the other language has for them."""

import pytest
from translations import said

from model.text.kept.exonyms import TABLES, with_exonyms


@pytest.mark.parametrize(
    ("source", "sentence", "written", "wanted"),
    [
        ("it", "Vive a Varsavia, in Polonia.", "He lives in Varsavia, in Poland.", "He lives in Warsaw, in Poland."),
        ("en", "Warsaw's museums", "I musei di Warsaw", "I musei di Varsavia"),
        ("en", "The Roma are a people.", "I Roma sono un popolo.", "I Roma sono un popolo."),
        ("it", "Il signor Parigino", "Mr Parigino", "Mr Parigino"),
        ("it", "roma", "roma", "roma"),
        ("en", "A book by Jack London.", "Un libro di Jack London.", "Un libro di Jack London."),
        ("en", "In Warsaw it rains.", "A Warsaw piove.", "A Varsavia piove."),
        ("it", "Il treno per Milano è in ritardo.", "Milano's train is late.", "Milan's train is late."),
        ("it", "Vado a Firenze.", "I'm going to Firenze.", "I'm going to Florence."),
        ("en", "Florence laughed.", "Florence rise.", "Florence rise."),
        ("it", "La Roma-Lido", "The Roma-Lido", "The Roma-Lido"),
    ],
)
def test_places_that_were_copied(source: str, sentence: str, written: str, wanted: str) -> None:
    found = with_exonyms(sentence, source, said(written))
    assert found.text == wanted
    assert [word.text for word in found.words] == wanted.split()


def test_the_table_has_each_name_once() -> None:
    rows = [line.split("\t") for table in TABLES for line in table.read_text(encoding="utf-8").splitlines()[1:]]
    assert len(rows) > 150
    assert all(row[2:] in ([], ["it"]) for row in rows)
    assert len({row[0] for row in rows}) == len(rows) == len({row[1] for row in rows})
