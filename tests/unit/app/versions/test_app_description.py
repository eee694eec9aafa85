"""What is read out of a card, which anybody may have written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.versions.description import (
    MOST_CHARS,
    MOST_KINDS,
    MOST_POINTS,
    MOST_SETS,
    Data,
    Kind,
    Point,
    Score,
    Training,
    challenge_of,
    curve_of,
    data_of,
    gate_of,
    scores_of,
    strong_kinds,
    texts_of,
    training_of,
    weak_kinds,
    words_of,
)
from model.versions.card import Card


def card(**parts: Any) -> Card:
    """As it is read from a file, where NaN and lone surrogates may stand."""
    values = {"pair": "it-en", "version": "v", "created": "2026-11-28T19:00:00+00:00", "files": {}, **parts}
    return Card.from_json(json.dumps(values))


def test_scores_come_with_their_intervals_and_the_training_s_own_last() -> None:
    full = {"sentences": 10, "bleu": 60.5, "bleu_interval": [59, 62.5], "chrf": 70, "chrf_interval": [69, 71]}
    found = scores_of(card(scores={"dev": {"bleu": 1.0}, "tatoeba.test, beam 4": full, "alignment": {"recall": 0.8}}))
    assert found == [
        Score("tatoeba.test, beam 4", 10, 60.5, (59.0, 62.5), 70.0, (69.0, 71.0)),
        Score("dev", None, 1.0, None, None, None),
    ]


def test_a_retrained_version_has_what_the_gate_measured() -> None:
    sets = [
        {"name": "corrections", "sentences": 3, "measure": "log-probability", "before": -2.0, "after": -1.0,
         "delta": 1.0, "interval": [0.5, 1.5], "passed": True, "why": "they gain"},
        {"name": "general", "sentences": 552, "measure": "BLEU", "before": 33.6, "after": 33.5, "delta": -0.1,
         "interval": [-0.4, 0.2], "passed": True, "why": "holds"},
    ]  # fmt: skip
    made = card(scores={"gate": {"sets": sets}})
    assert scores_of(made) == [Score("gate: general", 552, 33.5, None, None, None)]
    gate = gate_of(made)
    assert [(one.set, one.before, one.delta, one.passed) for one in gate] == [
        ("corrections", -2.0, 1.0, True), ("general", 33.6, -0.1, True),
    ]  # fmt: skip


def test_the_challenge_set_says_what_a_version_is_weak_at() -> None:
    phenomena = {
        "idioms": {"passed": 1, "items": 10}, "dates": {"passed": 4, "items": 10}, "names": {"passed": 9, "items": 10},
        "half": {"passed": 5, "items": 10}, "few": {"passed": 0, "items": 2},
    }  # fmt: skip
    challenge = challenge_of(card(scores={"challenge": {"passed": 19, "items": 42, "phenomena": phenomena}}))
    assert challenge is not None
    assert (challenge.passed, challenge.items) == (19, 42)
    assert challenge.kinds[0] == Kind("idioms", 1, 10)
    assert [one.name for one in weak_kinds(challenge)] == ["idioms", "dates"], "few items say nothing; half is not weak"
    assert [one.name for one in strong_kinds(challenge)] == ["names"], "nor is it strong"
    words = words_of(
        card(scores={"words": {"passed": 3, "items": 4, "phenomena": {"in capitals": {"passed": 3, "items": 4}}}})
    )
    assert words is not None and words.kinds == [Kind("in capitals", 3, 4)]
    texts = texts_of(card(scores={"texts": {"right": 2, "items": 3, "kinds": {"emoji": {"right": 2, "items": 3}}}}))
    assert texts is not None and texts.kinds == [Kind("emoji", 2, 3)]


def test_training_data_and_curve() -> None:
    training = {
        "target_tokens": 30, "steps": 4, "seconds": 6.5, "device": "2 CPU cores", "parameters": 10,
        "curve": [{"tokens": 20, "dev bleu": 5.0}, {"tokens": 10, "dev bleu": 2.0, "nll": 3.5}],
    }  # fmt: skip
    made = card(training=training, data={"a": {"kept": 5}, "b": {"kept": 7, "read": 9}, "replay": {"from": "a sample"}})
    assert training_of(made) == Training(30, 4, 6.5, "2 CPU cores", 10)
    assert data_of(made) == Data(2, 12, "a sample")
    assert curve_of(made) == [Point(10, {"dev bleu": 2.0, "nll": 3.5}), Point(20, {"dev bleu": 5.0})]


ODD: list[Any] = [
    None, True, -1, 10**400, float("nan"), float("inf"), "text", "\ud800", [], [1], [[]], {}, {"items": []},
    {"passed": 5, "items": 2, "phenomena": {"x": {"passed": True, "items": 1}}, "bleu": 1e9, "sets": [3, {}]},
    {"bleu": 50.0, "bleu_interval": [9, 1], "chrf": "50", "chrf_interval": [float("nan"), 1], "sentences": 1.5},
    {"passed": 1, "right": 1, "items": 1, "phenomena": 3, "kinds": {"\ud800": {"right": 1, "items": 1}}},
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_what_is_odd_is_left_out_and_can_be_sent(odd: Any) -> None:
    names = ("dev", "gate", "challenge", "words", "texts", "curve", "corpus", "\ud800")
    facts = dict.fromkeys(("target_tokens", "seconds", "device", "parameters", "curve"), odd)
    made = card(scores=dict.fromkeys(names, odd), data={**dict.fromkeys(names, odd), "replay": odd}, training=facts)
    challenge = challenge_of(made)
    found = [scores_of(made), gate_of(made), challenge, words_of(made), texts_of(made), weak_kinds(challenge),
             data_of(made), training_of(made), curve_of(made)]  # fmt: skip
    json.dumps(found, default=vars, allow_nan=False, ensure_ascii=False).encode()


def test_too_much_is_cut() -> None:
    many = {f"{number} {'x' * 5000}": {"bleu": 1.0, "passed": 1, "right": 1, "items": 1} for number in range(1000)}
    made = card(
        scores={**many, "challenge": {"passed": 1, "items": 1, "phenomena": many}},
        training={"curve": [{"tokens": number, **dict.fromkeys(map(str, range(500)), 1.0)} for number in range(1000)]},
    )
    assert len(scores_of(made)) == MOST_SETS
    assert max(len(one.set) for one in scores_of(made)) == MOST_CHARS
    challenge = challenge_of(made)
    assert challenge is not None and len(challenge.kinds) == MOST_KINDS
    assert len(curve_of(made)) == MOST_POINTS and len(curve_of(made)[0].values) < 20
