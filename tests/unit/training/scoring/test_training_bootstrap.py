"""Intervals and paired comparisons: what they must be by their nature, and by sacreBLEU's public functions."""

import random

import pytest
import toy_corpus
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.significance import PairedTest

from model.errors import ConfigError
from training.evaluate import score
from training.scoring.bootstrap import Statistics

REFERENCES = [english for _, english in toy_corpus.pairs()]
SINGLE = [[reference] for reference in REFERENCES]


def worsened(share, seed=1):
    """The references, with this share of words lost."""
    rng = random.Random(seed)
    kept = ([word for word in line.split() if rng.random() >= share] for line in REFERENCES)
    return [" ".join(words) or "Nothing." for words in kept]


SOME, MORE = worsened(0.1), worsened(0.2)


def test_scores_are_those_of_sacrebleu_and_lie_in_their_intervals():
    estimate = Statistics(SOME, SINGLE).estimate()
    expected = score(SOME, REFERENCES)
    assert (estimate.bleu, estimate.chrf) == pytest.approx((expected.bleu, expected.chrf))
    assert estimate.bleu_interval[0] < estimate.bleu < estimate.bleu_interval[1]
    assert estimate.chrf_interval[0] < estimate.chrf < estimate.chrf_interval[1]
    assert estimate.sentences == len(REFERENCES)


def test_signatures_are_those_of_sacrebleu():
    statistics = Statistics(SOME, SINGLE)
    expected = score(SOME, REFERENCES)
    assert (statistics.bleu_signature, statistics.chrf_signature) == (expected.bleu_signature, expected.chrf_signature)


def test_intervals_agree_with_those_of_sacrebleu():
    """It draws other sentences, so only nearly."""
    _, results = PairedTest([("some", SOME)], {"bleu": BLEU(force=True), "chrf": CHRF()}, [REFERENCES], "bs")()
    estimate = Statistics(SOME, SINGLE).estimate()
    for name, interval in (("BLEU", estimate.bleu_interval), ("chrF2", estimate.chrf_interval)):
        (public,) = results[name]
        assert (interval[1] - interval[0]) / 2 == pytest.approx(public.ci, rel=0.15)
        assert sum(interval) / 2 == pytest.approx(public.mean, abs=0.3)


@pytest.mark.parametrize("share", [0.11, 0.13])
def test_p_agrees_with_the_randomization_test_of_sacrebleu(share):
    """Another test of the same question. (Its bootstrap folds the differences, and so halves p.)"""
    other = worsened(share, seed=2)
    systems, metrics = [("some", SOME), ("other", other)], {"bleu": BLEU(force=True), "chrf": CHRF()}
    _, results = PairedTest(systems, metrics, [REFERENCES], "ar", n_samples=1000)()
    found = Statistics(SOME, SINGLE).compare(Statistics(other, SINGLE))
    assert found["bleu"].p == pytest.approx(results["BLEU"][1].p_value, abs=0.05)
    assert found["chrf"].p == pytest.approx(results["chrF2"][1].p_value, abs=0.05)


def test_the_same_again():
    assert Statistics(SOME, SINGLE).estimate() == Statistics(SOME, SINGLE).estimate()


def test_four_times_the_sentences_halve_the_interval():
    statistics = Statistics(SOME * 4, SINGLE * 4)
    low, high = statistics.estimate().bleu_interval
    quarter_low, quarter_high = statistics.estimate(range(len(SOME))).bleu_interval
    assert (high - low) / (quarter_high - quarter_low) == pytest.approx(0.5, abs=0.06)


def test_the_scores_of_a_selection_are_those_of_its_sentences_alone():
    rows = [5, 2, 9, 30]
    selected = Statistics(SOME, SINGLE).estimate(rows)
    assert selected == Statistics([SOME[row] for row in rows], [SINGLE[row] for row in rows]).estimate()


def test_perfect_translations_leave_no_doubt():
    estimate = Statistics(REFERENCES, SINGLE).estimate()
    assert estimate.bleu_interval == pytest.approx((100, 100))


def test_a_version_is_no_better_than_itself():
    difference = Statistics(SOME, SINGLE).compare(Statistics(SOME, SINGLE))["bleu"]
    assert (difference.delta, difference.interval, difference.p) == (0, (0, 0), 1)


def test_a_clear_difference_is_sure_and_has_a_direction():
    some, more = Statistics(SOME, SINGLE), Statistics(MORE, SINGLE)
    for name, difference in some.compare(more).items():
        turned = more.compare(some)[name]
        assert 0 < difference.interval[0] < difference.delta < difference.interval[1]
        assert difference.p == turned.p == pytest.approx(1 / 1001)
        assert turned.delta == pytest.approx(-difference.delta)


def test_a_difference_by_chance_is_not_sure():
    """Both lose as many words, others."""
    difference = Statistics(SOME, SINGLE).compare(Statistics(worsened(0.1, seed=3), SINGLE))["bleu"]
    assert difference.interval[0] < 0 < difference.interval[1]
    assert difference.p > 0.05


def test_paired_is_surer_than_the_two_intervals_say():
    """Two versions that differ in a few sentences, always to the better."""
    better = [REFERENCES[row] if row % 10 == 0 else line for row, line in enumerate(SOME)]
    one, other = Statistics(better, SINGLE), Statistics(SOME, SINGLE)
    assert one.estimate().bleu_interval[0] < other.estimate().bleu_interval[1]
    assert one.compare(other)["bleu"].interval[0] > 0


def test_a_sentence_may_have_more_references_than_another():
    hypotheses = ["The sailor sees the boat.", "The girl buys a sail."]
    statistics = Statistics(
        hypotheses, [["The seaman spots the ship.", "The sailor sees the boat."], ["A girl buys it."]]
    )
    streams = [["The seaman spots the ship.", "A girl buys it."], ["The sailor sees the boat.", None]]
    assert statistics.estimate().bleu == pytest.approx(BLEU(force=True).corpus_score(hypotheses, streams).score)
    assert "nrefs:var" in statistics.bleu_signature


@pytest.mark.parametrize(("outputs", "references"), [([], []), (["a"], [["a"], ["b"]])])
def test_nothing_to_compare_is_an_error(outputs, references):
    with pytest.raises(ConfigError, match="cannot score"):
        Statistics(outputs, references)
