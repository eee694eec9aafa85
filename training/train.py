"""One command: settings + corpus -> a trained version folder."""

from __future__ import annotations

import math
import os
import random
import resource
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from model.config import require
from model.errors import ConfigError
from model.kernels.cores import usable_cores
from model.kernels.malloc import keep_freed_memory
from model.network.seq2seq import Seq2Seq
from model.text.tokenizer import SubwordTokenizer, Tokenizer, WordTokenizer, load_tokenizer, normalise_2018
from model.versions import store
from training.config import DataSettings, TrainingConfig
from training.data.assemble import Corpus, assemble
from training.data.augment.augmenter import Augmenter
from training.data.noise import disturb
from training.data.prepared import read_prepared, unpack_tokenizers
from training.data.sources import commit
from training.data.subwords import train_tokenizer
from training.evaluate import DevSet, Normalise
from training.run.batching import Pools
from training.run.checkpoint import Checkpoint
from training.run.distributed import Workers
from training.run.job import check_restarts, prepare_folder
from training.run.loop import Trainer
from training.run.precision import fit_kernels
from training.run.standing import Standing
from training.run.warm_start import begin_from, find_start, place_vocabularies
from training.scoring.curve import curve_points
from training.scoring.mistakes import read_metrics, write_report

RUNS = Path("runs")


@dataclass(frozen=True)
class RunOptions:
    """What the command line says beside the settings."""

    data: Path | None = None
    """Folder of the corpus, or a file that `traghetto data prepare` wrote; None: `TRAGHETTO_CORPUS_DIR`."""
    pair: str | None = None
    """Direction in place of the settings'."""
    resume: bool = False
    """Go on exactly where an interrupted run stopped."""
    init: str | None = None
    """Begin from the weights of this version or run; see `training.run.warm_start`."""
    export: bool = False
    """Train nothing: write the best checkpoint so far as a version."""
    max_minutes: float | None = None
    max_steps: int | None = None
    shard_mib: float | None = None
    stop_after: float | None = None
    """Save and stop after so many minutes, whatever is left of the schedule."""
    out: Path | None = None
    """Root of the finished versions; None: `models` in the data directory."""
    runs: Path = RUNS
    """Root of the work in progress."""
    weights_only: bool = False
    """Write no version at the end: the best weights in the folder of the run are what is wanted."""


def run(config_path: Path, options: RunOptions) -> Path | None:
    """Train as `config_path` says and write a version folder.

    Work in progress is kept in `<runs>/<pair>/<version>`.

    Returns:
        The version folder, or None when the run was interrupted, is not the first worker of several, or keeps
        its weights only.

    Raises:
        ConfigError: the settings are wrong, or there is no data.
        VersionError: the checkpoint to resume from is missing or damaged, or the version exists already.
    """
    config = settings_of(config_path, options)
    root = options.out or Path(os.environ.get("TRAGHETTO_DATA_DIR", "var")) / "models"
    require(not (root / config.pair / config.version).exists(), f"{root / config.pair / config.version} exists already")
    device = torch.device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else "cpu")
    check_restarts(stops_early=options.stop_after is not None)
    workers = Workers.join(device)
    try:
        return _run(config, options, root, workers, device)
    finally:
        workers.leave()


def settings_of(config_path: Path, options: RunOptions) -> TrainingConfig:
    """The settings of `config_path`, with what the command line says in their place."""
    config = TrainingConfig.read(config_path)
    loop = config.loop
    for name in ("max_minutes", "max_steps", "shard_mib"):
        value = getattr(options, name)
        if value is not None:
            loop = replace(loop, **{name: value})
    return replace(config, loop=loop).for_pair(options.pair or config.pair)


def _run(
    config: TrainingConfig, options: RunOptions, root: Path, workers: Workers, device: torch.device
) -> Path | None:
    """`run` as one of `workers`."""
    folder = options.runs / config.pair / config.version
    _prepare_process(config, workers)
    data = _data(options.data)
    start = find_start(options.init, config) if options.init and not (options.resume or options.export) else None
    goes_on = workers.first and prepare_folder(folder, options.resume or options.export)
    goes_on = workers.first_says(goes_on, device)
    if start is not None and workers.first and not goes_on:
        place_vocabularies(start, folder)
    console = Console(stderr=True, quiet=not workers.first)
    corpus = _corpus(config, data, folder, workers, console)
    tokenizers = _tokenizers(config.data, corpus, folder, workers, console)
    if options.export:
        standing = Standing.from_dict(Checkpoint.load(folder / "best.safetensors").state["standing"])
        return export(config, corpus, tokenizers, standing, folder, root)
    trainer = _trainer(config, corpus, tokenizers, folder, device, workers)
    trainer.origin = _origin(start.name if start else None, device)
    if start is not None and not goes_on:
        begin_from(start, trainer.optimiser)
    if goes_on:
        trainer.resume()
    model = trainer.model
    console.print(f"{model.parameter_count() / 1e6:.1f} M parameters, kernels in {model.compute_dtype}, on {device}")
    standing = trainer.run(math.inf if options.stop_after is None else options.stop_after * 60)
    if not trainer.finished:
        console.print(f"interrupted at step {standing.step}; go on with --resume")
        return None
    if options.weights_only or not workers.first:
        return None
    return export(config, corpus, tokenizers, standing, folder, root)


def _corpus(config: TrainingConfig, data: Path, folder: Path, workers: Workers, console: Console) -> Corpus:
    """The corpus from a folder of tables, or from a prepared set with its vocabularies."""
    if data.is_dir():
        return assemble(config, data, console)
    corpus = read_prepared(data, config)
    if workers.first:
        unpack_tokenizers(data, config, folder, _suffix(config.data))
    return corpus


