"""Which lines are one passage, what at their beginning is kept, and how a passage is wrapped again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.text.lines import Split, passages, wrapped_as

PIECES = st.sampled_from(
    ["\n", "\r\n", "\t", "  ", " ", "- ", "a) ", "2.1 ", "IV. ", "Poi", "il", "casa", "fine.", "uno,", "\u2028", "è?"]
)
WRAPPED = [
    "Il museo resta chiuso il\nlunedì e nei giorni\nfestivi.",
    "Vado a\nRoma domani",
    "Non so cosa\ndirti.",
    "I left my keys on the\nkitchen table again.",
    "Quando torni,\nchiamami!",
]
APART = [
    ("latte\npane\nuova fresche", ["latte", "pane", "uova fresche"]),
    ("Elenco:\nuno\ndue.", ["Elenco:", "uno\ndue."]),
    ("Prima frase.\nseconda frase.", ["Prima frase.", "seconda frase."]),
    ("Titolo\n\nè tardi.", ["Titolo", "è tardi."]),
    ("Oggi piove\nDomani no.", ["Oggi piove", "Domani no."]),
    ("nome\tcittà\nAnna\tRoma.", ["nome", "città", "Anna", "Roma."]),
]
MARKED = [
    ("- uno\n  • due", ["- ", "  • "]),
    ("a) la domanda", ["a) "]),
    ("[x] fatto\n- [ ] da fare", ["[x] ", "- [ ] "]),
    ("I. Premessa\n2.1 Costi\n(3) fine\n## Note\n— Chi è?", ["I. ", "2.1 ", "(3) ", "## ", "— "]),
    ("A. Manzoni scrive.\n-5 gradi\n3 amici\n1990. Fine", []),
]


def texts(text: str, split: Split = "auto") -> list[str]:
    return [passage.text for passage in passages(text, split) if not passage.kept and passage.text.strip()]


@given(st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join)), st.sampled_from(["auto", "lines", "none"]))
def test_nothing_is_lost(text: str, split: Split) -> None:
    assert "".join(passage.text for passage in passages(text, split)) == text


@pytest.mark.parametrize("text", WRAPPED)
def test_a_passage_that_is_wrapped_is_one(text: str) -> None:
    assert texts(text) == [text]
    assert texts(text, "lines") == text.split("\n")


@pytest.mark.parametrize(("text", "expected"), APART)
def test_other_lines_stay_apart(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


@pytest.mark.parametrize(("text", "marks"), MARKED)
def test_marks_of_lists_are_kept(text: str, marks: list[str]) -> None:
    assert [passage.text for passage in passages(text) if passage.kept] == marks


def test_a_text_that_is_not_to_be_split_is_one() -> None:
    assert texts("Uno.\n- Due.\tTre.", "none") == ["Uno.\n- Due.\tTre."]


@pytest.mark.parametrize(
    ("source", "translation", "wanted"),
    [
        ("uno due\ntre quattro", "one two three four", "one two\nthree four"),
        ("Il museo resta chiuso il\n  lunedì e nei giorni \r\nfestivi.",
         "The museum is closed on Mondays and on holidays.",
         "The museum is closed\n  on Mondays and on \r\nholidays."),
        ("uno\ndue\ntre", "one", "one"),
        ("uno due", "one two", "one two"),
        ("uno\n\ndue", "one two", "one two"),
        ("uno\ndue", "one\ntwo", "one\ntwo"),
    ],
)  # fmt: skip
def test_a_translation_is_wrapped_as_its_source(source: str, translation: str, wanted: str) -> None:
    assert wrapped_as(source, translation) == wanted


@given(
    st.lists(st.sampled_from(["uno", "due", "tre"]), min_size=1).map("\n".join), st.lists(st.sampled_from(["a", "bcd"]))
)
def test_wrapping_changes_white_space_only(source: str, words: list[str]) -> None:
    wrapped = wrapped_as(source, " ".join(words))
    assert wrapped.split() == words
    assert wrapped.count("\n") == min(source.count("\n"), max(0, len(words) - 1))


@pytest.mark.parametrize("piece", ["\n", "a\n", "il\n", "- ", "\t", " ", "il \n ", "2.", "I", "casa "])
@pytest.mark.timeout(60)
def test_no_text_takes_long(piece: str) -> None:
    text = piece * (300_000 // len(piece))
    assert sum(len(passage.text) for passage in passages(text)) == len(text)
    wrapped_as(text, "parola " * 10_000)
