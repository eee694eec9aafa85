"""The replay samples: how seeds are drawn, what is left out, and what was shipped."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from rich.console import Console
from sacrebleu.metrics.chrf import CHRF

from model.errors import ConfigError
from model.translation import Translation
from training.adapting import replay_sample as module
from training.adapting.replay_grammar import GRAMMAR, Grammar
from training.adapting.replay_sample import (
    Trip,
    choose,
    look_up,
    novel,
    own_sentences,
    problem_of,
    sample,
    words_of,
    write,
)
from training.data import cleaning
from training.data.pairs import normalise_key
from training.scoring.sets import SETS, read_general

METRIC = CHRF()
GOOD = Trip(
    "The sailor sells a boat.", "Il marinaio vende una barca.", "The sailor sells a boat.",
    "Il marinaio vende una barca.", (-0.1, -0.1, -0.1),
)  # fmt: skip
MAX_BYTES = 150_000


def trip(**changes):
    return Trip(**(vars(GOOD) | changes))


class Phrasebook:
    """A translator that knows some sentences by heart, and says the rest as it is."""

    def __init__(self, phrases):
        self.phrases = phrases

    def translate(self, texts, search=None):
        return [Translation(self.phrases.get(text, text), -0.1) for text in texts]


def test_a_grammar_puts_its_phrases_together():
    grammar = Grammar(
        "# a comment\ns: {who} {did}.\nwho: I\n  | they\ndo/did: buy/bought a {thing}\nthing: oar\nthing: net\n"
    )
    made = {grammar.sentence(random.Random(seed)) for seed in range(40)}
    assert made == {"I bought an oar.", "I bought a net.", "They bought an oar.", "They bought a net."}
    assert grammar.sentence(random.Random(0), "do").startswith("Buy a")


@pytest.mark.parametrize(("text", "said"), [("s: {who} sleeps.", "has no who"), ("what is this", "no `name: `")])
def test_a_broken_grammar_is_named(text, said):
    with pytest.raises(ConfigError, match=said):
        Grammar(text)


def test_the_shipped_grammar_is_whole_and_says_something_else_each_time():
    grammar = Grammar(GRAMMAR.read_text(encoding="utf-8"))
    drawn = [grammar.sentence(random.Random(seed)) for seed in range(500)]
    assert not [text for text in drawn if any(mark in text for mark in "{}|/")]
    assert len(set(drawn)) > 450


@pytest.mark.parametrize("direction", ["it-en", "en-it"])
@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, ""),
        ({"italian": "Il mare.", "english": "The sea.", "again": "Il mare."}, "length"),
        ({"scores": (-0.1, -0.9, -0.1)}, "not fluent"),
        ({"english": "The sailor sells a boat a boat."}, "loop or wrong number"),
        ({"italian": "La barca è caro oggi.", "again": "La barca è caro oggi."}, "agreement"),
        ({"english": "I has a boat."}, "agreement"),
        ({"english": "Nobody knows the way to the lighthouse."}, "other English"),
        ({"english": "Il marinaio vende una barca."}, "identical"),
    ],
)
def test_what_is_wrong_with_a_pair_is_seen(direction, changes, problem):
    assert problem_of(trip(**changes), direction, METRIC) == problem


def test_the_way_back_into_italian_counts():
    assert problem_of(trip(again="Nessuno conosce la strada."), "it-en", METRIC) == "other Italian"
    assert problem_of(trip(scores=(-0.1, -0.1, -0.9)), "en-it", METRIC) == "not fluent"
    assert problem_of(trip(scores=(-0.1, -0.1, -0.9)), "it-en", METRIC) == "", "the last translation is no part of it"


CORPUS = [
    ("Il marinaio vende la vela.", "The sailor sells the sail."),
    ("Il marinaio vende il faro.", "The sailor sells the lighthouse."),
    ("Piove. Il marinaio vende la barca!", "It rains. The sailor sells the boat!"),
]


def test_sentences_of_a_corpus_go_also_from_within_its_rows():
    inside = ("Il marinaio vende la barca.", "A seaman sells a boat.")
    new = ("Il marinaio vende.", "The sailor sells.")
    seen = look_up([inside, new], CORPUS)
    assert seen.keys == {"il marinaio vende la barca"}
    assert list(novel([inside, new], [inside, new], seen, set())) == [new]


def test_words_and_neighbours_must_be_real(monkeypatch):
    monkeypatch.setattr(module, "STRANGE", 0)
    pairs = [
        ("Il marinaio vende.", "The sailor sells."),
        ("Il marinaio vennde.", "The sailor sells."),
        ("Vende marinaio.", "The sailor sells."),
    ]
    seen = look_up(pairs, CORPUS)
    assert [seen.is_real(0, italian) for italian, _ in pairs] == [True, False, False]
    assert seen.is_real(1, "The sailor sells.")


def test_own_sets_go_and_no_side_comes_twice():
    pairs = [
        ("Il marinaio vende.", "The sailor sells."),
        ("il marinaio vende", "The sailor."),
        ("Il marinaio.", "The sailor."),
    ]
    seen = look_up(pairs, CORPUS)
    assert list(novel(pairs, pairs, seen, set())) == [pairs[0], pairs[2]]
    assert list(novel(pairs, pairs, seen, {"the sailor"})) == [pairs[0]]


def test_own_sentences_are_those_of_our_sets_answers_included(tmp_path):
    (tmp_path / "it-en").mkdir()
    (tmp_path / "it-en/challenge.tsv").write_text("names\tDov'è Pia?\tWhere is Pia? | Where's Pia?\tPia\t\n")
    (tmp_path / "it-en/replay.tsv").write_text("Ecco il faro.\tHere is the lighthouse.\n")
    own = own_sentences(tmp_path)
    assert {"dov è pia", "where is pia", "where s pia"} <= own
    assert "ecco il faro" not in own


def test_the_choice_is_varied_in_length_and_opening():
    things = ("il mare", "il faro", "la vela")
    pairs = [(f"{who} vede {what}{time}", "x") for who in ("Lei", "Lui") for what in things for time in ("", " oggi")]
    chosen = choose(pairs * 2, 10)
    assert len(chosen) == len(set(chosen)) == 2, "one for each opening"
    lengths = Counter(
        len(source.split()) for source, _ in choose([(f"{chr(97 + n)}ei vede il mare", "x") for n in range(26)], 20)
    )
    assert lengths == {4: round(20 * module.SHARES[4])}


def test_what_has_a_word_that_was_not_there_is_chosen_first(monkeypatch):
    monkeypatch.setattr(module, "SHARES", {4: 1.0, module.MAX_WORDS: 0.0})
    monkeypatch.setattr(module, "OPENING_SHARE", 1.0)
    first, same, other = ("Lei vede il mare", "x"), ("Il mare vede lei", "x"), ("Noi pitturiamo la barca", "x")
    assert choose([first, same, other], 2) == [first, other]
    assert choose([first, same, other], 3) == [first, other, same]


@pytest.mark.parametrize("direction", ["it-en", "en-it"])
def test_a_sample_has_the_direction_and_nothing_of_the_corpus(direction, tmp_path, monkeypatch):
    grammar = tmp_path / "grammar.txt"
    grammar.write_text("s: The sailor sells the {thing}.\nthing: sail | boat | lighthouse\n")
    monkeypatch.setattr(module, "GRAMMAR", grammar)
    english = [f"The sailor sells the {thing}." for thing in ("sail", "boat", "lighthouse")]
    italian = [f"Il marinaio vende {thing}." for thing in ("la vela", "la barca", "il faro")]
    books = Phrasebook(dict(zip(english, italian, strict=True))), Phrasebook(dict(zip(italian, english, strict=True)))
    rows = [("Il marinaio vende la vela.", "The sailor sells the sail.")] * 3 + [
        ("La barca e il faro.", "The boat.")
    ] * 3
    (tmp_path / "data").mkdir()
    (tmp_path / "data/sea.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    made = [sample(direction, tmp_path / "data", 100, 7, books, Console(quiet=True)) for _ in range(2)]
    boat = (italian[1], english[1]) if direction == "it-en" else (english[1], italian[1])
    assert made == [[boat]] * 2


def test_a_table_is_written_as_the_trainer_reads_it(tmp_path):
    pairs = [("Il marinaio vende.", "The sailor sells.")]
    write(pairs, "it-en", 7, tmp_path / "replay.tsv")
    assert read_general(tmp_path / "replay.tsv") == pairs
    first = (tmp_path / "replay.tsv").read_text().splitlines()[0]
    assert first.startswith("# source (it)\ttarget (en)")
    assert "seed 7" in first


@pytest.mark.weights
@pytest.mark.parametrize("direction", ["it-en", "en-it"])
def test_the_shipped_sample_is_sound(direction):
    path = SETS / direction / "replay.tsv"
    pairs = read_general(path)
    assert path.stat().st_size <= MAX_BYTES
    assert len(pairs) >= 1500
    for side in (0, 1):
        keys = [normalise_key(pair[side]) for pair in pairs]
        assert len(keys) == len(set(keys))
        assert not own_sentences() & set(keys)
    turned = pairs if direction == "it-en" else [(target, source) for source, target in pairs]
    assert [pair for pair in turned if cleaning.problem_of(pair) or pair != tuple(map(cleaning.tidy, pair))] == []
    openings = Counter(tuple(words_of(source)[:2]) for source, _ in pairs)
    assert max(openings.values()) <= 0.02 * len(pairs)
