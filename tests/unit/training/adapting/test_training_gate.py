"""The gate: what it lets pass, alone and night after night."""

from __future__ import annotations

from pathlib import Path

import pytest
from retraining_kit import small_sets

from model.errors import ConfigError
from model.versions.card import CARD, Card
from training.adapting.anchor import find_anchor
from training.adapting.answers import Answers, judge_answers
from training.adapting.gate import HeldOut, Limits, gained, judge_log_probs, judge_set
from training.adapting.gate_sets import TOGETHER, GateSet, gate_sets, together
from training.adapting.trial import Attempt, why_none_passed

GATE = GateSet("general", [f"s{n}" for n in range(40)], [[f"the small cat number {n} sleeps here"] for n in range(40)])
WHOLE = together([GATE])
RIGHT = [references[0] for references in GATE.references]


def spoil(count: int) -> list[str]:
    return ["no dog is awake there at all"] * count + RIGHT[count:]


@pytest.mark.parametrize(
    ("spoilt", "limits", "passed"),
    [
        (0, Limits(), True),
        (1, Limits(margin=0.2), False),
        (1, Limits(margin=10, floor=10, drift=10), True),
        (1, Limits(margin=10, floor=10, drift=0.5), False),
        (1, Limits(margin=10, floor=0.5, drift=10), False),  # the mean is within the margin, the lower end is not
    ],
)
def test_all_sets_together_may_not_lose_more_than_the_limits(spoilt: int, limits: Limits, passed: bool) -> None:
    found = judge_set(WHOLE, RIGHT, spoil(spoilt), limits)
    assert found.passed is passed, found.why


@pytest.mark.parametrize(
    ("spoilt", "drift", "alone", "why"),
    [
        (0, -0.9, 1, "+0.00 BLEU, at worst +0.00; -0.90 since the last full training"),
        (1, 0, 10, "-2.50 BLEU, at worst -7.50"),
        (1, 0, 1, "loses 2.50 BLEU; 1 may be lost"),
        (0, -1.2, 1, "is 1.20 BLEU below the last full training; 1 may be lost: train in full, or go back"),
    ],
)
def test_a_set_by_itself_may_lose_what_chance_takes(spoilt: int, drift: float, alone: float, why: str) -> None:
    found = judge_set(GATE, RIGHT, spoil(spoilt), Limits(alone=alone), drift)
    assert (found.why, found.passed) == (why, why[0] in "+-")
    assert [one.source for one in found.changed] == GATE.sources[:spoilt]


def test_a_gain_of_one_set_makes_up_for_a_loss_of_another() -> None:
    """The same sentences lost in one and won in the other: as a whole nothing has changed."""
    other = GateSet("challenge", GATE.sources, GATE.references)
    both = together([GATE, other])
    assert (both.name, both.sources) == (TOGETHER, GATE.sources * 2)
    found = judge_set(both, RIGHT + spoil(1), spoil(1) + RIGHT, Limits(margin=0, floor=20))
    assert found.passed and found.sentences == 80 and not found.changed
    assert not judge_set(GATE, RIGHT, spoil(1), Limits(margin=0, floor=20)).passed


@pytest.mark.parametrize(
    ("after", "after_crossed", "passed"),
    [
        ([-1.0, -1.5], [-6.0, -6.0], True),
        ([-3.5, -3.5], [-6.0, -6.0], False),  # less likely
        ([-1.0, -1.5], [-3.0, -3.0], False),  # likelier, but after any source
    ],
)
def test_held_out_corrections_must_gain_after_their_own_sources(
    after: list[float], after_crossed: list[float], passed: bool
) -> None:
    assert judge_log_probs(HeldOut([-3.0, -3.0], after, [-6.0, -6.0], after_crossed)).passed is passed


LONG = together(
    [GateSet("general", [f"s{n}" for n in range(400)], [[f"the small cat number {n} sleeps here"] for n in range(400)])]
)
NIGHTS = 30


def worse(outputs: list[str]) -> list[str]:
    """One more of the translations ends otherwise: some 0.15 BLEU, which the gate lets pass."""
    row = next(row for row, text in enumerate(outputs) if text.endswith("sleeps here"))
    return [*outputs[:row], outputs[row].removesuffix("sleeps here") + "is there", *outputs[row + 1 :]]


def write_card(root: Path, version: str, parent: str | None, gate: dict[str, object] | None) -> Card:
    """The card of a version, without the version: all that a running sum needs."""
    settings = {"adaptation": {}} if parent else {}
    card = Card("it-en", version, "2026-11-28T03:00:00+00:00", {"model.safetensors": version}, parent=parent,
                scores={"gate": gate} if gate else {}, settings=settings)  # fmt: skip
    (root / "it-en" / version).mkdir(parents=True)
    (root / "it-en" / version / CARD).write_text(card.to_json())
    return card


