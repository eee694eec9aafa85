"""Checkpoints: all tensors in one safetensors file, all the rest as JSON in its header; written beside and renamed.

Where files above a size cannot travel, weights are saved in shards instead: `best-1-of-2.safetensors` and so on, fp16.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from model.errors import VersionDamaged
from model.versions.disk import sync
from training.run.optim import Optimiser

FORMAT = "traghetto-checkpoint-1"


@dataclass(frozen=True)
class Checkpoint:
    """A run at rest. `state` is JSON: step, seconds, cursor, best score, resolved settings."""

    tensors: dict[str, Tensor]
    state: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write to `path`; whoever reads, also after a crash, sees the old file or the new one, whole."""
        temporary = path.with_suffix(".partial")
        header = {"format": FORMAT, "state": json.dumps(self.state)}
        save_file({name: tensor.contiguous().cpu() for name, tensor in self.tensors.items()}, temporary, header)
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)

    def save_in_shards(self, path: Path, shard_mib: float) -> None:
        """Write the tensors in fp16 to files of at most `shard_mib` MiB beside `path`, whose place they take.

        A single tensor that is larger gets a file of its own. Every file has the state.
        """
        parts: list[dict[str, Tensor]] = []
        size = shard_mib * 2**20
        for name, tensor in self.tensors.items():
            half = tensor.half()
            if not parts or sum(part.nbytes for part in parts[-1].values()) + half.nbytes > size:
                parts.append({})
            parts[-1][name] = half
        paths = [
            path.with_name(f"{path.stem}-{number}-of-{len(parts)}{path.suffix}") for number in range(1, len(parts) + 1)
        ]
        for part, shard in zip(parts, paths, strict=True):
            Checkpoint(part, self.state).save(shard)
        for old in {path, *_shards(path)} - set(paths):
            old.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read what `save` or `save_in_shards` wrote.

        Raises:
            VersionDamaged: the file is missing, cut short, or not a checkpoint of ours; a shard is missing.
        """
        shards = [] if path.exists() else _shards(path)
        if not shards:
            return cls._read(path)
        wanted = int(shards[0].stem.rpartition("-")[2])
        if len(shards) != wanted:
            raise VersionDamaged(f"{path.parent} has {len(shards)} of the {wanted} shards of {path.name}")
        parts = [cls._read(shard) for shard in shards]
        if any(part.state != parts[0].state for part in parts):
            raise VersionDamaged(f"the shards of {path.name} in {path.parent} are of different times")
        return cls({name: tensor.float() for part in parts for name, tensor in part.tensors.items()}, parts[0].state)

    @classmethod
    def _read(cls, path: Path) -> Checkpoint:
        try:
            with safe_open(path, "pt") as opened:
                header = opened.metadata() or {}
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a dict
        except (OSError, SafetensorError) as error:
            raise VersionDamaged(f"cannot read checkpoint {path}: {error}") from error
        if header.get("format") != FORMAT:
            raise VersionDamaged(f"{path} is not a checkpoint of this trainer")
        return cls(tensors, json.loads(header["state"]))


def steps_in(path: Path) -> int:
    """How many updates led to the checkpoint in `path`, whose header is all that is read; -1 if it is none of ours."""
    try:
        with safe_open(path, "pt") as opened:
            return int(json.loads((opened.metadata() or {})["state"])["standing"]["step"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return -1


def _shards(path: Path) -> list[Path]:
    """The shards that take the place of `path`."""
    return sorted(path.parent.glob(f"{path.stem}-*-of-*{path.suffix}"))


def pack(optimiser: Optimiser, device: torch.device) -> dict[str, Tensor]:
    """The tensors of a run: masters, averages, AdamW's moments, and the random states of the CPU and of `device`."""
    state = optimiser.state_dict()
    packed = {"random.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        packed["random.cuda"] = torch.cuda.get_rng_state(device)
    for kind in ("masters", "averages"):
        packed |= {f"{kind}.{name}": tensor for name, tensor in zip(optimiser.names, state[kind], strict=True)}
    for index, moments in state["adam"]["state"].items():
        packed |= {f"adam.{index}.{key}": torch.as_tensor(value) for key, value in moments.items()}
    return packed


def averages(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The averaged weights among `pack`'s tensors, by the names of the parameters; nothing of other tensors."""
    beginning = "averages."
    return {name.removeprefix(beginning): one for name, one in tensors.items() if name.startswith(beginning)}


def unpack(optimiser: Optimiser, tensors: dict[str, Tensor], device: torch.device) -> None:
    """Put `pack`'s tensors back: into `optimiser`, its model, and the random generators.

    Raises:
        VersionDamaged: the checkpoint is of another architecture.
    """
    adam = optimiser.state_dict()["adam"]
    adam["state"] = {}
    for name, tensor in tensors.items():
        if name.startswith("adam."):
            _, index, key = name.split(".")
            adam["state"].setdefault(int(index), {})[key] = tensor
    try:
        kinds = {kind: [tensors[f"{kind}.{name}"] for name in optimiser.names] for kind in ("masters", "averages")}
        optimiser.load_state_dict({**kinds, "adam": adam})
        torch.set_rng_state(tensors["random.cpu"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise VersionDamaged(f"the checkpoint does not fit this model: {error}") from error
    if device.type == "cuda" and "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"], device)
