"""What the network does not see comes back exactly, in its place; what it loses is put back and said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.text.kept.guard import LOST, Guarded, guard, restore
from model.translation import Translation, Word

SPANS = [
    "{x}",
    "%1$s",
    "https://a.example/b",
    "io@a.example",
    "🎉",
    "#mare",
    "<b>",
    "</b>",
    "`ls -l`",
    "nota.txt",
    "Ctrl+P",
]
WORDS = ["casa", "Roma", "che", "«ecco»", "(forse)", "12", "però,", "fine."]


def translation(words: list[tuple[str, int]]) -> Translation:
    """Words, each with the source word that it renders."""
    return Translation(" ".join(text for text, _ in words), -0.5, tuple(Word(text, 0.5, (at,)) for text, at in words))


def unchanged(guarded: Guarded) -> list[Translation]:
    """What a network gives that repeats all it reads."""
    return [translation([(word, index) for index, word in enumerate(piece.text.split())]) for piece in guarded.pieces]


def guarded(sentence: str) -> Guarded:
    found = guard(sentence, "it")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("sentence", "seen"),
    [
        ("Apri {file} ora.", ["Apri <ph0> ora."]),
        ("Apri {a}{b} e {c}, poi {d}/{e}.", ["Apri <ph0> e <ph1>, poi <ph2>."]),
        ("🎉 Che bello #mare @anna", ["Che bello"]),
        ("<b>Attenti</b>", ["Attenti"]),
        ("{nome} scrive {testo}", ["<ph0> scrive <ph1>"]),
        ("Bello 🎉🎉!", ["Bello <ph0>!"]),
        ("🎉🎉", []),
        ("{a} - {b} (12)", []),
    ],
)
def test_what_the_network_sees(sentence: str, seen: list[str]) -> None:
    assert [piece.text for piece in guarded(sentence).pieces] == seen


@pytest.mark.parametrize(
    ("sentence", "source", "amount"),
    [
        ("Costa 1.350,20 € in tutto.", "it", "€1,350.20"),
        ("Costa € 75 in tutto.", "it", "€75"),
        ("Costa 75 € 🎉", "it", "€75"),
        ("Costa 12,50$ oggi.", "it", "$12.50"),
        ("It costs £1,350.20 in all.", "en", "1.350,20 £"),
        ("It costs €75 in all.", "en", "75 €"),
        ("Oggi ci sono -12,5 °C fuori.", "it", "-12.5 °C"),
        ("It is 30° outside.", "en", "30°"),
    ],
)
def test_money_and_degrees_come_back_as_the_other_language_writes_them(sentence: str, source: str, amount: str) -> None:
    found = guard(sentence, source)
    assert found is not None
    assert found.pieces[0].spans == (amount,)


def test_plain_sentences_are_left_alone() -> None:
    assert guard("Una frase come tante.", "it") is None


def test_more_parts_than_placeholders_are_translated_piece_by_piece() -> None:
    sentence = " ".join(f"parola {{x{number}}}" for number in range(25)) + " fine"
    found = guarded(sentence)
    assert [len(piece.spans) for piece in found.pieces] == [10, 10, 5]
    assert restore(found, unchanged(found)).text == sentence


@given(st.lists(st.sampled_from(SPANS + WORDS), min_size=1, max_size=30))
def test_what_is_kept_comes_back_byte_for_byte_and_words_are_aligned(atoms: list[str]) -> None:
    sentence = " ".join(atoms)
    found = guard(sentence, "it")
    if found is None:
        return
    restored = restore(found, unchanged(found))
    assert restored.text == sentence
    assert [word.text for word in restored.words] == sentence.split()
    assert restored.warnings == ()
    for place, word in enumerate(restored.words):
        assert place in word.source_words


@given(st.lists(st.sampled_from([*SPANS, *WORDS, " ", "\t", " | "]), min_size=1, max_size=30))
def test_white_space_around_what_is_kept_may_be_any(atoms: list[str]) -> None:
    sentence = "".join(atoms)
    found = guard(sentence, "it")
    if found is not None:
        joined = restore(found, unchanged(found))
        assert "".join(joined.text.split()) == "".join(sentence.split())
        assert [word.text for word in joined.words] == joined.text.split()
        for piece in found.pieces:
            assert len(piece.origins) == len(piece.text.split())


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ([("Open", 0), ("now.", 2)], "Open {file} now."),
        ([("Open", 0), ("<ph0>", 1), ("<ph0>", 1), ("now.", 2)], "Open {file} now."),
        ([("Open", 0), ("<ph0>", 1), ("<ph7>", 1), ("now.", 2)], "Open {file} now."),
        ([("Now", 2)], "{file} Now"),
    ],
)
def test_a_part_that_is_lost_or_comes_twice_is_mended_and_said(said: list[tuple[str, int]], wanted: str) -> None:
    found = restore(guarded("Apri {file} ora."), [translation(said)])
    assert (found.text, found.warnings) == (wanted, (LOST,))
    assert [word.text for word in found.words] == wanted.split()


def test_a_lost_part_at_the_end_stands_before_the_final_mark() -> None:
    assert restore(guarded("Premi {tasto}."), [translation([("Press.", 0)])]).text == "Press {tasto}."


def test_capitals_do_not_reach_what_is_kept() -> None:
    found = restore(guarded("APRI {file} ORA"), [translation([("OPEN", 0), ("<PH0>", 1), ("NOW", 2)])])
    assert (found.text, found.warnings) == ("OPEN {file} NOW", ())


def test_alternatives_have_the_parts_too() -> None:
    other = translation([("Open", 0), ("<ph0>", 1), ("at", 2), ("once.", 2)])
    first = translation([("Open", 0), ("<ph0>", 1), ("now.", 2)])
    one = Translation(first.text, first.score, first.words, (other,))
    found = restore(guarded("Apri {file} ora."), [one])
    assert [alternative.text for alternative in found.alternatives] == ["Open {file} at once."]
