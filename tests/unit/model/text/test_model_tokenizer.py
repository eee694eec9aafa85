"""Both vocabularies: what goes in comes out, reserved pieces stay where later features expect them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import TokenizerError
from model.text.tokenizer import (
    CONTROL_PIECES,
    EOS,
    FIRST_FREE_ID,
    PLACEHOLDERS,
    RESERVED_PIECES,
    UNK,
    SubwordTokenizer,
    WordTokenizer,
    load_tokenizer,
    normalise_2018,
)  # fmt: skip
from training.data.subwords import train_subwords

SENTENCES = [
    "Il traghetto parte alle otto.", "La nave è già in porto.", "Non ho più tempo da perdere!",
    "Perché non vieni con noi?",
    "Ho comprato due biglietti per l'isola.", "Domani pioverà su tutta la costa.", "Quanti anni hai?",
    "Che bella città!",
    "Nel 2018 c'erano 35 navi, 46 barche e 79 marinai.",
]  # fmt: skip


@pytest.fixture(scope="module")
def subwords() -> SubwordTokenizer:
    return train_subwords(SENTENCES * 3, 345)


def test_there_are_32_reserved_pieces_right_after_the_special_ones(subwords):
    assert len(RESERVED_PIECES) == 32
    assert subwords.pieces(range(4, FIRST_FREE_ID)) == list(RESERVED_PIECES)


@settings(max_examples=200, deadline=None)
@given(text=st.text(alphabet=st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"))))
def test_byte_fallback_leaves_no_unknown_words(text):
    tokenizer = train_subwords_once()
    ids = tokenizer.encode(text)
    assert UNK not in ids
    again = tokenizer.decode(ids)
    assert tokenizer.decode(tokenizer.encode(again)) == again  # normalised once, stable for good


_CACHE: list[SubwordTokenizer] = []


def train_subwords_once() -> SubwordTokenizer:
    if not _CACHE:
        _CACHE.append(train_subwords(SENTENCES * 3, 345))
    return _CACHE[0]


def test_case_and_accents_survive(subwords):
    text = "PERCHÉ no? È già qui, l'8 maggio."
    assert subwords.decode(subwords.encode(text)) == text


def test_digits_are_single_pieces(subwords):
    assert [piece for piece in subwords.pieces(subwords.encode("2018")) if piece != "▁"] == ["2", "0", "1", "8"]


def test_placeholders_are_one_piece_and_control_pieces_are_never_read(subwords):
    assert PLACEHOLDERS[3] in subwords.pieces(subwords.encode(f"Ciao {PLACEHOLDERS[3]}!"))
    ids = subwords.encode(" ".join(CONTROL_PIECES) + " </s>")
    assert not {id for id in ids if id <= EOS or 4 <= id < 4 + len(CONTROL_PIECES)}


def test_sampling_gives_other_segmentations_of_the_same_text(subwords):
    text = "Il traghetto parte alle otto."
    sampled = {tuple(subwords.encode(text, sample=0.1)) for _ in range(30)}
    assert len(sampled) > 1
    assert {subwords.decode(ids) for ids in sampled} == {text}


def test_saved_and_loaded_both_ways(subwords, tmp_path):
    words = WordTokenizer.train(SENTENCES)
    for tokenizer in (subwords, words):
        path = tmp_path / f"source{tokenizer.suffix}"
        tokenizer.save(path)
        assert load_tokenizer(path).encode("La nave è in porto.") == tokenizer.encode("La nave è in porto.")


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.model", b"junk"), ("a.json", b"{}"), ("a.json", b'{"normaliser": "x", "words": []}'), ("a.txt", b"")],
)
def test_damaged_and_foreign_files_are_refused(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TokenizerError):
        load_tokenizer(path)


def test_too_many_pieces_for_the_text_is_a_clear_error():
    with pytest.raises(TokenizerError, match="5000"):
        train_subwords(SENTENCES, 5000)


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("Lei è bella.", "lei e bella ."),
        ("Perché no?!", "perche no ? !"),
        ("L'8 maggio...", "l maggio . . ."),
        ("  ", ""),
    ],
)
def test_the_2018_normaliser(text, normalised):
    assert normalise_2018(text) == normalised


def test_words_not_seen_in_training_are_unknown():
    words = WordTokenizer.train(["la nave è qui .", "la nave parte ."])
    assert words.encode("La zattera parte.")[1] == UNK
    assert words.decode(words.encode("La nave parte.")) == "la nave parte ."
