"""What came home from a GPU, made into the folders of runs again: `gpu-slice home`."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from model.config import require
from model.errors import ConfigError
from model.text.tokenizer import load_tokenizer
from training.config import DIRECTIONS
from training.run.checkpoint import Checkpoint
from training.run.warm_start import Start, place_vocabularies
from training.slices.manifest import MANIFEST, Manifest, Packed
from training.slices.rented import BEST, LOG, METRICS, REPORT, SHARDS, SLICE


@dataclass(frozen=True)
class HomeOptions:
    """What the command line says."""

    folder: Path
    """What `train` left."""
    pack: Path
    """The folder that it began from: the vocabularies are in it."""
    runs: Path


def home(options: HomeOptions, console: Console) -> list[Path]:
    """Make `<runs>/<pair>/<version>` of each pair that came home; the folders.

    Raises:
        ConfigError: nothing came home, or not from this pack, or such a folder exists.
        VersionDamaged: a shard is missing or damaged.
    """
    Manifest.read(options.pack)
    came = [pair for pair in DIRECTIONS if any((options.folder / pair).glob(SHARDS))]
    require(bool(came), f"{options.folder} has no weights that `gpu-slice train` left (<pair>/{SHARDS})")
    made = [_bring(options, pair, console) for pair in came]
    for pair in sorted(set(DIRECTIONS) - set(came)):
        console.print(f"{pair}: no weights came home; what there is to know is in {options.folder / pair / REPORT}")
    return made


def _bring(options: HomeOptions, pair: str, console: Console) -> Path:
    """The folder of the run of one pair."""
    came, packed = options.folder / pair, options.pack / pair
    about = _about(came / REPORT)
    require(
        about["pack"] == Packed.of(options.pack / MANIFEST).sha256,
        f"{came} was not trained from {options.pack}, whose vocabularies would be others",
    )
    folder = options.runs / pair / str(about["version"])
    require(not folder.exists(), f"{folder} exists already; give another --runs, or remove it")
    best = Checkpoint.load(came / BEST)
    source, target = (next(packed.glob(f"{side}.*")) for side in ("source", "target"))
    sizes = [best.tensors[f"{side}_embedding.weight"].shape[0] for side in ("source", "target")]
    require(sizes == [load_tokenizer(path).vocab_size for path in (source, target)], f"{came} has other vocabularies")
    temporary = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    place_vocabularies(Start(pair, {}, source, target), temporary)
    for shard in came.glob(SHARDS):
        shutil.copyfile(shard, temporary / shard.name)
    with zipfile.ZipFile(came / REPORT) as archive:
        for name in {METRICS, LOG, SLICE} & set(archive.namelist()):
            (temporary / name).write_bytes(archive.read(name))
    temporary.replace(folder)
    standing = best.state["standing"]
    scores = "  ".join(f"{name} {value:.2f}" for name, value in standing["scores"].items() if isinstance(value, float))
    console.print(
        f"{pair}: from {about['starts'][pair]}, step {standing['step']}, {standing['tokens'] / 1e6:.2f} M tokens, "
        f"{standing['seconds']:.0f} s on {about['device']}: {scores}",
        highlight=False,
    )
    return folder


def _about(report: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(report) as archive:
            values = json.loads(archive.read(SLICE))
            return {name: values[name] for name in ("version", "starts", "pack", "device")}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{report} is missing or damaged: {error}") from error
