"""The translations of clauses, put together as one sentence."""

import pytest

from model.text.parts import Cutter, Part
from model.text.tokenizer import WordTokenizer
from model.translation import Scored, Translation, Word

TARGET = WordTokenizer.train(["where we were the end . , \u00e8 May"])


def scored(text: str) -> Scored:
    return Scored(Translation(text, -0.5, tuple(Word(word, 0.9, (0,)) for word in text.split()), tokens=3))


def assembled(*parts: tuple[str, str]) -> str:
    cutter = Cutter(TARGET, TARGET, 64)
    pieces = [Part(source, [1], []) for source, _ in parts]
    result = cutter.assemble(pieces, [[scored(text)] for _, text in parts])
    assert result.text == " ".join(word.text for word in result.words)
    return result.text


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("dove eravamo.", "Where we were.", "where we were."),
        ("dove eravamo,", "Where we were.", "where we were,"),
        ("dove eravamo", "Where we were.", "where we were"),
        ("dove eravamo?", "Where we were?", "where we were?"),
        ("Dove eravamo.", "Where we were.", "Where we were."),
        ("marted\u00ec eravamo.", "Tuesday we were.", "Tuesday we were."),
        ("io ero.", "I was.", "I was."),
        ("diceva Where eravamo.", "Where we were.", "Where we were."),
    ],
)
def test_a_clause_loses_what_only_a_sentence_has(source, text, expected):
    assert assembled(("Prima,", "Before,"), (source, text)) == f"Before, {expected}"


def test_one_part_alone_is_left_as_it_is():
    assert assembled(("dove eravamo,", "Where we were.")) == "Where we were."
