"""Pairs of tags and marks in plain text become signs and come back; what is no pair stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from translations import said, with_hashes

from model.markup.inline import with_signs, without_signs

ATOMS = [
    "<b>",
    "</b>",
    "<0>",
    "</0>",
    "<br/>",
    "**",
    "*",
    "_",
    "__",
    "~~",
    "[",
    "](a.b)",
    "](",
    "casa",
    "nome_x",
    " ",
    "`a*b`",
    ".",
]


def seen(sentence: str) -> str | None:
    """The sentence with a `#` for each sign."""
    found = with_signs(sentence)
    return None if found is None else with_hashes(found[0])


@pytest.mark.parametrize(
    ("sentence", "wanted"),
    [
        ("Leggi <b>qui</b>.", "Leggi #qui#."),
        ("<0>Sì</0> o <1>no <2>mai</2></1>", "#Sì# o #no #mai##"),
        ("**Nota:** vedi [qui](a.md) e ~~basta~~", "#Nota:# vedi #qui# e #basta#"),
        ("Un *primo* e **secondo**", "Un #primo# e #secondo#"),
        ("<a href='x*y*z'>uno</a> *due*", "#uno# #due#"),
        ("Vedi [qui](<b>x</b>) ora", "Vedi [qui](#x#) ora"),
    ],
)
def test_pairs_become_signs(sentence: str, wanted: str) -> None:
    assert seen(sentence) == wanted


@pytest.mark.parametrize(
    "sentence",
    ["Leggi <b>qui", "qui</b>", "2 * 3 * 4", "nome_utente e __init__ e _x_", "`a *b* c`", "[nota] (qui)", "<x/>", "**",
     "* uno *", "https://a.example/_b_/c", "f**k e s**t"],
)  # fmt: skip
def test_what_is_no_pair_stays(sentence: str) -> None:
    assert with_signs(sentence) is None


@given(st.lists(st.sampled_from(ATOMS), max_size=25).map("".join))
def test_signs_stand_for_what_was_there(sentence: str) -> None:
    found = with_signs(sentence)
    if found is not None:
        text, meant = found
        assert without_signs(said(text), meant).text == sentence
        assert len(set(text) & {chr(0xF0000 + number) for number in range(len(meant))}) == len(meant)


@pytest.mark.parametrize(
    "piece", ["<b>", "</b>", "<b>a</b>", "**a", "*a* ", "[a](", "[", "*a* {b} ", "*a* `b` ", "[a](b) "]
)
@pytest.mark.timeout(60)
def test_no_text_takes_long(piece: str) -> None:
    with_signs(piece * (100_000 // len(piece)))
