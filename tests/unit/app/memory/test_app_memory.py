"""Translation memory: which texts are the same to it, and what it makes of a stored correction."""

from __future__ import annotations

import threading
import unicodedata
import uuid

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.memory.store import Memory, Stored, answer, normal, shape_of, source_key
from app.metrics import Metrics

TEXTS = st.text(st.characters() | st.sampled_from(".!?… '’«»\u00a0\t\nJ\u030c"))
"""Lone surrogates too."""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Sei stanco.", "sei stanco"),
        ("Sei stanco!", "Sei stanco..."),
        ("Sei stanco…", "Sei stanco !!"),
        ("  Sei\n\tstanco.\u00a0", "Sei stanco."),
        ("L’ora è tarda", "L'ora e\u0300 tarda"),
        ("«Vieni» disse", '"vieni" disse'),
        ("Sei stanco?", "sei  stanco ?!"),
        ("J\u030cack", "\u01f0ack"),
        ("", " \n"),
    ],
)
def test_the_same_to_memory(one: str, other: str) -> None:
    assert source_key(one) == source_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Sei stanco?", "Sei stanco."),
        ("CIAO A TUTTI", "Ciao a tutti"),
        ("Vado a Roma", "Vado a roma"),
        ("Alle 3.5", "Alle 35"),
        ("x²", "x2"),
        ("perché", "perche"),
        ("?", "."),
        ("?", ""),
        ("...", "…!"),
    ],
)
def test_different_to_memory(one: str, other: str) -> None:
    assert source_key(one) != source_key(other)


@given(TEXTS)
def test_a_core_is_its_own_core(text: str) -> None:
    core = normal(text).core
    assert normal(core).core == core
    assert len(bytes.fromhex(source_key(text))) == 16


@given(TEXTS, st.sampled_from([" ", "\n", " \u00a0"]))
def test_composition_and_white_space_do_not_matter(text: str, space: str) -> None:
    assert source_key(unicodedata.normalize("NFD", text)) == source_key(text)
    assert source_key(space + text.replace(" ", space * 2) + space) == source_key(text)


@given(TEXTS, TEXTS)
def test_the_source_itself_gets_the_correction_untouched(source: str, correction: str) -> None:
    assert answer(shape_of(source), correction, normal(source)) == correction


@example("", "ß", "A", "it")
@example("", "ı", "A", "it")
@given(TEXTS, TEXTS, TEXTS, st.sampled_from(["it", "en"]))
def test_an_answer_changes_no_more_than_its_first_letter_and_its_end(
    source: str, correction: str, query: str, target: str
) -> None:
    given_back = answer(shape_of(source), correction, normal(query), target)
    inner = correction.rstrip(" .!?…")
    assert given_back[: len(inner)].lower() == inner.lower()
    assert set(given_back[len(inner) :]) <= set(" .!?…") | set(correction[len(inner) :])


@pytest.mark.parametrize(
    ("source", "correction", "query", "expected"),
    [
        ("Ho fame.", "I am hungry.", "Ho fame", "I am hungry"),
        ("Ho fame.", "I am hungry.", "Ho fame!!", "I am hungry!!"),
        ("Ho fame", "I am hungry", "Ho fame...", "I am hungry..."),
        ("Ho fame.", "I am hungry", "Ho fame!", "I am hungry"),  # the correction does not end as its source does
        ("Ho fame.", "I'm hungry, you know?", "Ho fame!", "I'm hungry, you know?"),
        ("Che bello!", "How nice!", "che bello…", "how nice…"),
        ("Sei stanco?", "Are you tired?", "sei stanco??", "are you tired?"),
        ("vengo anch'io", "me too", "Vengo anch’io", "Me too"),
        ("Ho fame.", "I am hungry.", "ho fame.", "I am hungry."),
        ("Arrivo.", "I’m coming.", "arrivo.", "I’m coming."),
        ("Lunedì parto.", "Monday I leave.", "lunedì parto.", "Monday I leave."),
        ("Costa molto.", "iPhones cost a lot.", "costa molto.", "iPhones cost a lot."),
        ("Quel paese è grande.", "USA is big.", "quel paese è grande.", "USA is big."),
        ("Bravo.", "«Good!»", "bravo.", "«good!»"),
        ("costa 3 euro", "3 euros", "Costa 3 euro", "3 euros"),
        ("Via.", "...", "via", "..."),
        ("via", "ßa", "Via", "ßa"),
    ],
)
def test_case_and_punctuation_are_carried_over(source: str, correction: str, query: str, expected: str) -> None:
    assert source_key(source) == source_key(query)
    assert answer(shape_of(source), correction, normal(query)) == expected


def test_the_english_i_is_no_rule_for_italian() -> None:
    assert (
        answer(shape_of("The cats sleep."), "I gatti dormono.", normal("the cats sleep."), "it") == "i gatti dormono."
    )


def stored(source: str, correction: str, pair: str = "it-en") -> Stored:
    return Stored(pair, source_key(source), uuid.uuid4(), source, correction)


def test_memory_finds_what_was_put_and_forgets_what_was_removed() -> None:
    memory = Memory(Metrics())
    one, other = stored("Ho fame.", "I'm hungry."), stored("Ho fame.", "Ho fame!", "en-it")
    memory.put([one, other])
    assert len(memory) == 2
    assert memory.find("it-en", "ho fame!") == ("I'm hungry!", one.id)
    assert memory.find("en-it", "Ho fame.") == ("Ho fame!", other.id)
    assert memory.find("it-en", "Ho sete.") is None
    memory.remove([("it-en", one.source_key), ("it-en", source_key("never seen")), ("de-fr", one.source_key)])
    assert memory.find("it-en", "Ho fame.") is None
    assert len(memory) == 1


def test_the_newest_put_counts_and_hits_are_counted_by_pair() -> None:
    metrics = Metrics()
    memory = Memory(metrics)
    memory.put([stored("Ho fame.", "I have hunger."), stored("ho fame", "I am hungry")])
    found = memory.find("it-en", "Ho fame.")
    assert found is not None and found.text == "I am hungry."
    text = metrics.render().decode()
    assert 'traghetto_memory_hits_total{pair="it-en"} 1.0' in text
    assert "traghetto_memory_rows 1.0" in text


@given(TEXTS, TEXTS, st.uuids())
def test_memory_gives_back_any_text(source: str, correction: str, id_: uuid.UUID) -> None:
    memory = Memory(Metrics())
    memory.put([Stored("it-en", source_key(source), id_, source, correction)])
    assert memory.find("it-en", source) == (correction, id_)


def test_threads_may_ask_while_another_writes() -> None:
    memory = Memory(Metrics())
    kept = stored("Resta.", "It stays.")
    memory.put([kept])
    lost: list[object] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            found = memory.find("it-en", "Resta.")
            if found is None or found.text != "It stays.":
                lost.append(found)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for round_ in range(20):
        rows = [stored(f"Frase {index}.", f"Sentence {index}.") for index in range(200)]
        memory.put(rows)
        memory.remove((row.pair, row.source_key) for row in rows)
        if round_ % 5 == 0:
            memory.put([kept])
    stop.set()
    for thread in threads:
        thread.join()
    assert lost == []
