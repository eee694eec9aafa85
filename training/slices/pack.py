"""The folder that travels to a GPU, of a bounded size: `gpu-slice pack`."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from model.config import require
from model.network.seq2seq import Seq2Seq
from model.text.tokenizer import load_tokenizer
from training.config import DIRECTIONS, TrainingConfig
from training.data.thinning import thin
from training.run.warm_start import Start, check_fits, find_start, place_vocabularies, start_of_run
from training.slices.eight_bits import write_8_bits
from training.slices.manifest import MANIFEST, MIB, SET, WEIGHTS, Manifest

MARGIN = 16 * 1024
"""Bytes left for the manifest."""


@dataclass(frozen=True)
class PackOptions:
    """What the command line says."""

    folder: Path
    """Of a long run: `set.zip`, and `<pair>/<version>` with checkpoints and vocabularies."""
    out: Path
    config: Path
    mib: float
    """The whole folder is at most so large."""
    version: str = "long"
    """Of the runs in `folder`."""
    init: str | None = None
    """Weights in place of those of the runs: a version or a folder, `{pair}` in it is replaced."""
    prepared: Path | None = None
    """Prepared set in place of the one in `folder`."""


def pack(options: PackOptions, console: Console) -> Manifest:
    """Make `options.out`, in place of an earlier one.

    Raises:
        ConfigError: something does not fit: weights, set and settings together, or all of it into `options.mib`.
        VersionError: there are no such weights, or they are damaged.
    """
    out = options.out
    require(not out.exists() or (out / MANIFEST).exists(), f"{out} exists and is no folder of `gpu-slice pack`")
    config = TrainingConfig.read(options.config)
    temporary = out.with_name(f".{out.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        starts = {pair: _pack_start(options, config.for_pair(pair), temporary / pair) for pair in DIRECTIONS}
        _pack_set(options, config, temporary, console)
        manifest = Manifest.of(temporary, starts)
        manifest.write(temporary)
        shutil.rmtree(out, ignore_errors=True)
        temporary.replace(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    for name, file in manifest.files.items():
        console.print(f"{file.bytes / MIB:7.2f} MiB  {name}", highlight=False)
    console.print(f"{manifest.bytes / MIB:7.2f} MiB  in {out}, of at most {options.mib:g}", highlight=False)
    return manifest


def _pack_start(options: PackOptions, config: TrainingConfig, folder: Path) -> str:
    """Put the weights and vocabularies of a direction into `folder`; their name."""
    start = _start(options, config)
    sizes = load_tokenizer(start.source).vocab_size, load_tokenizer(start.target).vocab_size
    with torch.device("meta"):
        model = Seq2Seq(config.model_config(*sizes))
    check_fits(start, {name: parameter.shape for name, parameter in model.named_parameters()})
    folder.mkdir(parents=True)
    place_vocabularies(start, folder)
    write_8_bits(folder / WEIGHTS, start.tensors)
    return start.name


def _start(options: PackOptions, config: TrainingConfig) -> Start:
    """What `--init` names; else the last averaged weights of the run, or where only those came home, its best."""
    if options.init is not None:
        return find_start(options.init.replace("{pair}", config.pair), config)
    folder = options.folder / config.pair / options.version
    last = (folder / "last.safetensors").exists()
    return start_of_run(folder, "last.safetensors" if last else "best.safetensors", config)


def _pack_set(options: PackOptions, config: TrainingConfig, folder: Path, console: Console) -> None:
    """Put the prepared set into what is left of the size."""
    prepared = options.prepared or options.folder / SET
    require(prepared.is_file(), f"there is no prepared set {prepared}; `traghetto data prepare` makes one")
    taken = Manifest.of(folder, {}).bytes + MARGIN
    room = int(options.mib * MIB) - taken
    require(room > 0, f"weights and vocabularies alone take {taken / MIB:.1f} MiB, more than {options.mib:g}")
    if prepared.stat().st_size > room:
        console.print(f"the set has {prepared.stat().st_size / MIB:.1f} MiB, {room / MIB:.1f} are left: thinning it")
    for group, (left, of) in thin(prepared, folder / SET, room, config.for_pair("it-en")).items():
        console.print(f"{group}: {left:,} of {of:,} pairs; the other {of - left:,} are left out")
