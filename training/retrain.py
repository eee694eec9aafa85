"""Corrections + the version that serves -> a candidate, and the gate's report on it.

    corrections file -> examples -> those that fit their sources
        -> folds: adapted to the rest, judged on what they hold out -> the best stop
        -> the parent adapted to all of them up to that stop -> blends with the parent, the strongest first
        -> each as a version folder -> the gate -> the first that passes, or the weakest with the reasons

Always from the version that serves, never from an earlier candidate: tuning what was tuned before drifts.
Nothing of it runs in the server's process, and nothing but the finished candidate is written outside `work`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from model.config import require
from model.network.seq2seq import Seq2Seq
from model.translator import MAX_SOURCE_TOKENS, Translator
from model.versions import store
from model.versions.store import Version
from training.adapting.adaptation import Material, adapt, encode, log_probs
from training.adapting.corrections import Example, LeftOut, examples, fitting, read_corrections
from training.adapting.folds import Fold, blended, deal, read_weights, run_folds
from training.adapting.gate import (
    BLEU_FROM,
    GateSet,
    HeldOut,
    Judgement,
    gate_sets,
    judge_bleu,
    judge_log_probs,
    judge_set,
    translations,
)
from training.adapting.job import Attempt, Job, Outcome
from training.adapting.replay import Replay, find_replay
from training.data.sources import commit
from training.evaluate import record
from training.run.batching import Encoded
from training.run.progress import Stages

STRENGTHS = (1.0, 0.7, 0.5, 0.35)
"""Shares of the new weights that are tried, until one passes the gate."""
MOST_LEFT_OUT = 0.25
"""If more of the corrections do not fit their sources, something is wrong with all of them."""


def retrain(job: Job, console: Console) -> Outcome:
    """Train and judge a candidate; its folder is in `job.out` whole or not at all.

    Raises:
        ConfigError: the corrections or the data cannot be used, or the candidate exists already.
        VersionError: the parent is missing or damaged.
    """
    parent = store.load(job.parent)
    folder = job.out / parent.card.pair / job.version
    require(not folder.exists(), f"{folder} exists already; choose another name")
    with Stages(console) as stages:
        return _Retraining(job, parent, stages).run()


@dataclass(frozen=True)
class _HeldOut:
    """The corrections in the order of the folds, and what the parent makes of them."""

    examples: list[Example]
    crossed: list[Encoded]
    """A strange source and the correction, for each."""
    before: list[float]
    before_crossed: list[float]
    outputs: list[str] | None
    """The parent's translations; None where they are too few for BLEU."""


