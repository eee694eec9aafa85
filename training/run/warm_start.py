"""Begin a run from weights that exist: of a finished version, or of a run that was cut off on another machine.

What comes home from a rented machine is the averaged weights, not the optimiser: its moments are twice their size.
AdamW finds new ones within the warm-up.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from model.config import require
from model.errors import ConfigError
from model.versions import store
from model.versions.card import CARD, Card
from training.config import TrainingConfig
from training.evaluate import find_version
from training.run.checkpoint import Checkpoint, averages
from training.run.optim import Optimiser

CROSSED = {"source_embedding.weight": "target_embedding.weight", "target_embedding.weight": "source_embedding.weight"}


@dataclass(frozen=True)
class Start:
    """Weights to begin from, and the vocabularies that belong to them."""

    name: str
    tensors: dict[str, Tensor]
    source: Path
    target: Path


def find_start(init: str, config: TrainingConfig) -> Start:
    """What `--init` names: a version, `default` or `it-en/default`; its folder; or the folder of a run.

    A version of the other direction will do: its embeddings change sides, and the network has at least seen both
    languages (trivial transfer, Kocmi & Bojar 2018).

    Raises:
        ConfigError: the folder of a run is of the other direction, or is no such folder.
        VersionError: there is no such version, or it is damaged.
    """
    folder = find_version(config.pair, init)
    if (folder / CARD).exists():
        return _of_version(folder, config)
    require(folder.parent.name == config.pair, f"{folder} is not the folder of a version, or of a run of {config.pair}")
    return start_of_run(folder, "best.safetensors", config)


def start_of_run(folder: Path, checkpoint: str, config: TrainingConfig) -> Start:
    """The averaged weights in `best.safetensors` or `last.safetensors` of the folder of a run, and its vocabularies.

    Raises:
        VersionError: the checkpoint is missing or damaged.
        ConfigError: there are no vocabularies.
    """
    tensors = Checkpoint.load(folder / checkpoint).tensors
    tensors = averages(tensors) or tensors
    if config.model.get("tied_target_embeddings", True):
        tensors.pop("output.weight", None)  # the target embedding under its second name
    return Start(f"{folder.parent.name}/{folder.name}", tensors, *_vocabularies(folder))


def place_vocabularies(start: Start, folder: Path) -> None:
    """Copy the vocabularies of `start` into the folder of a run, where they are looked for."""
    for side, path in (("source", start.source), ("target", start.target)):
        shutil.copyfile(path, folder / f"{side}{path.suffix}")


def begin_from(start: Start, optimiser: Optimiser) -> None:
    """Put the weights of `start` into the model of `optimiser`.

    Raises:
        ConfigError: they are of another architecture.
    """
    check_fits(start, {name: master.shape for name, master in zip(optimiser.names, optimiser.masters, strict=True)})
    with torch.no_grad():
        for name, master, average in zip(optimiser.names, optimiser.masters, optimiser.averages, strict=True):
            master.copy_(start.tensors[name])
            average.copy_(start.tensors[name])
        torch._foreach_copy_(optimiser.parameters, optimiser.masters)


def check_fits(start: Start, wanted: Mapping[str, torch.Size]) -> None:
    """Refuse weights whose names or shapes are not the `wanted` ones.

    Raises:
        ConfigError: they are of another architecture.
    """
    found = {name: tensor.shape for name, tensor in start.tensors.items()}
    other = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if other:
        raise ConfigError(f"{start.name} is of another architecture than these settings: {', '.join(other[:4])} …")


def _of_version(folder: Path, config: TrainingConfig) -> Start:
    card = Card.read(folder)
    version = store.load(folder)
    tensors = {name: parameter.detach() for name, parameter in version.model.named_parameters()}
    source, target = _vocabularies(folder)
    name = f"{card.pair}/{card.version}"
    if card.pair == config.pair:
        return Start(name, tensors, source, target)
    tied = version.config.tied_target_embeddings
    reverse = card.pair == "-".join(reversed(config.pair.split("-")))
    require(
        tied and reverse, f"{name} cannot begin a run of {config.pair}: another pair, or its embeddings are not tied"
    )
    crossed = {CROSSED.get(key, key): tensor for key, tensor in tensors.items()}
    crossed["output.bias"] = torch.zeros(crossed["target_embedding.weight"].shape[0])
    return Start(name, crossed, target, source)


def _vocabularies(folder: Path) -> tuple[Path, Path]:
    """The files of the source's and the target's vocabulary in the folder of a version or a run."""
    found = [next((path for suffix in store.SUFFIXES if (path := folder / f"{side}{suffix}").exists()), None)
             for side in ("source", "target")]  # fmt: skip
    if found[0] is None or found[1] is None:
        raise ConfigError(f"{folder} has no vocabularies (source.model, target.model)")
    return found[0], found[1]
