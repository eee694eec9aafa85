"""The training loop: batches -> updates -> evaluations -> checkpoints, within a limit of time or steps."""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any
from zlib import crc32

import torch

from model.errors import ConfigError
from model.network.batch import Batch
from model.network.seq2seq import Seq2Seq
from training.config import Phase, TrainingConfig
from training.run.batching import Pools
from training.run.checkpoint import Checkpoint, pack, unpack
from training.run.distributed import Workers
from training.run.feed import drop_words, feed
from training.run.job import forget_rows_after
from training.run.loss import Loss, smoothed_cross_entropy
from training.run.optim import Optimiser, learning_rate
from training.run.progress import Display
from training.run.standing import Standing

Evaluate = Callable[[Seq2Seq], dict[str, Any]]
"""Scores of a model in evaluation mode; `bleu_mean`, or else `bleu`, decides which checkpoint is best."""

LOG_STEPS = 20
CHECKPOINT_SECONDS = 300.0


def train_step(model: Seq2Seq, batch: Batch, phase: Phase) -> Loss:
    """Forward and backward over one batch; the gradients are left on the model."""
    dropped = drop_words(batch, phase.word_dropout)
    loss = smoothed_cross_entropy(model(dropped), model.output, dropped.labels, phase.label_smoothing)
    loss.smoothed.backward()  # type: ignore[no-untyped-call]
    return loss


