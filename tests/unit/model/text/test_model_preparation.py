"""Texts before they are tokenised: what cannot be seen goes, what is too long is cut at a good place."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.text.preparation import clean, nothing_to_translate, split_long


def test_cleaning_keeps_what_is_written_and_drops_what_cannot_be_seen() -> None:
    assert clean("  perche\u0301\tè \r\n cosi\u0300\u00a0") == "perché è così"
    assert clean("ab\u00adcd\x00\u200bef\ufeff\u202e") == "abcdef"
    assert clean("\ud83d\ude00 x\ud800y") == "😀 x\ufffdy"
    assert clean("👩\u200d👧") == "👩\u200d👧"  # the joiner is part of the picture
    assert clean("a\u2028b\x1cc\x85d") == "a b c d"


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet=st.characters(codec=None, categories=None), max_size=40))
def test_any_string_cleans_to_one_line_that_can_be_encoded(text: str) -> None:
    result = clean(text)
    result.encode("utf-8")
    assert result == clean(result) == unicodedata.normalize("NFC", result)
    assert len(result.splitlines()) <= 1
    assert result == result.strip() and "  " not in result


@pytest.mark.parametrize(
    ("text", "nothing"),
    [("12 gatti", False), ("a", False), ("B2", False), ("1.000 €", True), ("www.example.org", True), ("@", True)],
)
def test_letters_outside_of_links_are_what_makes_a_text_translatable(text: str, nothing: bool) -> None:
    assert nothing_to_translate(text) == nothing


def count_words(texts: list[str]) -> list[int]:
    return [len(text.split()) for text in texts]


@settings(max_examples=150, deadline=None)
@given(
    words=st.lists(st.sampled_from(["a", "b,", "c.", "d;", "(e", "f)", "–", "g"]), min_size=1, max_size=80),
    limit=st.integers(1, 20),
)
def test_splitting_loses_nothing_and_keeps_every_part_within_the_limit(words: list[str], limit: int) -> None:
    text = " ".join(words)
    parts = split_long(text, count_words, limit)
    assert " ".join(parts) == text
    assert max(count_words(parts)) <= limit


def test_long_texts_are_cut_at_the_best_boundary_there_is() -> None:
    sentences = "Io sono qui. Tu sei là, lui è via; noi no."
    assert split_long(sentences, count_words, 7) == ["Io sono qui.", "Tu sei là, lui è via;", "noi no."]
    assert split_long("a b c, d e f, g h", count_words, 4) == ["a b c,", "d e f,", "g h"]
    assert split_long("a b c d e f", count_words, 4) == ["a b c d", "e f"]
    assert [len(part.split()) for part in split_long(" ".join("x" * 41), count_words, 40)] == [23, 18]  # not 40 and 1
