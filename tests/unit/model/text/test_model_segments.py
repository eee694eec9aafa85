"""Sentences and what stands between them: nothing is lost, our own cases stay right, no text takes long."""

from __future__ import annotations

import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.splitting import HOSTILE, UNSEEN, boundaries, read_cases, with_marks
from model.text import segments as splitter
from model.text.lines import MARK, Split
from model.text.segments import WINDOW_CHARS, Segment, split

ENDS = (". ", "…", "? ", "!", ".) ", "» ", '"', "\n", "\r\n", " ", "\t", "\u00a0", "\u2028", "\x1c", "")
STARTS = ("«", "— ", "1. ", "A. ", "dott. ", "ciao", "Poi", "è", "S.p.A. ", "ecc. ", "no. ", "3.14", "(", "a@b.it ")
ODD = ("😀", "中。", "\ud800", "\x00")
PIECES = st.sampled_from([*ENDS, *STARTS, *ODD])
TEXTS = st.one_of(st.text(st.characters(exclude_categories=())), st.lists(PIECES, max_size=60).map("".join))
HOSTILE_CHARS = 100_000
HOSTILE_S = 10.0
"""The worst takes half a second; a margin for busy machines."""


def joined(segments: list[Segment]) -> str:
    return "".join(segment.text + segment.separator_after for segment in segments)


def sentences(text: str, language: str = "it") -> list[str]:
    return with_marks(split(text, language, "lines"))


@settings(max_examples=400, deadline=None)
@given(TEXTS, st.sampled_from(["it", "en"]), st.sampled_from(["auto", "lines"]))
def test_nothing_is_lost(text: str, language: str, lines: Split) -> None:
    segments = split(text, language, lines)
    assert joined(segments) == text, "separators must be kept byte for byte"
    for index, segment in enumerate(segments):
        assert segment.text == segment.text.strip(), "white space belongs to the separators"
        kept = segment.separator_after.split()
        assert all(MARK.match(f"{mark} x") for mark in kept), "it swallowed text"
        assert segment.text or index == 0, "only a leading separator stands without a sentence"
        assert lines == "auto" or len(segment.text.splitlines()) <= 1, "a line break must separate"
        last = index == len(segments) - 1
        assert last or segment.separator_after, "without white space there is no boundary"


@settings(max_examples=15, deadline=None)
@given(st.lists(PIECES, min_size=200, max_size=2000).map("".join))
def test_nothing_is_lost_in_long_lines(text: str) -> None:
    line = text.replace("\n", " ")
    assert joined(split(line, "it")) == line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  ", [Segment("", "  ")]),
        ("\n\n", [Segment("", "\n\n")]),
        ("Ciao", [Segment("Ciao", "")]),
        (" Ciao. ", [Segment("", " "), Segment("Ciao.", " ")]),
        ("Ciao.  Vieni?\r\n\tSì", [Segment("Ciao.", "  "), Segment("Vieni?", "\r\n\t"), Segment("Sì", "")]),
        ("uno\n\n \ndue", [Segment("uno", "\n\n \n"), Segment("due", "")]),
        ("...", [Segment("...", "")]),
    ],
)
def test_shape(text: str, expected: list[Segment]) -> None:
    assert split(text, "it") == expected


def test_own_cases() -> None:
    """174 of 178 and 42 of 44: docs/decisions/0004. What a change of rules or library breaks is listed."""
    for cases, wanted in ((read_cases(), 174), (read_cases(UNSEEN), 42)):
        wrong = [
            f"{case.language} {case.kind}: {found}"
            for case in cases
            if boundaries(found := sentences(case.text, case.language)) != boundaries(case.sentences)
        ]
        assert len(cases) - len(wrong) >= wanted, "\n".join(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "Il dott. Rossi e la sig.ra Bianchi arrivano alle ore 10.30 con pane, latte ecc. e vino.",
        "L'art. 3 vale per la Fratelli Riva S.p.A. e per l'avv. Motta.",
        "La stanza n. 5 costa 3.14 euro.",
        "Scrivi a nome.cognome@esempio.it oppure vai su https://esempio.it/a.html?b=c.",
    ],
)
def test_abbreviations_do_not_end_sentences(text: str) -> None:
    assert sentences(text) == [text]


