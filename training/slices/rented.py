"""The slice itself, on the machine with the GPU: both directions side by side, and what they leave in few small files.

<out>/<pair>/best-1-of-2.safetensors    the best weights, fp16, in shards
<out>/<pair>/report.zip                 metrics.jsonl, log.txt, slice.json
"""

from __future__ import annotations

import contextlib
import json
import platform
import shutil
import signal
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from model.config import require
from model.errors import VersionDamaged
from training.config import DIRECTIONS, TrainingConfig
from training.run.checkpoint import Checkpoint
from training.run.side_by_side import side_by_side
from training.run.warm_start import Start, place_vocabularies
from training.slices.eight_bits import read_8_bits
from training.slices.manifest import MANIFEST, SET, WEIGHTS, Manifest, Packed
from training.slices.one import arguments
from training.train import RunOptions

BEST = "best.safetensors"
SHARDS = "best-*-of-*.safetensors"
REPORT, LOG, METRICS, SLICE = "report.zip", "log.txt", "metrics.jsonl", "slice.json"
SPARE_MINUTES = 0.75
"""Of the minutes, for reading the set at the beginning and the last scores at the end."""
STOP_S = 20.0
"""Before the minutes are over, whatever still trains is told to save."""


@dataclass(frozen=True)
class SliceOptions:
    """What the command line says."""

    pack: Path
    out: Path
    config: Path
    minutes: float
    """From the start of the command to its end."""
    max_steps: int | None = None


def train(options: SliceOptions, console: Console) -> int:
    """Train both directions and leave in `options.out` what is worth carrying home: the largest exit status.

    Ctrl-C and SIGTERM are passed on. What there is lies in `out` after each evaluation.

    Raises:
        ConfigError: the folder was damaged on the way, the settings are wrong, or `out` is taken.
    """
    began = time.monotonic()
    require(options.minutes > 2 * SPARE_MINUTES, f"--minutes must be more than {2 * SPARE_MINUTES:g}")
    taken = options.out.is_dir() and any(options.out.glob("*/*"))
    require(not taken, f"{options.out} holds something already; give a new folder")
    config = TrainingConfig.read(options.config)
    require(config.loop.shard_mib > 0, f"{options.config} must set loop.shard_mib: only small files come home")
    manifest = Manifest.read(options.pack)
    with _terminated_as_interrupted(), tempfile.TemporaryDirectory(prefix="slice-") as temporary:
        work = Path(temporary)
        commands = []
        minutes = options.minutes - SPARE_MINUTES - (time.monotonic() - began) / 60
        for pair in DIRECTIONS:
            name = Path(manifest.starts[pair]).name  # `parent` in the card of what becomes of them
            start = _unpack_start(options.pack / pair, work / "start" / pair / name)
            run = RunOptions(
                data=options.pack / SET, pair=pair, init=str(start), max_minutes=minutes,
                max_steps=options.max_steps, runs=work,
            )  # fmt: skip
            commands.append((pair, work / pair / config.version, arguments(options.config, run)))
        about = _about(options, config, manifest)
        leave = Leaving(work, options.out, config, about)
        limit_s = options.minutes * 60 - (time.monotonic() - began) - STOP_S
        status = side_by_side(commands, console, "training.slices.one", limit_s, leave)
    for path in sorted(options.out.glob("*/*")):
        console.print(f"{path.stat().st_size / 2**20:7.2f} MiB  {path}", highlight=False)
    console.print(f"{(time.monotonic() - began) / 60:.1f} minutes in all")
    return status


@dataclass(frozen=True)
class Leaving:
    """Puts into `out` what the runs have come to, again and again: the machine may be gone at any moment."""

    work: Path
    out: Path
    config: TrainingConfig
    about: dict[str, Any]

    def __call__(self) -> None:
        """Take over new best weights that are whole, and the reports."""
        for pair in DIRECTIONS:
            run, home = self.work / pair / self.config.version, self.out / pair
            home.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(VersionDamaged):  # none yet, or they are just being written
                _take_over(run, home)
            self._report(run, home)

    def _report(self, run: Path, home: Path) -> None:
        partial = home / f".{REPORT}.partial"
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, name in ((run / METRICS, METRICS), (run.parent / f"{run.name}.log", LOG)):
                if path.exists():
                    archive.write(path, name)
            archive.writestr(SLICE, json.dumps({**self.about, "pair": home.name}, indent=1))
        partial.replace(home / REPORT)


def _take_over(run: Path, home: Path) -> None:
    """Copy the shards of the best weights of `run`, unless `home` has them."""
    standing = Checkpoint.load(run / BEST).state
    with contextlib.suppress(VersionDamaged):
        if Checkpoint.load(home / BEST).state == standing:
            return
    for shard in run.glob(SHARDS):
        partial = home / f".{shard.name}.partial"
        shutil.copyfile(shard, partial)
        partial.replace(home / shard.name)


def _unpack_start(packed: Path, folder: Path) -> Path:
    """Make of the 8-bit weights in `packed` the folder of a run, which `--init` takes."""
    source, target = (next(packed.glob(f"{side}.*")) for side in ("source", "target"))
    folder.mkdir(parents=True)
    place_vocabularies(Start(folder.name, {}, source, target), folder)
    Checkpoint(read_8_bits(packed / WEIGHTS), {"start": folder.name}).save(folder / BEST)
    return folder


def _about(options: SliceOptions, config: TrainingConfig, manifest: Manifest) -> dict[str, Any]:
    """What is written beside the weights: where they come from."""
    return {
        "version": config.version,
        "starts": manifest.starts,
        "pack": Packed.of(options.pack / MANIFEST).sha256,
        "minutes": options.minutes,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine(),
        "torch": torch.__version__,
        "settings": config.to_dict(),
    }


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM comes as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
