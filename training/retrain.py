"""Corrections + the version that serves -> a candidate, and the gate's report on it.

    corrections file -> examples -> those that fit their sources
        -> folds: adapted to the rest, judged on what they hold out -> the best stop
        -> the parent adapted to all of them up to that stop, averaged with the folds
        -> blends with the parent, the strongest first
        -> each as a version folder -> the gate -> the first that passes, or the weakest with the reasons

Always from the version that serves, never from an earlier candidate: tuning what was tuned before drifts.
Nothing of it runs in the server's process, and nothing is written but in the folder of the job.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from model.network.seq2seq import Seq2Seq
from model.translator import MAX_SOURCE_TOKENS, Translator
from model.versions import store
from training.adapting.adaptation import Material, adapt, encode
from training.adapting.anchor import ADAPTATION, ANCHOR, GATE, find_anchor
from training.adapting.corrections import Correction, Example, LeftOut, examples, fitting, read_corrections
from training.adapting.folds import Fold, blended, deal, mean_of, read_weights, run_folds
from training.adapting.gate_sets import GateSet, eval_sentences, gate_sets, together
from training.adapting.job import CONSENTED, CORRECTIONS, MODELS, Job, Options
from training.adapting.replay import Replay, find_replay
from training.adapting.trial import Attempt, Trial, why_none_passed
from training.adapting.validation import hold_back, judge_held_back
from training.data.sources import commit
from training.evaluate import record
from training.run.batching import Encoded
from training.run.milestones import GATING, MEASURING, READING, TRAINING, VALIDATING, Milestones
from training.run.progress import Stages

STRENGTHS = (1.0, 0.85, 0.7, 0.6, 0.5, 0.42, 0.35)
"""Shares of the new weights that are tried, until one passes the gate."""
MOST_LEFT_OUT = 0.25
"""If more of the corrections do not fit their sources, something is wrong with all of them."""


def retrain(folder: Path, options: Options, console: Console) -> dict[str, Any]:
    """Train and judge a candidate; it is in `folder` (see `training.adapting.job`) whole or not at all.

    Returns:
        The gate's report, JSON; `docs/corrections.md` describes it. Without sets there is no candidate.

    Raises:
        ConfigError: the job, the corrections or the data cannot be used.
        VersionError: the parent is missing or damaged.
    """
    job = Job.read(folder)
    with Stages(console, Milestones(Path(job.progress)) if job.progress else None) as stages:
        return _Retraining(folder, job, options, stages).run()


class _Retraining:
    """One run; each method is one of the arrows above."""

    def __init__(self, folder: Path, job: Job, options: Options, stages: Stages) -> None:
        self.folder, self.job, self.options, self.stages = folder, job, options, stages
        self.roots = [Path(root) for root in self.job.roots]
        self.parent_folder = store.find(self.roots, self.job.pair, self.job.parent)
        self.parent = store.load(self.parent_folder)
        self.tokenizers = self.parent.source, self.parent.target
        self.max_tokens = int(self.parent.card.settings.get("max_source_tokens", MAX_SOURCE_TOKENS))
        self.anchor = find_anchor(self.parent.card, self.roots)
        self.anchor_problem: str | None = None
        self.began = time.monotonic()
        self.gates: list[GateSet] = []
        self.replay = Replay((), "none")
        self.left_out: list[LeftOut] = []
        self.corrections: list[Correction] = []
        self.folds: list[Fold] = []
        self.stop = 0

    def run(self) -> dict[str, Any]:
        """From the file to the report."""
        self.stages.begin(READING, "reading")
        options, card = self.options, self.parent.card
        self.gates = gate_sets(card.pair, options.data, options.sets, eval_sentences(card))
        consented = self.folder / CONSENTED
        self.replay = find_replay(card, options.data, consented, options.settings.seed, options.sets)
        found, strangers = self._examples()
        refusal = self._refusal(found)
        if refusal:
            return self._report([], refusal)
        replayed = [ids for ids in encode(self.replay.pairs, self.tokenizers, self.max_tokens) if ids]
        per_stop = self._validate(found, replayed)
        final = self._adapt(found, replayed)
        attempts, candidate = self._pass_the_gate(found, strangers, final)
        report = self._report(attempts, None, {"stops": per_stop})
        record(candidate, GATE, {**report, "sets": [_without_texts(one) for one in report["sets"]]})
        return report

    def _examples(self) -> tuple[list[Example], list[Encoded]]:
        """What can be learnt, and strange sources to try it with."""
        corrections = read_corrections(self.folder / CORRECTIONS, self.job.sha256)
        found, too_long = examples(corrections, self.parent.card.pair, self.tokenizers, self.max_tokens)
        sources = [(source, source) for gate in self.gates for source in gate.sources] or self.replay.pairs
        sources = sources or [(one.source, one.target) for one in found]
        strangers = [ids for ids in encode(sources, self.tokenizers, self.max_tokens) if ids]
        seed, least = self.options.settings.seed, self.options.limits.least_fit
        fit, strange = fitting(self.parent.model, found, strangers, seed, least) if found else ([], [])
        self.left_out = [*too_long, *strange]
        ids = {one.id for one in fit}
        self.corrections = [one for one in corrections if one.id in ids]
        return fit, strangers

    def _refusal(self, found: Sequence[Example]) -> str | None:
        left, out = len(self.corrections), len(self.left_out)
        if out > MOST_LEFT_OUT * (left + out):
            return f"{out} of {left + out} corrections cannot be translations of their sources: review them first"
        return None if found else "there is no correction to learn from"

    def _validate(self, found: Sequence[Example], replayed: Sequence[Encoded]) -> list[float]:
        """Train the folds and choose the stop; how likely held-out corrections are at each stop (nats a token)."""
        options = self.options
        self.folds = deal(found, replayed, self.parent_folder, options.settings, self.folder)
        if not self.folds:  # a single correction: nothing can be held out, and what it takes is seen at the gate
            self.stop = len(options.settings.stops(1)) - 1
            return []
        self.stages.begin(VALIDATING, f"cross-validation, {len(self.folds)} folds", len(self.folds), len(self.folds))
        results = run_folds(self.folds, options.processes, self.stages.advance)
        by_stop = [[value for of_fold in results for value in of_fold[stop]] for stop in range(len(results[0]))]
        means = [sum(values) / len(values) for values in by_stop]
        self.stop = max(range(len(means)), key=means.__getitem__)
        return means

    def _adapt(self, found: Sequence[Example], replayed: Sequence[Encoded]) -> dict[str, Tensor]:
        """The mean of the parent adapted to all of `found`, up to the stop, and of the folds, each without a part."""
        settings = self.options.settings
        stop = settings.stops(len(found))[self.stop]
        self.stages.begin(TRAINING, f"training on {len(found)} corrections", stop, len(found))
        kept: list[Seq2Seq] = []
        model = store.load(self.parent_folder).model
        material = Material([one.ids for one in found], replayed)
        adapt(model, material, settings, [stop], lambda _, averaged: kept.append(averaged), self.stages.advance)
        every = [{name: parameter.detach() for name, parameter in kept[-1].named_parameters()}]
        return mean_of(every + [read_weights(fold.weights(self.stop)) for fold in self.folds])

    def _pass_the_gate(
        self, found: Sequence[Example], strangers: Sequence[Encoded], final: dict[str, Tensor]
    ) -> tuple[list[Attempt], Path]:
        """Blends, the strongest first, until one passes; all attempts, and the folder of the last."""
        self.stages.begin(MEASURING, "the version that serves")
        current = Translator.load(self.parent_folder)
        held = hold_back(found, (self.folds, self.stop), strangers, current, self.parent, self.options.settings.seed)
        trial = Trial(current, self.corrections, self.gates, self.options.limits)
        self.anchor_problem = trial.measure_from(self.anchor, self.parent_folder)
        if self.anchor_problem is not None:
            self.stages.say(f"  {self.anchor.version}, the last full training, is not measured: {self.anchor_problem}")
        attempts: list[Attempt] = []
        candidate = self.folder
        for strength in STRENGTHS:
            self.stages.begin(GATING, f"gate, {strength:.0%} of what was learnt", len(self.gates) + 1, 100 * strength)
            candidate = self._save(final, strength, found)
            held_out = judge_held_back(held, strength, self.parent, current)
            self.stages.advance()
            attempts.append(trial.attempt(strength, Translator.load(candidate), held_out, self.stages.advance))
            self._say(attempts[-1])
            if attempts[-1].passed or not attempts[-1].has_learnt:
                break
        return attempts, candidate

    def _say(self, attempt: Attempt) -> None:
        """The verdicts, for people who wait."""
        self.stages.say(f"  {attempt.answers.why}")
        for one in attempt.judgements:
            self.stages.say(f"  {one.name}: {'passes' if one.passed else 'FAILS'}: {one.why}")

    def _save(self, final: dict[str, Tensor], strength: float, found: Sequence[Example]) -> Path:
        """The blend as a version folder, with its card."""
        parent, settings = self.parent.card, self.options.settings
        ids = [one.id for one in self.corrections]
        card = {
            "parent": f"{parent.pair}/{parent.version}",
            "data": {
                "corrections": {"ids": sorted(ids), "sha256": self.job.sha256, "read_at": self.job.read_at},
                "replay": {"from": self.replay.origin},
            },
            "settings": {**parent.settings, ADAPTATION: {**settings.to_dict(), "strength": strength}},
            "training": {
                "corrections": len(ids),
                "steps": settings.stops(len(found))[self.stop],
                "averaged": 1 + len(self.folds),
                "seconds": round(time.monotonic() - self.began, 1),
                "torch": torch.__version__,
                "commit": commit(),
            },
        }
        model, root = blended(self.parent.model, final, strength), self.folder / MODELS
        return store.save(root, parent.pair, self.job.version, model, self.tokenizers, card, overwrite=True)

    def _anchor(self, drift: dict[str, float]) -> dict[str, Any]:
        """The last full training and what came since; `problem` only where it is there and could not be used."""
        found = self.anchor.record(drift, {gate.name: gate.sha256 for gate in (*self.gates, together(self.gates))})
        return found if self.anchor_problem is None else {**found, "problem": self.anchor_problem}

    def _report(
        self, attempts: Sequence[Attempt], refusal: str | None, more: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """All that is known, as JSON."""
        last = attempts[-1] if attempts else None
        passed = last is not None and last.passed
        reasons = [] if passed else why_none_passed(attempts)
        return {
            "pair": self.job.pair,
            "current": self.job.parent,
            "candidate": self.job.version,
            "passed": passed,
            "reasons": [refusal] if refusal else reasons,
            "strength": last.strength if last else None,
            "answers": last.answers.to_dict() if last else None,
            ANCHOR: self._anchor(last.drift if last else {}),
            "sets": [judgement.to_dict() for judgement in last.judgements] if last else [],
            "attempts": [one.summary() for one in attempts],
            "left_out": [asdict(one) for one in self.left_out],
            "replay": self.replay.origin,
            "settings": self.options.settings.to_dict(),
            "limits": self.options.limits.to_dict(),
            "seconds": round(time.monotonic() - self.began, 1),
            **(more or {}),
        }


def _without_texts(judged: dict[str, Any]) -> dict[str, Any]:
    """For the card, which stays when a correction is deleted."""
    return {name: value for name, value in judged.items() if name != "changed"}
