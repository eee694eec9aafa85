"""The word after what is forced: as its own choice, and the best few for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_model_translator import SENTENCES, SHORT, subwords, translator

from model.config import SearchConfig
from model.text.ids import EOS

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


@pytest.mark.usefixtures("all_likely")
def test_the_likeliest_comes_first_and_each_goes_on_greedily() -> None:
    found = readings(TEXT, "The cat ")
    for text in found:
        begun = " ".join(text.split()[:3])
        assert readings(TEXT, begun, SHORT)[0].startswith(begun)
    assert found[0] == readings(TEXT, "The cat ", replace(BRANCHES, beam=1, n_best=1))[0]


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


def test_in_the_middle_of_a_word_any_piece_may_come() -> None:
    assert all(text.startswith("The c") for text in readings(TEXT, "The c"))


@pytest.mark.usefixtures("all_likely")
def test_neighbours_in_the_batch_change_nothing() -> None:
    prefixes = ["The cat ", "", "She is"]
    together = translator().translate_sentences(SENTENCES[:3], BRANCHES, prefixes)
    for found, text, prefix in zip(together, SENTENCES, prefixes, strict=False):
        assert [found.text, *(other.text for other in found.alternatives)] == readings(text, prefix)


def test_what_is_not_to_be_translated_stays_in_the_prefix() -> None:
    (found,) = translator().translate_sentences(["Ciao {name}, il gatto dorme."], BRANCHES, ["The {name}, "])
    assert all(text.startswith("The {name}, ") for text in (found.text, *(other.text for other in found.alternatives)))