def _trainer(
    config: TrainingConfig,
    corpus: Corpus,
    tokenizers: tuple[Tokenizer, Tokenizer],
    folder: Path,
    device: torch.device,
    workers: Workers,
) -> Trainer:
    """The parts of a run, put together."""
    loop = config.loop
    torch.manual_seed(loop.seed)
    model = Seq2Seq(config.model_config(tokenizers[0].vocab_size, tokenizers[1].vocab_size)).to(device)
    fit_kernels(model, loop.precision)
    torch.manual_seed(loop.seed + workers.rank)  # each worker drops other units
    augmenter = Augmenter(config.augment, config.pair)
    pools = Pools(
        corpus.groups, config.drawn_phases(), tokenizers, partial(disturb, config=config.noise), loop.pool_pairs,
        config.data.max_tokens, loop.seed, augmenter, augmenter.repeats,
    )  # fmt: skip
    dev = DevSet(corpus.dev, tokenizers, config.pair, _normaliser(config), config.data.max_tokens, corpus.more_dev)
    return Trainer(config, model, pools, dev.score, folder, workers)


def export(
    config: TrainingConfig,
    corpus: Corpus,
    tokenizers: tuple[Tokenizer, Tokenizer],
    standing: Standing,
    folder: Path,
    root: Path,
) -> Path:
    """Write the best checkpoint of `folder` as a version, with its card, curve and mistakes."""
    model = Seq2Seq(config.model_config(tokenizers[0].vocab_size, tokenizers[1].vocab_size))
    best = Checkpoint.load(folder / "best.safetensors")
    model.load_state_dict(best.tensors)
    origin = {**_origin(None, torch.device("cpu")), **best.state.get("origin", {})}
    card: dict[str, Any] = {
        "parent": origin.pop("parent"),
        "data": {name: {**counts, **corpus.sources[name]} for name, counts in corpus.counts.items()},
        "scores": {"dev": best.state["standing"]["scores"]},
        "settings": {**config.to_dict(), "max_source_tokens": config.data.max_tokens},
        "training": {
            "parameters": model.parameter_count(),
            "steps": standing.step,
            "best_step": best.state["standing"]["step"],
            "target_tokens": standing.tokens,
            "seconds": round(standing.seconds, 1),
            "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            **origin,
            **_curve(folder),
        },
    }
    written = store.save(root, config.pair, config.version, model, tokenizers, card)
    write_report(folder, written, corpus.dev, _normaliser(config))
    return written


def _curve(folder: Path) -> dict[str, Any]:
    """The learning curve of the run, for the card; weights that came home may have left their metrics behind."""
    metrics = folder / "metrics.jsonl"
    points = curve_points(read_metrics(metrics)) if metrics.exists() else []
    return {"curve": points} if points else {}


def _origin(parent: str | None, device: torch.device) -> dict[str, Any]:
    """What a run begins from, and the machine and the program that train it."""
    gpu = device.type == "cuda"
    return {
        "parent": parent,
        "device": torch.cuda.get_device_name(device) if gpu else f"{os.cpu_count()} CPU cores",
        "torch": torch.__version__,
        "commit": commit(),
    }


def _normaliser(config: TrainingConfig) -> Normalise:
    """What both sides pass before they are scored: runs on the 2018 filter are compared in the 2018 spelling."""
    return normalise_2018 if config.data.only == "six-prefixes" else str


def _data(data: Path | None) -> Path:
    path = data or (Path(os.environ["TRAGHETTO_CORPUS_DIR"]) if "TRAGHETTO_CORPUS_DIR" in os.environ else None)
    if path is None:
        raise ConfigError(
            "no training data: give --data FOLDER or set TRAGHETTO_CORPUS_DIR; docs/data.md says how to get some"
        )
    require(path.exists(), f"the data folder {path} does not exist")
    return path


def _suffix(settings: DataSettings) -> str:
    return WordTokenizer.suffix if settings.vocabulary == "word" else SubwordTokenizer.suffix


def _prepare_process(config: TrainingConfig, workers: Workers) -> None:
    keep_freed_memory()
    cores = usable_cores()
    told = os.environ.get("OMP_NUM_THREADS", "") if workers.count == 1 else ""  # torchrun says 1 to all
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if workers.count > 1 else 1
    threads = int(told) if told.isdigit() else cores // beside
    torch.set_num_threads(config.loop.threads or max(1, threads))
    random.seed(config.loop.seed)
    if not sys.stdout.isatty():
        os.environ.setdefault("COLUMNS", "170")


def _tokenizers(
    settings: DataSettings, corpus: Corpus, folder: Path, workers: Workers, console: Console
) -> tuple[Tokenizer, Tokenizer]:
    """Source and target vocabulary: those of an earlier start of this run, else trained now by the first worker."""
    paths = [folder / f"{side}{_suffix(settings)}" for side in ("source", "target")]
    if workers.first and not all(path.exists() for path in paths):
        sizes = (settings.source_vocab_size, settings.target_vocab_size)
        for side, (path, size) in enumerate(zip(paths, sizes, strict=True)):
            trained = train_tokenizer(settings.vocabulary, corpus.side(side), size)
            trained.save(path)
            console.print(f"{path.name}: {trained.vocab_size:,} pieces")
    workers.barrier()
    return load_tokenizer(paths[0]), load_tokenizer(paths[1])
