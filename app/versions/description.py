"""What a version's card says, for people who compare versions.

A card is a file that anybody may have written: what is missing is None or empty, and so is what is not of its kind, too
much, or too large. Whatever comes out can be sent as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model.versions.card import Card

MOST_SETS, MOST_KINDS, MOST_POINTS, MOST_VALUES = 30, 100, 100, 12
MOST_CHARS = 200
"""Of a name; a reason may have five times as many."""
MOST_COUNT = 2**53
"""Larger whole numbers are not exact in JavaScript, and no card of ours has any."""
WEAK_SHARE, WEAK_ITEMS, MOST_WEAK = 0.5, 10, 5
"""Weak is what fails more than this share of so many items or more, strong what fails less; so many are named."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Score:
    """The figures of one set of sentences; BLEU and chrF 0 to 100, intervals of 95 %."""

    set: str
    sentences: int | None
    bleu: float | None
    bleu_interval: Interval | None
    chrf: float | None
    chrf_interval: Interval | None


@dataclass(frozen=True)
class Kind:
    """Of one kind of item: how many are right."""

    name: str
    passed: int
    items: int


@dataclass(frozen=True)
class Checked:
    """A set whose items are right or wrong."""

    passed: int
    items: int
    kinds: list[Kind]


@dataclass(frozen=True)
class GateResult:
    """What the gate found on one set when the version was made."""

    set: str
    sentences: int | None
    measure: str
    before: float | None
    after: float | None
    delta: float | None
    interval: Interval | None
    """Of the difference."""
    passed: bool
    why: str


@dataclass(frozen=True)
class Training:
    """How the version was trained."""

    tokens: int | None
    """Target tokens."""
    steps: int | None
    seconds: float | None
    device: str | None
    parameters: int | None


@dataclass(frozen=True)
class Data:
    """What the version was trained on."""

    corpora: int
    pairs: int
    """Of sentences, in all corpora together."""
    replayed: str | None
    """For a retrained version: where the other sentences came from."""


@dataclass(frozen=True)
class Point:
    """One evaluation while the version was trained."""

    tokens: int
    """Target tokens so far."""
    values: dict[str, float]
    """`SET bleu`, `SET nll` and `nll`, as `training.scoring.curve` describes them."""


def scores_of(card: Card) -> list[Score]:
    """The scores on each set, those of a test before those of the training itself and of the gate."""
    found = [score for name, values in card.scores.items() if (score := _score(name, values)) is not None]
    gate = [
        Score(f"gate: {one.set}", one.sentences, one.after, None, None, None)
        for one in gate_of(card)
        if one.measure == "BLEU" and one.after is not None and one.after >= 0
    ]
    return sorted(found, key=lambda one: one.set == "dev")[:MOST_SETS] + gate


def _score(name: str, values: object) -> Score | None:
    if not isinstance(values, dict):
        return None
    bleu, chrf = (_number(values.get(measure), 0, 100) for measure in ("bleu", "chrf"))
    if bleu is None and chrf is None:
        return None
    of_bleu, of_chrf = (_interval(values.get(f"{measure}_interval")) for measure in ("bleu", "chrf"))
    return Score(_text(name), _count(values.get("sentences")), bleu, of_bleu, chrf, of_chrf)


def gate_of(card: Card) -> list[GateResult]:
    """What the gate found, for a version that was made by retraining."""
    sets = _part(card.scores, "gate").get("sets")
    rows = [one for one in sets if isinstance(one, dict)] if isinstance(sets, list) else []
    return [_gate_result(row) for row in rows[:MOST_SETS]]


def _gate_result(row: dict[str, Any]) -> GateResult:
    before, after, delta = (_number(row.get(name), -1e6, 1e6) for name in ("before", "after", "delta"))
    return GateResult(
        set=_text(row.get("name")),
        sentences=_count(row.get("sentences")),
        measure=_text(row.get("measure")),
        before=before,
        after=after,
        delta=delta,
        interval=_interval(row.get("interval")),
        passed=row.get("passed") is True,
        why=_text(row.get("why"), 5 * MOST_CHARS),
    )


