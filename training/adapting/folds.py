"""Cross-validation: what would corrections that were not trained on gain? Each is held out once.

The corrections are dealt into folds; for each, the model is adapted to all the others, and the averaged weights are
kept at every stop. So each correction is judged by a model that has not seen it, and the best stop is found. One model
more learns all of them; the candidate is the mean of it and of those of the folds.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from model.network.seq2seq import Seq2Seq
from model.versions import store
from training.adapting.adaptation import AdaptationSettings, Material, adapt, log_probs
from training.adapting.corrections import Example
from training.data.pairs import fingerprint
from training.run.batching import Encoded

POLL_S = 0.5


@dataclass(frozen=True)
class Fold:
    """One held-out part, and where the models go that were adapted to the rest."""

    number: int
    parent: Path
    held_out: Sequence[int]
    """Rows of the examples."""
    material: Material
    """The others."""
    held: Sequence[Encoded]
    settings: AdaptationSettings
    work: Path

    def weights(self, stop: int) -> Path:
        """The file of the averaged weights at stop number `stop`."""
        return self.work / f"fold-{self.number}-{stop}.safetensors"


def fold_count(corrections: int) -> int:
    """More corrections need fewer folds: what is left to train on is enough, and each fold takes longer."""
    if corrections < 50:
        return min(5, corrections)
    return 4 if corrections < 200 else 3


def deal(
    examples: Sequence[Example], replay: Sequence[Encoded], parent: Path, settings: AdaptationSettings, work: Path
) -> list[Fold]:
    """The folds. All parts of one correction are in the same one; which, its id decides, so that it stays so."""
    ids = sorted({example.id for example in examples}, key=fingerprint)
    count = fold_count(len(ids))
    place = {id: number % count for number, id in enumerate(ids)}
    folds = []
    for number in range(count if len(ids) > 1 else 0):
        held = [row for row, example in enumerate(examples) if place[example.id] == number]
        rest = [example.ids for example in examples if place[example.id] != number]
        held_ids = [examples[row].ids for row in held]
        folds.append(Fold(number, parent, held, Material(rest, replay), held_ids, settings, work))
    return folds


def run_fold(fold: Fold) -> list[list[float]]:
    """Adapt the parent to what `fold` trains on; log-probabilities of what it holds out, at each stop."""
    model = store.load(fold.parent).model
    stops = fold.settings.stops(len(fold.material.corrections))
    found: list[list[float]] = []

    def reached(step: int, averaged: Seq2Seq) -> None:
        del step
        save_weights(averaged, fold.weights(len(found)))
        found.append(log_probs(averaged, fold.held))

    adapt(model, fold.material, fold.settings, stops, reached)
    return found


def run_folds(folds: Sequence[Fold], processes: int, finished: Callable[[], None]) -> list[list[list[float]]]:
    """`run_fold` of each, in processes of one thread each: twice as fast on two cores as one run on both.

    `finished` is called as each ends.
    """
    if processes <= 1 or len(folds) < 2:
        found = []
        for fold in folds:
            found.append(run_fold(fold))
            finished()
        return found
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(folds)), spawn, _prepare_worker, (os.getpid(),)) as pool:
        try:
            futures = [pool.submit(run_fold, fold) for fold in folds]
            _watch(futures, finished)
            return [future.result() for future in futures]
        except BaseException:
            _kill_workers()  # leaving the pool waits for those that are at work, which may be minutes
            raise


def _watch(futures: Sequence[Future[list[list[float]]]], finished: Callable[[], None]) -> None:
    left = set(futures)
    while left:
        done, left = wait(left, timeout=POLL_S, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
            finished()


def _kill_workers() -> None:
    for worker in multiprocessing.active_children():
        worker.kill()


def _prepare_worker(parent: int) -> None:
    """In a worker: one thread, and an end when the parent is gone, which a killed parent cannot bring about.

    Ctrl-C and SIGTERM often reach the whole group of processes: the parent decides, and ends its workers.
    """
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    torch.set_num_threads(1)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_S)
    os._exit(1)


def save_weights(model: Seq2Seq, path: Path) -> None:
    """The parameters of `model`, tied ones once, in fp32."""
    save_file({name: parameter.detach().contiguous() for name, parameter in model.named_parameters()}, path)


def read_weights(path: Path) -> dict[str, Tensor]:
    """What `save_weights` wrote."""
    return load_file(path)


def mean_of(every: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of the weights of several models that were adapted from the same parent, fp32.

    Each of them has moved in its own way beside what all have learnt: that cancels out (Wortsman et al. 2022, "Model
    soups").
    """
    return {name: torch.stack([weights[name].float() for weights in every]).mean(dim=0) for name in every[0]}


def blended(start: Seq2Seq, weights: dict[str, Tensor], strength: float) -> Seq2Seq:
    """A model between `start` (0) and `weights` (1), fp32: interpolation keeps more of the old at less of the new.

    Wortsman et al. 2022 (WiSE-FT) show why the way between the two is a good one.
    """
    model = Seq2Seq(start.config)
    old, targets = dict(start.named_parameters()), dict(model.named_parameters())
    with torch.no_grad():
        for name, target in targets.items():
            target.copy_(torch.lerp(old[name].float(), weights[name].float(), strength))
    return model.eval()