def test_everyday_words_end_sentences() -> None:
    """The library takes `so.` and `no.` for abbreviations: two sentences would be translated as one."""
    assert sentences("Non lo so. Forse no. Vieni con me. Fa freddo.") == [
        "Non lo so.", "Forse no.", "Vieni con me.", "Fa freddo.",
    ]  # fmt: skip


def test_language_matters() -> None:
    assert sentences("Can you come? No. I have to work.", "en") == ["Can you come?", "No.", "I have to work."]
    assert sentences("Lot no. 7 is sold.", "en") == ["Lot no. 7 is sold."]


def test_english_words_that_are_also_states_end_sentences() -> None:
    """The library takes `me.`, `ill.` and `OK.` for Maine, Illinois and Oklahoma."""
    assert sentences("Don't wait for me. Ann is ill. Carlo stays with her. OK. Let's go.", "en") == [
        "Don't wait for me.", "Ann is ill.", "Carlo stays with her.", "OK.", "Let's go.",
    ]  # fmt: skip
    assert sentences("See ill. 3 on the next page.", "en") == ["See ill. 3 on the next page."]
    assert sentences("They live in Portland, Me. in winter.", "en") == ["They live in Portland, Me. in winter."]


def test_a_boundary_is_found_wherever_the_window_ends() -> None:
    """Long lines are read in windows: a sentence must not be lost or cut where one ends."""
    for padding in range(WINDOW_CHARS - 40, WINDOW_CHARS + 10):
        first = ("a" * 9 + " ") * (padding // 10) + "b" * (padding % 10) + " il dott. Rossi dorme."
        text = f"{first} Poi si sveglia. {first} Fine."
        assert sentences(text) == [first, "Poi si sveglia.", first, "Fine."], f"window ends in character {padding}"


def test_a_long_sentence_is_not_cut() -> None:
    text = "parola " * 10_000
    assert split(text, "it") == [Segment(text.strip(), " ")]
    assert sentences(text + "fine. Poi basta.") == [text + "fine.", "Poi basta."]


@pytest.mark.parametrize("name", [*HOSTILE, "spaces", "line breaks", "spaced line breaks", "indented initials"])
def test_hostile_texts_take_linear_time(name: str) -> None:
    more = {
        "spaces": " ",
        "line breaks": "\n",
        "spaced line breaks": "\n ",
        "indented initials": " " * (HOSTILE_CHARS // 2) + "A. " * (HOSTILE_CHARS // 6),
    }
    part = (HOSTILE | more)[name]
    text = (part * (HOSTILE_CHARS // len(part) + 1))[:HOSTILE_CHARS]
    start = time.perf_counter()
    segments = split(text, "it")
    elapsed_s = time.perf_counter() - start
    assert joined(segments) == text
    assert elapsed_s < HOSTILE_S, f"{HOSTILE_CHARS} characters took {elapsed_s:.1f} s"


def test_one_sentence_does_not_pay_for_the_library() -> None:
    text = "Domani vengo a trovarti con mia sorella."
    rounds = 2000
    best_us = min(_time_us(text, rounds) for _ in range(5))
    assert best_us < 50, f"a plain sentence took {best_us:.0f} microseconds; about 2 are usual"


def _time_us(text: str, rounds: int) -> float:
    start = time.perf_counter()
    for _ in range(rounds):
        split(text, "it")
    return (time.perf_counter() - start) / rounds * 1e6


def test_threads_share_one_splitter() -> None:
    text = "Il dott. Rossi dorme. Poi si sveglia. " * 50
    expected = split(text, "it")
    answers: list[list[Segment]] = []
    threads = [threading.Thread(target=lambda: answers.append(split(text, "it"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [expected] * 8


def test_any_other_language_has_the_rules_for_english() -> None:
    """A network can be trained for any pair; its texts have sentences too."""
    assert sentences("Ein Satz. Noch einer.", "de") == ["Ein Satz.", "Noch einer."]


def test_without_the_library_a_capital_after_an_end_mark_begins_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that only trains has nothing but torch and sentencepiece."""
    monkeypatch.setitem(sys.modules, "sentencex", None)
    splitter._library.cache_clear()
    try:
        assert sentences("Il dott. Rossi dorme. Chiamalo! «Va bene.»  Poi basta.") == [
            "Il dott. Rossi dorme.", "Chiamalo!", "«Va bene.»", "Poi basta.",
        ]  # fmt: skip
    finally:
        splitter._library.cache_clear()