def nights(root: Path, limits: Limits, measured: bool) -> list[str]:
    """Nights, each with a candidate that is a little worse; the translations of the version that serves then."""
    first = current = [references[0] for references in LONG.references]
    card = write_card(root, "full", None, None)
    for night in range(NIGHTS):
        anchor = find_anchor(card, [root])
        assert (anchor.version, anchor.folder) == ("full", root / "it-en" / "full")
        drift = gained(LONG, first, current) if measured else anchor.drift.get(TOGETHER, 0.0)
        judged = judge_set(LONG, current, worse(current), limits, drift)
        if not judged.passed:
            break  # and so would be the other nights, which are the same
        assert judged.drift is not None
        current = worse(current)
        record = {"anchor": anchor.record({TOGETHER: judged.drift}, {TOGETHER: LONG.sha256})}
        card = write_card(root, f"night-{night}", f"it-en/{card.version}", record)
    return current


@pytest.mark.parametrize("measured", [True, False])
def test_many_promotions_lose_no_more_than_the_bound(measured: bool, tmp_path: Path) -> None:
    """The sum is measured where the anchor is there, and else taken from the cards."""
    first = [references[0] for references in LONG.references]
    assert -0.5 <= gained(LONG, first, nights(tmp_path, Limits(), measured)) < -0.3


def test_many_promotions_would_lose_many_points_without_the_bound(tmp_path: Path) -> None:
    """Each loses less than may be lost at once: what bounds them in the test above is the anchor alone."""
    first = [references[0] for references in LONG.references]
    assert gained(LONG, first, nights(tmp_path, Limits(drift=100), measured=False)) < -2.5


def test_a_reason_names_the_last_full_training() -> None:
    first = [references[0] for references in LONG.references]
    judged = judge_set(LONG, first, worse(first), Limits(), drift=-0.45)
    assert not judged.passed
    assert "below the last full training" in judged.why and "0.5 may be lost" in judged.why


@pytest.mark.parametrize(("lost", "said"), [(0.5004, "0.5004"), (0.50000001, "0.50000001"), (0.75, "0.75")])
def test_a_reason_shows_more_than_may_be_lost(lost: float, said: str) -> None:
    """Two decimals may be those of the limit: 0.50 where 0.5 may be lost is a riddle."""
    assert judge_set(WHOLE, RIGHT, RIGHT, Limits(), drift=-lost).why.startswith(f"is {said} BLEU below")


def test_each_attempt_says_its_strength_once_and_a_single_one_not_at_all() -> None:
    found = judge_set(GATE, RIGHT, spoil(1), Limits())
    attempts = [Attempt(strength, Answers(2, 0, 0, 0, 0), [found]) for strength in (1.0, 0.7)]
    both = f"answers none of 2 corrections itself; {GATE.name} {found.why}"
    assert why_none_passed(attempts) == [f"With {share}% of what was learnt: {both}" for share in (100, 70)]
    assert why_none_passed(attempts[:1]) == both.split("; ", 1)
    assert why_none_passed([]) == []


def test_the_sum_goes_on_when_the_anchor_is_gone_or_another_has_its_name(tmp_path: Path) -> None:
    record = {"version": "full", "sha256": "full", "drift": {"general": -0.25, "tatoeba.dev": 0.5}}
    card = write_card(tmp_path, "one", "it-en/full", {"anchor": record})
    gone = find_anchor(card, [tmp_path])
    assert (gone.version, gone.folder, gone.drift) == ("full", None, record["drift"])
    recorded = gone.record({"general": -0.5}, {"general": "x", "challenge": "y"})
    assert recorded["drift"] == {"general": -0.5, "tatoeba.dev": 0.5}, "dev was not there tonight"
    assert recorded["sets"] == {"general": "x"}, "challenge was not measured"
    write_card(tmp_path, "full", None, None)
    assert find_anchor(card, [tmp_path]).folder == tmp_path / "it-en" / "full"
    other = {**record, "sha256": "other weights"}
    card = write_card(tmp_path, "two", "it-en/full", {"anchor": other})
    assert find_anchor(card, [tmp_path]).folder is None, "an upgrade brings another default"


def test_versions_from_before_anchors_are_summed_up_by_what_their_gates_measured(tmp_path: Path) -> None:
    def gate(delta: float) -> dict[str, object]:
        return {"sets": [{"name": "corrections", "delta": 9.0}, {"name": "general", "delta": delta}]}

    write_card(tmp_path, "one", "it-en/full", gate(-0.125))
    card = write_card(tmp_path, "two", "it-en/one", gate(-0.25))
    found = find_anchor(card, [tmp_path])
    assert (found.version, found.folder, found.drift) == ("full", None, {"general": -0.375})
    full = write_card(tmp_path, "full", None, None)
    assert find_anchor(card, [tmp_path]).folder == tmp_path / "it-en" / "full"
    assert find_anchor(full, [tmp_path]).drift == {}