class Trainer:
    """One run in one folder: `metrics.jsonl`, `last.safetensors` and `best.safetensors` (averaged weights)."""

    def __init__(
        self, config: TrainingConfig, model: Seq2Seq, pools: Pools, evaluate: Evaluate, folder: Path, workers: Workers
    ) -> None:
        self.config, self.model, self.pools, self.evaluate = config, model, pools, evaluate
        self.folder, self.workers = folder, workers
        self.device = next(model.parameters()).device
        self.optimiser = Optimiser(model, config.optim)
        self.standing = Standing()
        self.origin: dict[str, Any] = {}
        """What the weights began from and where they are trained, for the card: it travels with them."""
        self._began = self._saved = self._evaluated = time.monotonic()
        self._evaluated_step = -1
        self._interrupted = self._complete = self._scored = False
        self._stops_at = math.inf
        workers.share_weights(self.optimiser.masters)

    def resume(self) -> None:
        """Go on from `last.safetensors`, exactly: weights, moments, averages, data order and random state.

        Only the first worker's random state is kept; the others draw anew from seed, rank and step.

        Raises:
            VersionDamaged: there is no such checkpoint, or it is of another model.
            ConfigError: the settings have changed since.
        """
        checkpoint = Checkpoint.load(self.folder / "last.safetensors")
        settings = checkpoint.state["settings"]
        settings["data"].setdefault("drop_noisy", False)  # a run from before these settings
        settings["noise"].setdefault("chat", self.config.noise.chat)
        if settings != self._lasting_settings():
            raise ConfigError(f"{self.folder}: the settings have changed since this run began; start a new one")
        unpack(self.optimiser, checkpoint.tensors, self.device)
        self.standing = Standing.from_dict(checkpoint.state["standing"])
        if not self.workers.have_same(self.standing.step, self.device):
            raise ConfigError(
                f"{self.folder}: not all workers found the same checkpoint; all nodes need one --runs folder"
            )
        self._scored = self.standing.best_bleu >= 0
        self.origin = {**self.origin, **checkpoint.state.get("origin", {})}
        if self.workers.first:
            forget_rows_after(self.folder / "metrics.jsonl", self.standing.step)
        if not self.workers.first:  # the random state is the first worker's; each must drop other units
            name = f"{self.config.loop.seed}/{self.workers.rank}/{self.standing.step}"
            torch.manual_seed(crc32(name.encode()))
        self._began = time.monotonic() - self.standing.seconds

    def run(self, stop_after_s: float = math.inf) -> Standing:
        """Train until the schedule is complete; Ctrl-C, SIGTERM and `stop_after_s` from now save and return early.

        An early end is scored only if nothing has been yet.

        Every worker takes Ctrl-C: under torchrun all get it, and one that died would leave the others waiting.
        """
        self._stops_at = time.monotonic() + stop_after_s
        self._begin_schedule()
        before = {number: signal.signal(number, self._interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with Display(self.config, enabled=self.workers.first) as display:
                self._loop(display)
        finally:
            for number, handler in before.items():
                if handler is not None:
                    signal.signal(number, handler)
        return self.standing

    def _begin_schedule(self) -> None:
        """A constant rate begins its decay where the run is first given a limit."""
        limited = self.config.loop.max_minutes or self.config.loop.max_steps
        if self.config.optim.schedule == "constant" and not limited:
            self.standing.schedule_from = None
        elif self.standing.schedule_from is None:
            self.standing.schedule_from = self.standing.step, self.standing.seconds

    @property
    def finished(self) -> bool:
        """Whether `run` completed the schedule; time that went by since it was stopped does not count."""
        return self._complete

    def _loop(self, display: Display) -> None:
        standing = self.standing
        _, progress, stop = self.workers.agree(0, self._progress(), False, self.device)
        worker = (self.workers.rank, self.workers.count)
        stream = feed(
            self.pools, standing.cursor, self.config.loop.batch_tokens, worker, lambda: self.config.phase_at(progress)
        )
        self.model.train()
        self._complete = progress >= 1
        while not self._complete and not stop:
            cursor, batch = next(stream)
            phase = self.config.phases[cursor.phase]
            loss = train_step(self.model, batch.to(self.device), phase)
            ends = self._interrupted or time.monotonic() >= self._stops_at
            total, progress, stop = self.workers.agree(loss.tokens, self._progress(), ends, self.device)
            self.workers.sum_gradients(self.optimiser.parameters, loss.tokens / max(1, total))
            rate = learning_rate(self.config.optim, standing.step, progress)
            norm = self.optimiser.step(standing.step, rate)
            standing.step += 1
            standing.tokens += total
            standing.seconds = time.monotonic() - self._began
            standing.cursor = cursor
            if standing.step % LOG_STEPS == 0:
                values = {
                    "loss": loss.smoothed.item(),
                    "nll": loss.nll.item(),
                    "rate": rate,
                    "norm": norm,
                    "phase": cursor.phase,
                }
                self._log(values)
                display.update(standing, progress, values)
            progress = self._progress() if self.workers.count == 1 else max(progress, self._steps_done())
            self._complete = progress >= 1
            if stop and not self._complete:  # who stops a run may not wait: first what cannot be done without
                self._save()
            self._pause(display, last=self._complete or (stop and not self._scored))
        self._save()

    def _pause(self, display: Display, *, last: bool) -> None:
        """Evaluate or save when it is time to; on every worker, so that none runs ahead."""
        now, loop = time.monotonic(), self.config.loop
        due = loop.eval_steps and self.standing.step % loop.eval_steps == 0
        due = due or (self.workers.count == 1 and now - self._evaluated >= loop.eval_minutes * 60)
        if (due or last) and self._evaluated_step != self.standing.step:
            self._evaluate(display)
            self._save()  # with the best weights, so that a run that is killed knows which those are
        elif now - self._saved >= CHECKPOINT_SECONDS:
            self._save()

    def _evaluate(self, display: Display) -> None:
        """Score the averaged weights; keep them when they are the best so far."""
        if self.workers.first:
            with torch.random.fork_rng(devices=[]):  # an evaluation must not change the run
                averaged = Seq2Seq(self.model.config)
            self.optimiser.average_into(averaged)
            standing = self.standing
            standing.scores = self.evaluate(averaged.eval())
            bleu = standing.scores.get("bleu_mean", standing.scores["bleu"])
            if bleu > standing.best_bleu:
                standing.best_bleu, standing.best_step = bleu, standing.step
                weights = {name: tensor.clone() for name, tensor in averaged.state_dict().items()}
                self._keep(Checkpoint(weights, {"standing": standing.to_dict(), "origin": self.origin}))
            self._log({"dev": standing.scores})
            display.scores(standing)
            self.model.train()
        self.workers.barrier()
        self._scored = True  # on every worker, for all must agree on what comes next
        self._evaluated, self._evaluated_step = time.monotonic(), self.standing.step

    def _keep(self, best: Checkpoint) -> None:
        path, shard_mib = self.folder / "best.safetensors", self.config.loop.shard_mib
        if shard_mib:
            best.save_in_shards(path, shard_mib)
        else:
            best.save(path)

    def _save(self) -> None:
        self._saved = time.monotonic()
        if self.workers.first:
            state = {
                "standing": self.standing.to_dict(),
                "settings": self._lasting_settings(),
                "origin": self.origin,
            }
            Checkpoint(pack(self.optimiser, self.device), state).save(self.folder / "last.safetensors")

    def _log(self, values: dict[str, Any]) -> None:
        if self.workers.first:
            standing = self.standing
            row = {"step": standing.step, "seconds": round(standing.seconds, 2), "tokens": standing.tokens, **values}
            with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")

    def _progress(self) -> float:
        """Share of the schedule done, by whichever limit is nearer; 0 while it has not begun."""
        if self.standing.schedule_from is None:
            return 0.0
        minutes, (_, seconds) = self.config.loop.max_minutes, self.standing.schedule_from
        by_time = (time.monotonic() - self._began - seconds) / (minutes * 60) if minutes else 0.0
        return max(self._steps_done(), by_time)

    def _steps_done(self) -> float:
        """Share of the steps done, which all workers know without asking."""
        steps, began = self.config.loop.max_steps, self.standing.schedule_from
        return (self.standing.step - began[0]) / steps if steps and began else 0.0

    def _lasting_settings(self) -> dict[str, Any]:
        """The settings that a resumed run must share; limits of time and steps may change."""
        settings = self.config.to_dict()
        for name in ("max_minutes", "max_steps", "eval_minutes", "eval_steps", "threads", "shard_mib"):
            settings["loop"].pop(name)
        return settings

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        self._interrupted = True
