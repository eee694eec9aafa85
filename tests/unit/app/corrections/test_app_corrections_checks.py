"""What a correction must be to be stored, and what is noted for the reviewer; good and bad examples."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.corrections.checks import MARK_CODES, SHOWN, Limits, Rival, Verdict, check, compare
from app.corrections.values import Draft
from app.storage.tables import text_key
from app.translating.detection import Detection, detect
from model.text.kept.spans import kept_spans

SOURCE = "Il gatto dorme sul divano della nonna."
MACHINE = "The cat sleeps on the sofa of the grandmother."
CORRECTED = "The cat is sleeping on grandma's sofa."
LONG_ENGLISH = "The ferry to the island leaves at noon and comes back in the evening of the same day."
LONG_ITALIAN = "Il traghetto per l'isola parte a mezzogiorno e torna la sera dello stesso giorno."


def looked_at(source_text: str = SOURCE, corrected: str = CORRECTED, **more: Any) -> Verdict:
    values = {"source": "it", "target": "en", "machine_translation": MACHINE, "max_chars": 10_000} | more
    limits = Limits(values.pop("max_chars"))
    return check(Draft(source_text=source_text, corrected_translation=corrected, **values), detect, limits)


def errors(*texts: str, **more: Any) -> dict[str, str]:
    return {error.field: error.message for error in looked_at(*texts, **more).errors}


def marks(*texts: str, **more: Any) -> list[str]:
    verdict = looked_at(*texts, **more)
    assert verdict.errors == []
    return verdict.marks


def test_a_good_correction_passes_without_a_mark() -> None:
    assert looked_at() == Verdict([], [])
    assert looked_at(CORRECTED, SOURCE, source="en", target="it", machine_translation="Il gatto dorme.") == Verdict(
        [], []
    )


def test_a_good_correction_of_a_failed_translation_passes() -> None:
    assert looked_at(machine_translation="") == Verdict([], []), "the model may have said nothing at all"


# --- refused --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "field", "message"),
    [
        (("", CORRECTED), "source_text", "is empty"),
        ((" \n\t ", CORRECTED), "source_text", "is empty"),
        ((SOURCE, "\u00a0 "), "corrected_translation", "is empty"),
        ((SOURCE, "1984 ..."), "corrected_translation", "has no letter, while source_text has some"),
        (("🐈 !!!", CORRECTED), "source_text", "has no letter, while corrected_translation has some"),
    ],
)
def test_a_side_without_words_is_refused(texts: tuple[str, str], field: str, message: str) -> None:
    assert errors(*texts) == {field: message}


def test_texts_without_letters_on_both_sides_are_no_fault() -> None:
    assert errors("12.30", "12:30") == {}


@pytest.mark.parametrize("field", ["source_text", "machine_translation", "corrected_translation", "model_version"])
@pytest.mark.parametrize(
    ("char", "name"), [("\0", "control character U+0000"), ("\x1b", "control character U+001B"),
                       ("\ud83d", "lone surrogate U+D83D")],
)  # fmt: skip
def test_what_no_text_holds_is_refused(field: str, char: str, name: str) -> None:
    values = {"source_text": SOURCE, "machine_translation": MACHINE, "corrected_translation": CORRECTED} | {
        field: f"ab{char}c"
    }
    found = check(Draft("it", "en", **values), detect, Limits(100)).errors
    assert [(error.field, error.message) for error in found] == [(field, f"holds the {name} at character 3")]


@pytest.mark.parametrize("field", ["source_text", "machine_translation", "corrected_translation"])
def test_a_text_over_the_limit_is_refused_with_the_limit(field: str) -> None:
    values = {"source_text": SOURCE, "machine_translation": MACHINE, "corrected_translation": CORRECTED}
    (error,) = check(Draft("it", "en", **values | {field: "a" * 101}), detect, Limits(100)).errors
    assert (error.field, error.message, error.limit) == (field, "has 101 characters; at most 100 are allowed", 100)


def test_one_language_on_both_sides_is_refused() -> None:
    assert errors(source="it", target="it") == {"target": "is the same as source (it)"}


@pytest.mark.parametrize("corrected", [MACHINE, f"  {MACHINE}\n", MACHINE.replace(" ", "  ")])
def test_the_machine_translation_again_is_refused(corrected: str) -> None:
    assert errors(SOURCE, corrected) == {"corrected_translation": "is the machine translation: nothing is corrected"}


@pytest.mark.parametrize("corrected", [SOURCE, SOURCE.upper(), SOURCE.replace(" ", "\n")])
def test_a_copy_of_the_source_is_refused(corrected: str) -> None:
    assert "is the source text: nothing is translated" in [
        error.message for error in looked_at(SOURCE, corrected).errors
    ]


def test_a_short_copy_may_be_a_name() -> None:
    assert marks("Leonardo da Vinci", "Leonardo da Vinci") == ["copy: the same as the source"]


KEPT = [
    "{name}", "{0}", "{}", "{price:.2f}", "{{user}}", "{{ user.name }}", "${HOME}", "%s", "%(count)d", "%1$s", "%.2f",
    "<b>", "</b>", "<br/>", ":name:", "https://example.org/a?b=c", "www.example.org", "someone@example.org",
]  # fmt: skip


@pytest.mark.parametrize("span", KEPT)
def test_what_must_be_kept_is_missed_and_found(span: str) -> None:
    source, corrected = f"Premi qui {span} per andare avanti.", f"Press here {span} to go on."
    assert errors(source, corrected) == {}
    assert errors(source, "Press here to go on.") == {
        "corrected_translation": f"lacks {span.replace('/>', '>')} of the source text"
    }


def test_other_attributes_of_a_tag_are_no_loss() -> None:
    assert (
        errors('Vedi <a title="la casa">qui</a> per saperne di più.', 'See <a title="the house">here</a> for more.')
        == {}
    )


def test_placeholders_that_are_not_as_often_there_are_marked() -> None:
    (mark,) = marks("<i>Uno</i> e <i>due</i> sono pochi per noi.", "<i>One</i> and two are few for us, <b>too</b>.")
    assert mark == "placeholders: <i>, </i>, <b>, </b> not as often as in the source"


def test_other_parts_that_are_kept_are_marked() -> None:
    source = "Apri note.txt con Ctrl+P e scrivi a @anna 🎉"
    assert marks(source, "Open note.txt with Ctrl+P and write to @anna 🎉") == []
    (mark,) = marks(source, "Open the notes with Ctrl+P and write to @anna 🎉 🎉")
    assert mark == "kept: note.txt, 🎉 not as often as in the source"


@pytest.mark.parametrize(
    "text", ["Il 50% di sconto", "alle 12:30 : si parte", "a < b e b > c", "100%", "1 {2 3} 4", "x@y"]
)
def test_everyday_signs_are_no_placeholders(text: str) -> None:
    assert not kept_spans(text)


@pytest.mark.parametrize(
    ("texts", "wrong"),
    [
        ((LONG_ENGLISH, LONG_ITALIAN),
         {"source_text": "English, not Italian", "corrected_translation": "Italian, not English"}),
        ((LONG_ITALIAN, LONG_ITALIAN.replace("sera", "notte")), {"corrected_translation": "Italian, not English"}),
        ((LONG_ENGLISH.replace("noon", "ten"), LONG_ENGLISH), {"source_text": "English, not Italian"}),
        ((LONG_ITALIAN, "Die Fähre zur Insel fährt mittags ab und kommt am Abend desselben Tages wieder zurück."),
         {"corrected_translation": "neither English nor Italian"}),
        (("El barco para la isla sale a las doce y vuelve por la noche del mismo día.", LONG_ENGLISH),
         {"source_text": "neither Italian nor English"}),
        ((LONG_ITALIAN, "島へのフェリーは正午に出発し、同じ日の夕方に戻ってきます。"),
         {"corrected_translation": "neither English nor Italian"}),
    ],
)  # fmt: skip
def test_another_language_is_refused(texts: tuple[str, str], wrong: dict[str, str]) -> None:
    found = errors(*texts)
    assert set(found) == set(wrong)
    assert all(language in found[side] for side, language in wrong.items()), found


@pytest.mark.parametrize(
    "texts",
    [
        ("Confronta i file e le directory.", "Compare files and directories."),
        ("Apre un file di Turtlescript.", "Opens a Turtlescript file."),
        ("Lo stucco bianco è meglio di quello grigio.", "The white filler is better than the grey one."),
        ("Sì.", "Yes."),
        ("Ciao, bella!", "Hi, gorgeous!"),
    ],
)
def test_texts_that_only_look_foreign_are_not_refused(texts: tuple[str, str]) -> None:
    assert errors(*texts) == {}


def test_a_language_that_is_not_sure_is_marked() -> None:
    def unsure(_text: str) -> Detection:
        return Detection("it", 0.7)

    verdict = check(Draft("it", "en", SOURCE, MACHINE, CORRECTED), unsure, Limits(100))
    assert verdict == Verdict([], ["language: corrected_translation may not be English"])
    short = check(Draft("it", "en", "Che bello!", "Nice", "How nice!"), unsure, Limits(100))
    assert short == Verdict([], []), "two words show no language"


def test_addresses_and_placeholders_are_not_asked_for_their_language() -> None:
    seen = []

    def noting(text: str) -> Detection:
        seen.append(text)
        return Detection("en" if "Hello" in text else "it", 1.0)

    check(Draft("it", "en", "Ciao {name} <b>bello</b>", "x", "Hello {name} <b>you</b>"), noting, Limits(100))
    assert seen == ["Ciao bello", "Hello you"]


def test_lengths_that_cannot_be_are_refused_and_odd_ones_marked() -> None:
    sentence = "We are going to the sea with the children, and then we have lunch on the beach."
    found = errors("Andiamo al mare.", sentence)
    assert found == {"corrected_translation": "is 4.9 times longer than the source text; at most 4 times is believed"}
    assert errors(LONG_ITALIAN, "The ferry.")["corrected_translation"].startswith("is 8.1 times shorter")
    assert marks("Andiamo al mare.", sentence[:54] + ".") == ["length: 3.4 times longer than the source"]
    assert marks("È lì.", "It is over there.") == [], "short texts may differ"


# --- marked ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "corrected", "expected"),
    [
        ("Ho 3 gatti in casa.", "I have three cats at home.", []),
        ("Costa 1.250,50 euro con la posta.", "It costs 1,250.50 euros with the postage.", []),
        ("Ho 3 gatti in casa.", "I have some cats at home.", ["numbers: 3 is missing"]),
        ("Ho dei gatti in casa.", "I have 7 cats at home.", ["numbers: 7 is not in the source"]),
        ("Ho 3 gatti e 25 pesci.", "I have cats and 4 fish.",
         ["numbers: 3, 25 are missing", "numbers: 4 is not in the source"]),
        ("Prima 31, poi ancora 31 di noi.", "First 31 of us, then some more.", ["numbers: fewer than in the source"]),
    ],
)  # fmt: skip
def test_numbers_are_compared_both_ways(source: str, corrected: str, expected: list[str]) -> None:
    assert marks(source, corrected) == expected


@pytest.mark.parametrize(
    ("corrected", "code"),
    [
        ("The cat is sleeping on the sofaaaaaaa.", "repetition: a"),
        ("The cat is sleeping on the sofa!!!!!!!", "repetition: !"),
        ("The cat is is is sleeping on grandma's sofa.", "looping"),
        ("The cat sleeps on the sofa, the cat sleeps on the sofa.", "looping"),
    ],
)
def test_repetitions_are_marked(corrected: str, code: str) -> None:
    (mark,) = marks(SOURCE, corrected)
    assert mark.startswith(code)


def test_a_repetition_that_the_source_has_is_none() -> None:
    assert (
        marks("Un testo molto, molto, molto lungo......... davvero!", "A very, very, very long text......... really!")
        == []
    )


def test_other_corrections_of_the_sentence_are_named() -> None:
    def rival(text: str, *, approved: bool) -> Rival:
        return Rival(uuid.uuid4(), approved, text_key(text))

    other, same = rival("A cat.", approved=True), rival(" The  cat. ", approved=True)
    waiting, elsewhere = rival("The cat.", approved=False), rival("Cats.", approved=False)
    key = text_key("The cat.")
    assert compare(key, [other, same, waiting, elsewhere]) == [
        f"contradicts: {other.id}", f"duplicate: {same.id}", f"duplicate: {waiting.id}",
    ]  # fmt: skip
    assert compare(key, []) == []
    assert len(compare(key, [rival("The cat.", approved=False) for _ in range(100)])) == SHOWN


# --- hostile --------------------------------------------------------------------------------------------------------


HOSTILE = {
    "one letter": "a" * 10_000,
    "one word": "casa " * 2000,
    "signs": "!?" * 5000,
    "braces": "{" * 10_000,
    "open tags": "<a " * 3333,
    "per cent": "%(" * 5000,
    "no mail": "a." * 4999 + "@",
    "dots": "a@" + "b." * 4999,
    "numbers": " ".join(map(str, range(2000))),
    "emoji": "🐈" * 10_000,
    "colons": ":a" * 5000,
    "marks": "e\u0301" * 5000,
    "right to left": "\u202e" * 9_999 + "a",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_texts_get_a_verdict(text: str) -> None:
    """Eight times as long as they may be: a pattern that is not linear takes minutes."""
    huge = text * 8
    for source, corrected in ((huge, CORRECTED), (SOURCE, huge)):
        verdict = looked_at(source, corrected, max_chars=len(huge))
        assert verdict.errors or verdict.marks, "it must not pass as if nothing was odd"
    looked_at(huge, huge[:-1], max_chars=len(huge))


@settings(max_examples=200, deadline=None)
@given(source=st.text(max_size=80), corrected=st.text(max_size=80), machine=st.text(max_size=20))
def test_every_text_gets_a_verdict(source: str, corrected: str, machine: str) -> None:
    verdict = looked_at(source, corrected, machine_translation=machine)
    assert all(error.field and error.message for error in verdict.errors)
    assert all(mark.partition(":")[0] in MARK_CODES for mark in verdict.marks)
    assert not (verdict.errors and verdict.marks)