def test_what_was_lost_on_other_sentences_of_the_same_name_is_not_added(tmp_path: Path) -> None:
    """`--sets` brings sets of one's own under the names of ours."""
    one, other = ({"general": gate.sha256} for gate in (GATE, LONG))
    full = write_card(tmp_path, "full", None, None)
    first = find_anchor(full, [tmp_path]).record({"general": -0.25, "challenge": -0.1}, {**one, "challenge": "c"})
    found = find_anchor(write_card(tmp_path, "one", "it-en/full", {"anchor": first}), [tmp_path])
    assert found.drift_on("general", GATE.sha256) == -0.25
    assert found.drift_on("general", LONG.sha256) == 0, "points on other sentences"
    second = find_anchor(
        write_card(tmp_path, "two", "it-en/one", {"anchor": found.record({"general": -0.5}, other)}), []
    )
    assert (second.drift_on("general", GATE.sha256), second.drift_on("general", LONG.sha256)) == (0, -0.5)
    assert second.drift_on("challenge", "c") == -0.1, "it was not there the second time"
    old = find_anchor(write_card(tmp_path, "old", "it-en/full", {"anchor": {**first, "sets": {}}}), [])
    assert old.drift_on("general", GATE.sha256) == -0.25, "a card from before that was recorded"


@pytest.mark.timeout(20)
def test_a_circle_of_parents_is_left(tmp_path: Path) -> None:
    """A version that was copied from another machine may have the name of a child of its own child."""
    gate: dict[str, object] = {"sets": [{"name": "general", "delta": -0.25}]}
    card = write_card(tmp_path, "one", "it-en/two", gate)
    write_card(tmp_path, "two", "it-en/one", gate)
    found = find_anchor(card, [tmp_path])
    assert (found.folder, found.drift) == (None, {"general": -0.5}), "the sum once round"


@pytest.mark.parametrize(("lines", "judged"), [(1394, (1000, 1394)), (1150, (0, 1000)), (20, (0, 20))])
def test_dev_sentences_that_chose_the_weights_do_not_judge(lines: int, judged: tuple[int, int], tmp_path: Path) -> None:
    """Of a dev set, the first thousand are what training chose its best moment by; where there are no others, they."""
    (tmp_path / "tatoeba.dev.tsv").write_text("".join(f"Frase {n}.\tSentence {n}.\n" for n in range(lines)))
    found = gate_sets("it-en", tmp_path)[-1]
    assert found.sources == [f"Frase {n}." for n in range(*judged)]


def test_the_gate_does_without_no_set_that_was_to_be_there(tmp_path: Path) -> None:
    """A folder that was mistyped must not switch the gate off."""
    with pytest.raises(ConfigError, match=r"no it-en/general\.tsv and no it-en/challenge\.tsv"):
        gate_sets("it-en", None, tmp_path)
    sets = small_sets(tmp_path / "sets")
    assert [gate.name for gate in gate_sets("it-en", None, sets)] == ["challenge", "general"]
    (sets / "it-en" / "challenge.tsv").unlink()
    with pytest.raises(ConfigError, match=r"there is no it-en/challenge\.tsv:"):
        gate_sets("it-en", None, sets)
    with pytest.raises(ConfigError, match="no set for it-fr"):
        gate_sets("it-fr", None)


@pytest.mark.parametrize(
    ("before", "after", "passed", "why"),
    [
        (["x", "x"], ["a cat!", "x"], True, "answers 1 of 2 corrections itself; before, 0"),
        (["x", "x"], ["x", "y"], False, "answers none of 2 corrections itself"),
        (["A cat.", "x"], ["A cat.", "y"], False,
         "answers 1 of 2 corrections itself; before, 1, and none that it had not answered"),
        (["A cat.", "x"], ["x", "A dog."], True, "answers 1 of 2 corrections itself; before, 1"),
        (["a cat", "x"], ["A cat.", "x"], True, "answers 1 of 2 corrections itself; before, 1"),
        (["A cat.", "A dog."], ["A cat.", "A dog."], True, "answers 2 of 2 corrections itself; before, 2"),
        (["A cat.", "A dog."], ["x", "x"], False, "answers none of 2 corrections itself"),
        (["a cat", "A dog."], ["a cat", "A dog."], False,
         "answers 2 of 2 corrections itself; before, 2, and none that it had not answered"),
        (["a cat", "A dog."], ["A cat.", "A dog."], True, "answers 2 of 2 corrections itself; before, 2"),
        (["A cat.", "A dog."], ["x", "A dog."], False, "answers 1 of 2 corrections itself; before, 2: fewer"),
        (["x", "A dog.", "A cow."], ["A cat.", "x", "x"], False,
         "answers 1 of 3 corrections itself; before, 2: fewer"),
    ],
    ids=["one", "none", "what it said before", "another", "its full stop", "all before", "all lost",
         "all but a capital", "all but a full stop, and learnt", "one of all lost", "one learnt, two lost"],
)  # fmt: skip
def test_a_candidate_must_say_a_correction_that_it_did_not_say(
    before: list[str], after: list[str], passed: bool, why: str
) -> None:
    found = judge_answers(["A cat.", "A dog.", "A cow."][: len(before)], before, after)
    assert (found.passed, found.why) == (passed, why)
