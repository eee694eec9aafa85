"""The word after what is forced: as its own choice, and the best few for it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from test_model_translator import SENTENCES, SHORT, subwords, translator

from model.branches import Branches
from model.config import SearchConfig
from model.search.hypothesis import Hypothesis
from model.text.ids import EOS
from model.text.parts import Part
from model.text.tokenizer import SPACE

TEXT = SENTENCES[0]
BRANCHES = replace(SHORT, beam=5, n_best=5, branches=True)


def readings(text: str, prefix: str, search: SearchConfig = BRANCHES) -> list[str]:
    (found,) = translator().translate_sentences([text], search, [prefix])
    return [found.text, *(other.text for other in found.alternatives)]


@pytest.fixture
def all_likely(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of random weights may be sure of anything."""
    monkeypatch.setattr("model.branches.LEAST", float("-inf"))


@pytest.mark.usefixtures("all_likely")
@pytest.mark.parametrize("prefix", ["", "The cat ", "The cat sleeps on the sofa. "])
def test_each_reading_has_another_next_word_after_the_forced_ones(prefix: str) -> None:
    found = readings(TEXT, prefix)
    assert 2 <= len(found) <= 5 and len(set(found)) == len(found)
    assert all(text.startswith(prefix) for text in found)
    assert all(text[len(prefix)].isalnum() for text in found if len(text) > len(prefix)), "a word, not a mark"


def test_what_the_network_gives_next_to_nothing_is_left_out() -> None:
    assert len(readings(TEXT, "The cat sleeps on the sofa. ")) < 5


def test_each_choice_is_forced_and_the_rest_is_decoded_greedily() -> None:
    """Which searches are asked for: one step for the best pieces, then one greedy search for each."""
    asked = []

    def search(parts, config, limits):
        asked.append((parts, config, limits))
        if limits.steps:
            found = [Hypothesis([7, id], [0.0, logarithm], None, False, logarithm) for id, logarithm in firsts]
            return [found]
        return [[Hypothesis([*part.prefix, 99], [0.0] * 3, None, True, 0.0)] for part in parts]

    firsts = ((20, -0.1), (30, -2.0), (40, math.log(0.0019)))
    part = Part("Il gatto", [5, 6], [7], word_ended=True)
    found = Branches(subwords()).search(part, replace(BRANCHES, beam=3, n_best=3), search)
    assert [one.tokens for one in found] == [[7, 20, 99], [7, 30, 99]], "what is given less than 0.2 % is left out"
    (_, step, limits), (parts, rest, _) = asked
    assert (step.beam, step.n_best, step.branches, limits.steps) == (3, 3, False, 1)
    words = subwords().pieces(range(subwords().vocab_size))
    assert limits.forbidden.tolist() == [not piece.startswith(SPACE) for piece in words], "a word must begin"
    assert [(part.prefix, part.word_ended) for part in parts] == [([7, 20], False), ([7, 30], False)]
    assert (rest.beam, rest.n_best, rest.branches) == (1, 1, False)


def test_a_word_that_is_ended_is_not_gone_on_with() -> None:
    """Without the space the network may make *cats* of it."""
    inside = [id for id, piece in enumerate(subwords().pieces(range(subwords().vocab_size))) if piece[:1].isalpha()]

    def love_going_on(model) -> None:
        model.output.bias[inside] += 30.0

    model = translator(love_going_on)
    (open_ended,) = model.translate_sentences([TEXT], SHORT, ["The cat"])
    (ended,) = model.translate_sentences([TEXT], SHORT, ["The cat "])
    assert not open_ended.text.startswith("The cat ") and open_ended.text.startswith("The cat")
    assert not ended.text.removeprefix("The cat")[:1].isalpha()


def test_the_end_may_come_at_once() -> None:
    def love_the_end(model) -> None:
        model.output.bias[EOS] += 60.0

    (found,) = translator(love_the_end).translate_sentences([TEXT], SHORT, ["The cat sleeps. "])
    assert found.text == "The cat sleeps."


@pytest.mark.usefixtures("all_likely")
def test_in_the_middle_of_a_word_it_may_go_on() -> None:
    found = readings(TEXT, "The c")
    assert any(text.removeprefix("The c")[:1].isalpha() for text in found)


@pytest.mark.usefixtures("all_likely")
def test_a_long_sentence_is_not_cut_where_words_are_chosen() -> None:
    """Its clauses would each have choices of their own."""
    text = "The cat sleeps on the sofa, and tomorrow we are going to the sea with our friends, and so on"
    model = translator(limit=60)
    assert model.translate_sentences([text], SHORT)[0].split
    (found,) = model.translate_sentences([text], BRANCHES, [""])
    assert found.alternatives and not found.split


@pytest.mark.usefixtures("all_likely")
def test_neighbours_in_the_batch_change_nothing() -> None:
    prefixes = ["The cat ", "", "She is"]
    together = translator().translate_sentences(SENTENCES[:3], BRANCHES, prefixes)
    for found, text, prefix in zip(together, SENTENCES, prefixes, strict=False):
        assert [found.text, *(other.text for other in found.alternatives)] == readings(text, prefix)


def test_what_is_not_to_be_translated_stays_in_the_prefix() -> None:
    (found,) = translator().translate_sentences(["Ciao {name}, il gatto dorme."], BRANCHES, ["The {name}, "])
    assert all(text.startswith("The {name}, ") for text in (found.text, *(other.text for other in found.alternatives)))
