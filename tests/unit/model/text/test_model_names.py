"""Names that were misspelt are copied; names that have another form in the other language are not."""

import pytest

from model.text.names import lost_names, restore_names
from model.translation import Translation, Word


def translation(*words: tuple[str, float, int]) -> Translation:
    """Of (word, confidence, source word)."""
    parts = tuple(Word(text, confidence, (source,)) for text, confidence, source in words)
    return Translation(" ".join(word.text for word in parts), -0.5, parts)


def restored(source: str, *words: tuple[str, float, int]) -> str:
    result = restore_names(source, translation(*words))
    assert result.text == " ".join(word.text for word in result.words)
    return result.text


@pytest.mark.parametrize(
    ("source", "words", "expected"),
    [
        ("Vivo a Trieste.", (("in", 0.9, 1), ("Triest.", 0.56, 2)), "in Trieste."),
        ("Vedo Matteo.", (("see", 0.9, 0), ("Mitteo's", 0.21, 1)), "see Matteo's"),
        ("Amo Roma.", (("love", 0.9, 0), ("Rome.", 0.9, 1)), "love Rome."),
        ("Amo le Dolomiti.", (("love", 0.9, 0), ("Dolomites.", 0.55, 2)), "love Dolomites."),
        ("Amo la Scozia.", (("love", 0.9, 0), ("Scotland.", 0.55, 2)), "love Scotland."),
        ("Vivo a Trieste.", (("in", 0.9, 1), ("Triest.", 0.9, 2)), "in Triest."),
        ("Vivo a Trieste.", (("in", 0.9, 1), ("horse.", 0.1, 2)), "in horse."),
        ("Vivo qui. Trieste piace.", (("here.", 0.9, 1), ("Triest", 0.3, 2)), "here. Trieste"),
        ("Trieste piace.", (("Triest", 0.3, 0), ("pleases.", 0.9, 1)), "Trieste pleases."),
        ("Vedo Luca e Lucca.", (("see", 0.9, 0), ("Lucca", 0.2, 1), ("Lucca.", 0.9, 3)), "see Lucca Lucca."),
        ("Vedo casa.", (("see", 0.9, 0), ("Cassa.", 0.2, 1)), "see Cassa."),
        ("", (), ""),
    ],
)
def test_a_name_is_copied_where_it_was_misspelt(source, words, expected):
    assert restored(source, *words) == expected


def test_a_name_in_two_words_or_none_is_left_alone():
    assert restored("Vivo a Trieste.", ("Tri", 0.2, 2), ("Este.", 0.2, 2)) == "Tri Este."
    assert restored("Vivo a Trieste.", ("there.", 0.2, 1)) == "there."


def rare(word: str) -> int:
    return 1 if word.lower() in ("roma", "anno", "year") else 4


@pytest.mark.parametrize(
    ("source", "said", "names"),
    [
        ("Vado a Voghera con Ferrante.", [("I", 0.9, 0), ("go", 0.9, 0), ("to", 0.9, 1), ("Vogh", 0.2, 2)],
         ["Voghera", "Ferrante"]),
        ("Vado a Voghera.", [("I", 0.9, 0), ("go", 0.9, 0), ("to", 0.9, 1), ("Voghera.", 0.2, 2)], []),
        ("Vado in Croazia.", [("I", 0.9, 0), ("go", 0.9, 0), ("to", 0.9, 1), ("Croatia.", 0.8, 2)], []),
        ("Ferrante dorme.", [("He", 0.1, 0), ("sleeps.", 0.9, 1)], []),
        ("Dorme. Ferrante no.", [("He", 0.1, 0), ("sleeps.", 0.9, 1)], []),
        ("Vado a Roma.", [("I", 0.9, 0), ("go.", 0.2, 0)], []),
        ("See you Saturday, Anne.", [("Ci", 0.9, 0), ("vediamo.", 0.9, 1)], ["Anne"]),
        ("Happy New Year", [("Buon", 0.9, 0), ("anno", 0.3, 2)], ["New"]),
    ],
)  # fmt: skip
def test_rare_names_that_were_lost(source: str, said: list[tuple[str, float, int]], names: list[str]) -> None:
    words = tuple(Word(text, confidence, (at,)) for text, confidence, at in said)
    found = lost_names(source, Translation(" ".join(word.text for word in words), -0.5, words), rare)
    assert [source[name.start : name.end] for name in found] == names