class _Retraining:
    """One run; each method is one of the arrows above."""

    def __init__(self, job: Job, parent: Version, stages: Stages) -> None:
        self.job, self.parent, self.stages = job, parent, stages
        self.tokenizers = parent.source, parent.target
        self.max_tokens = int(parent.card.settings.get("max_source_tokens", MAX_SOURCE_TOKENS))
        self.began = time.monotonic()
        self.gates: list[GateSet] = []
        self.replay = Replay((), "none")
        self.left_out: list[LeftOut] = []
        self.stop = 0

    def run(self) -> Outcome:
        """From the file to the outcome."""
        self.stages.begin("reading")
        self.gates = gate_sets(self.parent.card.pair, self.job.data)
        self.replay = find_replay(self.parent.card, self.job.data, self.job.consented, self.job.settings.seed)
        found, strangers = self._examples()
        refusal = self._refusal(found)
        if refusal:
            return Outcome(False, None, [], self._report([], refusal))
        replayed = [ids for ids in encode(self.replay.pairs, self.tokenizers, self.max_tokens) if ids]
        folds, per_stop = self._validate(found, replayed)
        final = self._adapt(found, replayed)
        attempts, folder = self._pass_the_gate(found, (folds, strangers), final)
        report = self._report(attempts, None, {"stops": per_stop})
        record(folder, "gate", {**report, "sets": [_without_texts(one) for one in report["sets"]]})
        return Outcome(attempts[-1].passed, folder, sorted({one.id for one in found}), report)

    def _examples(self) -> tuple[list[Example], list[Encoded]]:
        """What can be learnt, and strange sources to try it with."""
        corrections = read_corrections(self.job.corrections, self.job.sha256)
        found, too_long = examples(corrections, self.parent.card.pair, self.tokenizers, self.max_tokens)
        sources = [(source, source) for gate in self.gates for source in gate.sources] or self.replay.pairs
        sources = sources or [(one.source, one.target) for one in found]
        strangers = [ids for ids in encode(sources, self.tokenizers, self.max_tokens) if ids]
        seed, least = self.job.settings.seed, self.job.limits.least_fit
        fit, strange = fitting(self.parent.model, found, strangers, seed, least) if found else ([], [])
        self.left_out = [*too_long, *strange]
        return fit, strangers

    def _refusal(self, found: Sequence[Example]) -> str | None:
        left, out = len({one.id for one in found}), len(self.left_out)
        if out > MOST_LEFT_OUT * (left + out):
            return f"{out} of {left + out} corrections cannot be translations of their sources: review them first"
        return None if found else "there is no correction to learn from"

    def _validate(self, found: Sequence[Example], replayed: Sequence[Encoded]) -> tuple[list[Fold], list[float]]:
        """Choose the stop; the folds, and how likely held-out corrections are at each stop (nats a token)."""
        folds = deal(found, replayed, self.job.parent, self.job.settings, self.job.work)
        if not folds:  # a single correction: nothing can be held out
            return [], []
        self.stages.begin(f"cross-validation, {len(folds)} folds", len(folds))
        results = run_folds(folds, self.job.processes, self.stages.advance)
        by_stop = [[value for of_fold in results for value in of_fold[stop]] for stop in range(len(results[0]))]
        means = [sum(values) / len(values) for values in by_stop]
        self.stop = max(range(len(means)), key=means.__getitem__)
        return folds, means

    def _adapt(self, found: Sequence[Example], replayed: Sequence[Encoded]) -> dict[str, Tensor]:
        """The weights of the parent adapted to all of `found`, up to the stop."""
        stop = self.job.settings.stops(len(found))[self.stop]
        self.stages.begin(f"training on {len(found)} corrections", stop)
        kept: list[Seq2Seq] = []
        model = store.load(self.job.parent).model
        material = Material([one.ids for one in found], replayed)
        adapt(
            model, material, self.job.settings, [stop], lambda _, averaged: kept.append(averaged), self.stages.advance
        )
        return {name: parameter.detach() for name, parameter in kept[-1].named_parameters()}

    def _pass_the_gate(
        self, found: Sequence[Example], tried: tuple[list[Fold], list[Encoded]], final: dict[str, Tensor]
    ) -> tuple[list[Attempt], Path]:
        """Blends, the strongest first, until one passes; all attempts, and the folder of the last."""
        current = Translator.load(self.job.parent)
        held = self._hold_out(found, *tried, current)
        before = [translations(current, gate.sources) for gate in self.gates]
        attempts: list[Attempt] = []
        folder = self.job.out
        for strength in STRENGTHS:
            self.stages.begin(f"gate, {strength:.0%} of the new weights", len(self.gates) + 1)
            folder = self._save(final, strength, found)
            candidate = Translator.load(folder)
            judgements = [self._judge_corrections(tried[0], held, current, strength)]
            self.stages.advance()
            for gate, old in zip(self.gates, before, strict=True):
                judgements.append(judge_set(gate, old, translations(candidate, gate.sources), self.job.limits))
                self.stages.advance()
            attempts.append(Attempt(strength, judgements))
            for judgement in judgements:
                mark = "passes" if judgement.passed else "FAILS"
                self.stages.say(f"  {judgement.name}: {mark}: {judgement.why}")
            if attempts[-1].passed or not judgements[0].passed:
                break
        return attempts, folder

    def _save(self, final: dict[str, Tensor], strength: float, found: Sequence[Example]) -> Path:
        """The blend as a version folder, with its card."""
        parent = self.parent.card
        ids = sorted({one.id for one in found})
        digest = self.job.sha256
        card = {
            "parent": f"{parent.pair}/{parent.version}",
            "data": {
                "corrections": {"ids": ids, "sha256": digest, "read_at": self.job.read_at},
                "replay": {"from": self.replay.origin},
            },
            "settings": {**parent.settings, "adaptation": {**self.job.settings.to_dict(), "strength": strength}},
            "training": {
                "corrections": len(ids),
                "steps": self.job.settings.stops(len(found))[self.stop],
                "seconds": round(time.monotonic() - self.began, 1),
                "torch": torch.__version__,
                "commit": commit(),
            },
        }
        model = blended(self.parent.model, final, strength)
        return store.save(self.job.out, parent.pair, self.job.version, model, self.tokenizers, card, overwrite=True)

    def _hold_out(
        self, found: Sequence[Example], folds: Sequence[Fold], strangers: Sequence[Encoded], current: Translator
    ) -> _HeldOut:
        """All that is known of the corrections before, fold by fold; it is the same for every blend."""
        rng = random.Random(self.job.settings.seed)
        examples = [found[row] for fold in folds for row in fold.held_out]
        own = [one.ids for one in examples]
        crossed = [Encoded(rng.choice(strangers).source, ids.target) for ids in own]
        parent = self.parent.model
        by_bleu = len(found) >= BLEU_FROM
        outputs = translations(current, [one.source for one in examples]) if by_bleu else None
        return _HeldOut(examples, crossed, log_probs(parent, own), log_probs(parent, crossed), outputs)

    def _judge_corrections(
        self, folds: Sequence[Fold], held: _HeldOut, current: Translator, strength: float
    ) -> Judgement:
        """What each correction gains in the fold that has not seen it; of a single one, nothing is known."""
        if not folds:
            why = "a single correction: nothing can be held out"
            return Judgement("corrections", 0, "log-probability", 0.0, 0.0, 0.0, (0.0, 0.0), True, why)
        after: list[float] = []
        after_crossed: list[float] = []
        outputs: list[str] = []
        for fold in folds:
            model = blended(self.parent.model, read_weights(fold.weights(self.stop)), strength)
            here = slice(len(after), len(after) + len(fold.held))
            after += log_probs(model, fold.held)
            after_crossed += log_probs(model, held.crossed[here])
            if held.outputs is not None:
                outputs += translations(self._served(model, current), [one.source for one in held.examples[here]])
        by_log_prob = judge_log_probs(HeldOut(held.before, after, held.before_crossed, after_crossed))
        if held.outputs is None:
            return by_log_prob
        sources, references = [one.source for one in held.examples], [one.target for one in held.examples]
        return judge_bleu(by_log_prob, sources, references, (held.outputs, outputs))

    def _served(self, model: Seq2Seq, like: Translator) -> Translator:
        """`model` as `like` is served: on its device, in its number format."""
        return Translator(Version(self.parent.card, model, *self.tokenizers), like.device, like.route)

    def _report(
        self, attempts: Sequence[Attempt], refusal: str | None, more: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """All that is known, as JSON."""
        last = attempts[-1] if attempts else None
        reasons = [refusal] if refusal else []
        if last is not None and not last.passed:
            reasons += [f"{one.name} {one.why}" for one in last.judgements if not one.passed]
        return {
            "pair": self.parent.card.pair,
            "current": self.parent.card.version,
            "candidate": self.job.version,
            "passed": last is not None and last.passed,
            "reasons": reasons,
            "strength": last.strength if last else None,
            "sets": [judgement.to_dict() for judgement in last.judgements] if last else [],
            "attempts": [
                {"strength": one.strength, "passed": one.passed, "why": {j.name: j.why for j in one.judgements}}
                for one in attempts
            ],
            "left_out": [asdict(one) for one in self.left_out],
            "replay": self.replay.origin,
            "settings": self.job.settings.to_dict(),
            "limits": self.job.limits.to_dict(),
            "seconds": round(time.monotonic() - self.began, 1),
            **(more or {}),
        }


def _without_texts(judged: dict[str, Any]) -> dict[str, Any]:
    """For the card, which stays when a correction is deleted."""
    return {name: value for name, value in judged.items() if name != "changed"}
