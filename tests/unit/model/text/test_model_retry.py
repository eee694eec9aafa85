"""Greedy translations with a fault are searched for again, and only those; the better one is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from model.config import ModelConfig, SearchConfig
from model.repair import NUMBER
from model.routes import Chosen
from model.text.ids import BOS, EOS, UNK
from model.text.tokenizer import PLACEHOLDERS, WordTokenizer
from model.torch_search import TorchSearcher
from model.translator import Translator
from model.versions.card import Card
from model.versions.store import Version

ENDLESS = 60


class Line(NamedTuple):
    """A translation that the network has in mind, and which source word each of its words is read from."""

    probability: float
    text: str
    read: Sequence[int]


MIND = {
    "il gatto dorme": [
        Line(0.6, "the cat " * ENDLESS, [0, 1] * ENDLESS),
        Line(0.4, "the cat sleeps", [0, 1, 2]),
    ],
    "sono molto molto molto stanco": [
        Line(0.6, "i am very very very tired", [0, 0, 1, 2, 3, 4]),
        Line(0.4, "i am tired", [0, 0, 4]),
    ],
    "la donna dorme molto": [
        Line(0.6, "the woman sleeps", [0, 1, 2]),
        Line(0.4, "the woman sleeps long", [0, 1, 2, 3]),
    ],
    "ho 12 gatti": [Line(0.6, "i have cats", [0, 1, 2]), Line(0.4, "i have 12 cats", [0, 0, 1, 2])],
    "ho 7 cani": [Line(0.6, "i have seven dogs", [0, 0, 1, 2]), Line(0.4, "i have 7 dogs", [0, 0, 1, 2])],
    "ho 900 cani": [Line(0.9999, "i have dogs", [0, 1, 2]), Line(0.0001, "i am 900", [0, 1, 1])],
    "ho <ph0> cani": [Line(0.6, "i have dogs", [0, 1, 2]), Line(0.4, "i have <ph0> dogs", [0, 0, 1, 2])],
    "ho 900 pesci": [Line(1.0, "i have fish", [0, 1, 2])],
    "ho <ph0> pesci": [Line(1.0, "i have fish", [0, 1, 2])],
    "la casa": [Line(0.6, "the house", [0, 1]), Line(0.4, "house", [1])],
    "Tom ha 12 gatti.": [Line(0.6, "Tom has cats.", [0, 1, 3]), Line(0.4, "Tom has 12 cats.", [0, 1, 2, 3])],
    "Dorme.": [Line(1.0, "He sleeps.", [0, 0])],
    "Milioni dormono oggi.": [Line(0.9, "Milioni sleep now.", [0, 1, 2])],
    "milioni dormono oggi.": [Line(1.0, "millions sleep now.", [0, 1, 2])],
    "Nessuno dorme oggi.": [Line(1.0, "Nessuno sleeps now.", [0, 1, 2])],
    "nessuno dorme oggi.": [Line(0.1, word, [0]) for word in "abcdefgh"],
    "dorme": [Line(0.6, "sleeps", [0]), Line(0.4, "it sleeps", [0, 0])],
}  # fmt: skip
FAULTY = ["il gatto dorme", "la donna dorme molto", "ho 12 gatti", "ho 900 cani"]
REPAIRED = ["the cat sleeps", "the woman sleeps long", "i have 12 cats", "i have 900 dogs"]


class Words(WordTokenizer):
    """Words as they stand, numbers too."""

    def encode(self, text: str, sample: float = 0.0) -> list[int]:
        return [self._ids.get(word, UNK) for word in text.split()]


WORDS = Words(sorted({word for source, lines in MIND.items() for text in (source, *(line.text for line in lines))
                      for word in text.split()} - {*PLACEHOLDERS}))  # fmt: skip
SOURCES = {tuple(WORDS.encode(source)): lines for source, lines in MIND.items()}


@dataclass(frozen=True)
class Thought:
    """Which source each row reads, and what it has said so far, the begin mark first."""

    source: Tensor
    said: Tensor

    def select(self, rows: Tensor) -> Thought:
        return Thought(self.source[rows], self.said[rows])


class Output(NamedTuple):
    logits: Tensor
    attention: Tensor
    state: Thought


class Scripted:
    """Says what is in `MIND`: each next word is as probable as the lines that go on with it."""

    def encode(self, source: Tensor, lengths: Tensor) -> Thought:
        return Thought(source, torch.zeros(len(source), 0, dtype=torch.int64))

    def step(self, tokens: Tensor, state: Thought) -> Output:
        said = torch.cat((state.said, tokens[:, None]), dim=1)
        logits = torch.full((len(said), WORDS.vocab_size), 1e-6)
        attention = torch.zeros(state.source.shape)
        for row, ids in enumerate(said.tolist()):
            source = state.source[row].tolist()
            for line in SOURCES[tuple(source[: source.index(EOS)])]:
                whole = [BOS, *WORDS.encode(line.text), EOS]
                if whole[: len(ids)] == ids and len(ids) < len(whole):
                    logits[row, whole[len(ids)]] += line.probability
                    attention[row, ([*line.read, len(source) - 1])[len(ids) - 1]] += line.probability
        attention /= attention.sum(dim=1, keepdim=True).clamp(min=1e-9)
        return Output(logits.log(), attention, Thought(state.source, said))


@pytest.fixture(scope="module")
def translator() -> Translator:
    card = Card("it-en", "test", "2026-01-01", {})
    version = Version(card, ModelConfig(WORDS.vocab_size, WORDS.vocab_size), {}, WORDS, WORDS)
    searcher = TorchSearcher(Scripted(), "cpu")  # type: ignore[arg-type]
    return Translator(version, chosen=Chosen(searcher, "cpu", "fp32", "PyTorch", 1))


def test_a_loop_a_skipped_word_and_a_lost_number_are_repaired(translator: Translator) -> None:
    bare = translator.translate(FAULTY[:3], SearchConfig(retry=False))
    assert bare[0].truncated and [one.text for one in bare[1:]] == ["the woman sleeps", "i have cats"]
    assert not any(one.retried for one in bare)
    found = translator.translate(FAULTY[:3])
    assert [one.text for one in found] == REPAIRED[:3]
    assert all(one.retried and not one.truncated for one in found)


def test_what_has_no_fault_is_not_tried_again(translator: Translator) -> None:
    found = translator.translate(["sono molto molto molto stanco", "ho 7 cani", "la casa"])
    assert [one.text for one in found] == ["i am very very very tired", "i have seven dogs", "the house"]
    assert not any(one.retried for one in found)


def test_a_common_word_that_was_copied_is_read_small_and_believed_if_it_is_as_sure(translator: Translator) -> None:
    found = translator.translate(["Milioni dormono oggi.", "Nessuno dorme oggi.", "Tom ha 12 gatti."])
    assert [one.text for one in found] == ["Millions sleep now.", "Nessuno sleeps now.", "Tom has 12 cats."]
    (draft,) = translator.translate(["Milioni dormono oggi."], SearchConfig(retry=False))
    assert (draft.text, draft.faulty) == ("Milioni sleep now.", True)


def test_a_number_that_no_good_candidate_has_is_masked(translator: Translator) -> None:
    (found,) = translator.translate(["ho 900 cani"])
    assert (found.text, found.retried, found.warnings) == ("i have 900 dogs", True, ())
    assert [word.text for word in found.words] == ["i", "have", "900", "dogs"]


def test_a_number_that_is_lost_even_so_is_said_and_not_worth_any_price(translator: Translator) -> None:
    (found,) = translator.translate(["ho 900 pesci"])
    assert (found.text, found.retried, found.warnings) == ("i have fish", True, (NUMBER,))
    (draft,) = translator.translate(["ho 900 pesci"], SearchConfig(retry=False))
    assert draft.warnings == (NUMBER,)


def test_neighbours_change_nothing(translator: Translator) -> None:
    texts = [*MIND, *FAULTY]
    assert translator.translate(texts) == [translator.translate([text])[0] for text in texts]


def test_a_text_of_which_one_sentence_was_tried_again_says_so(translator: Translator) -> None:
    (found,) = translator.translate(["Tom ha 12 gatti. Dorme."])
    assert found.text == "Tom has 12 cats. He sleeps." and found.retried and found.split


def test_a_forced_prefix_is_kept_also_where_it_loops_itself(translator: Translator) -> None:
    for prefix in ("the cat the cat", "the cat"):
        (found,) = translator.translate(["il gatto dorme"], prefixes=[prefix])
        assert found.retried and found.text.startswith(prefix)
    (found,) = translator.translate(["ho 12 gatti"], prefixes=["i have"])
    assert found.retried and found.text == "i have 12 cats"


def test_the_best_of_a_beam_is_mended_and_its_alternatives_stay(translator: Translator) -> None:
    bare = translator.translate(FAULTY, SearchConfig(beam=2, n_best=2, retry=False))
    assert bare[2].text == "i have cats" and [one.text for one in bare[2].alternatives] == ["i have 12 cats"]
    found = translator.translate(FAULTY, SearchConfig(beam=2, n_best=2))
    assert [one.text for one in found] == REPAIRED and found[2].retried
    assert [one.text for one in found[2].alternatives] == ["i have cats"]
    assert translator.translate(["la casa"], SearchConfig(beam=2, n_best=2))[0].alternatives[0].text == "house"


def test_a_lost_placeholder_behind_words_that_are_begun(translator: Translator) -> None:
    (found,) = translator.translate_sentences(["ho {name} cani"], prefixes=["i have "])
    assert "{name}" in found.text and found.retried