def challenge_of(card: Card) -> Checked | None:
    """The challenge set, by phenomenon."""
    return _checked(_part(card.scores, "challenge"), "passed", "phenomena")


def words_of(card: Card) -> Checked | None:
    """Everyday words, by the form in which they are typed."""
    return _checked(_part(card.scores, "words"), "passed", "phenomena")


def texts_of(card: Card) -> Checked | None:
    """Texts as people write them, by kind."""
    return _checked(_part(card.scores, "texts"), "right", "kinds")


def _checked(scores: Mapping[str, Any], passed: str, kinds: str) -> Checked | None:
    whole = _kind("", scores, passed)
    if whole is None:
        return None
    found = (_kind(name, values, passed) for name, values in _part(scores, kinds).items())
    return Checked(whole.passed, whole.items, [one for one in found if one is not None][:MOST_KINDS])


def _kind(name: str, values: object, passed: str) -> Kind | None:
    if not isinstance(values, Mapping):
        return None
    right, items = _count(values.get(passed)), _count(values.get("items"))
    return None if right is None or not items or right > items else Kind(_text(name), right, items)


def weak_kinds(challenge: Checked | None) -> list[Kind]:
    """The phenomena that the version gets wrong more often than right, the weakest first."""
    return [one for one in _by_share(challenge) if one.passed < WEAK_SHARE * one.items][:MOST_WEAK]


def strong_kinds(challenge: Checked | None) -> list[Kind]:
    """Those that it gets right more often than wrong, the strongest first."""
    return [one for one in reversed(_by_share(challenge)) if one.passed > WEAK_SHARE * one.items][:MOST_WEAK]


def _by_share(challenge: Checked | None) -> list[Kind]:
    kinds = [one for one in challenge.kinds if one.items >= WEAK_ITEMS] if challenge else []
    return sorted(kinds, key=lambda one: one.passed / one.items)


def training_of(card: Card) -> Training:
    """Size and effort of the training."""
    facts = card.training
    device = facts.get("device")
    return Training(
        tokens=_count(facts.get("target_tokens")),
        steps=_count(facts.get("steps")),
        seconds=_number(facts.get("seconds"), 0, 1e10),
        device=_text(device) if isinstance(device, str) else None,
        parameters=_count(facts.get("parameters")),
    )


def data_of(card: Card) -> Data:
    """How much the version was trained on: corpora are those of which the card says how many pairs were kept."""
    kept = [_count(one.get("kept")) for one in card.data.values() if isinstance(one, dict)]
    counts = [count for count in kept if count is not None]
    replayed = _part(card.data, "replay").get("from")
    return Data(len(counts), min(sum(counts), MOST_COUNT), _text(replayed) if isinstance(replayed, str) else None)


def curve_of(card: Card) -> list[Point]:
    """The learning curve, by tokens; empty for versions that have none."""
    rows = card.training.get("curve")
    found = [_point(row) for row in rows[:MOST_POINTS] if isinstance(row, dict)] if isinstance(rows, list) else []
    return sorted((one for one in found if one is not None), key=lambda one: one.tokens)


def _point(row: dict[str, Any]) -> Point | None:
    tokens = _count(row.get("tokens"))
    named = ((_text(name), _number(value, 0, 1e6)) for name, value in row.items() if name != "tokens")
    values = dict([(name, value) for name, value in named if value is not None][:MOST_VALUES])
    return None if tokens is None or not values else Point(tokens, values)


def _part(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = values.get(name)
    return found if isinstance(found, dict) else {}


def _number(value: object, low: float, high: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        return None  # NaN is not between any two
    return float(value)


def _count(value: object) -> int | None:
    is_whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_COUNT
    return int(value) if is_whole else None  # type: ignore[call-overload]


def _interval(value: object) -> Interval | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    low, high = (_number(one, -1e6, 1e6) for one in value)
    return None if low is None or high is None or not low <= high else (low, high)


def _text(value: object, most: int = MOST_CHARS) -> str:
    """Without lone surrogates, which JSON in UTF-8 cannot hold."""
    return value.encode("utf-8", "replace").decode()[:most] if isinstance(value, str) else ""


def shown_name(text: str | None) -> str | None:
    """A name in a card, fit to be sent."""
    return None if text is None else _text(text)
