"""Training settings: small checked dataclasses, read from TOML. An unknown key is an error."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

from model.config import JsonConfig, ModelConfig, require
from model.errors import ConfigError
from training.data.augment.config import AugmentConfig
from training.data.cleaning import DEFAULT_CLEAN, CleanConfig
from training.data.noise import NoiseConfig

DIRECTIONS = ("it-en", "en-it")
"""The directions that are trained."""
MODEL_KEYS = {field.name for field in fields(ModelConfig)} - {"source_vocab_size", "target_vocab_size"}


@dataclass(frozen=True)
class DataSettings(JsonConfig):
    """What is read, and how the sides become ids."""

    groups: dict[str, list[str]]
    """Group name -> file patterns in the data folder, such as `{"everyday": ["tatoeba.train"]}`."""
    dev: str = "tatoeba.dev"
    """File that chooses the best checkpoint; empty: `hold_out_per_mille` of the pairs."""
    more_dev: list[str] = field(default_factory=list)
    """Files of other kinds of text, scored beside `dev`: the mean BLEU of all chooses."""
    hold_out_per_mille: int = 0
    """Thousandths of the pairs held out as dev by hash of the sentence; used when `dev` is empty."""
    vocabulary: str = "subword"
    """`subword` (SentencePiece) or `word` (every word seen in training, the 2018 normaliser)."""
    source_vocab_size: int = 8000
    target_vocab_size: int = 8000
    only: str = ""
    """A named filter on pairs: `six-prefixes` is the 2018 experiment's; empty keeps all."""
    clean: CleanConfig = DEFAULT_CLEAN
    """The limits of cleaning, a table `[data.clean]`."""
    drop_noisy: bool = False
    """Leave out the pairs that `training/data/noisy.npy` lists: two models found them no translations."""
    max_tokens: int = 100
    """Pairs with more tokens on either side are left out of training."""
    machine_italian: list[str] = field(default_factory=list)
    """Groups whose Italian is machine translation: good to read, not to imitate; not used where it is the target."""

    def __post_init__(self) -> None:
        require(bool(self.groups), "data.groups names no files")
        require(
            self.vocabulary in ("subword", "word"), f"data.vocabulary must be subword or word, not {self.vocabulary!r}"
        )
        require(self.only in ("", "six-prefixes"), f"data.only must be empty or six-prefixes, not {self.only!r}")
        require(bool(self.dev) != bool(self.hold_out_per_mille), "set either data.dev or data.hold_out_per_mille")
        unknown = set(self.machine_italian) - set(self.groups)
        require(not unknown, f"data.machine_italian names unknown group(s): {', '.join(sorted(unknown))}")
        require(2 <= self.max_tokens <= 1000, "data.max_tokens must be between 2 and 1000")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Like `JsonConfig.from_dict`; `clean` is a dictionary too."""
        limits = values.get("clean", {})
        require(isinstance(limits, dict), "data.clean must be a table, [data.clean]")
        return super().from_dict({**values, "clean": CleanConfig.from_dict(limits)})


@dataclass(frozen=True)
class Phase(JsonConfig):
    """One stretch of training: which groups are drawn, how much, and how they are disturbed."""

    until: float
    """The phase ends at this share of the whole run, 0 to 1."""
    shares: dict[str, float]
    """Group name -> share of the pairs drawn; made to sum to 1."""
    noise: float = 0.0
    """Multiplies the probabilities of `training.data.noise`; 0 is clean."""
    sample: float = 0.0
    """Probability that a sentence is segmented by sampling instead of the best way."""
    word_dropout: float = 0.0
    label_smoothing: float = 0.1

    def __post_init__(self) -> None:
        require(0 < self.until <= 1, f"phase.until must be in (0, 1], not {self.until}")
        require(bool(self.shares) and all(share >= 0 for share in self.shares.values()), "phase.shares must be >= 0")
        require(sum(self.shares.values()) > 0, "phase.shares are all zero")
        for name in ("sample", "word_dropout", "label_smoothing"):
            require(0 <= getattr(self, name) < 1, f"phase.{name} must be in [0, 1)")
        require(0 <= self.noise <= 3, "phase.noise must be between 0 and 3")


@dataclass(frozen=True)
class OptimSettings(JsonConfig):
    """AdamW with warm-up and a schedule, and averaged (EMA) weights."""

    schedule: str = "cosine"
    """`cosine` over the whole run, or `constant`: no end, until a limit of minutes or steps begins the decay."""
    peak_learning_rate: float = 1e-3
    final_learning_rate: float = 0.0
    warmup_steps: int = 500
    beta1: float = 0.9
    beta2: float = 0.98
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    ema_decay: float = 0.999

    def __post_init__(self) -> None:
        known = ("cosine", "constant")
        require(self.schedule in known, f"optim.schedule must be {' or '.join(known)}, not {self.schedule!r}")
        require(0 < self.peak_learning_rate < 1, "optim.peak_learning_rate must be in (0, 1)")
        require(0 <= self.final_learning_rate <= self.peak_learning_rate, "optim.final_learning_rate is above the peak")
        require(self.warmup_steps >= 0, "optim.warmup_steps must be 0 or more")
        require(0 <= self.ema_decay < 1, "optim.ema_decay must be in [0, 1)")
        require(self.clip_norm > 0, "optim.clip_norm must be above 0")


@dataclass(frozen=True)
class LoopSettings(JsonConfig):
    """How long, how wide, how often."""

    max_minutes: float = 0.0
    """The schedule, or with `constant` its decay, is completed within this wall-clock time; 0: no such limit."""
    max_steps: int = 0
    """The same within this many updates; 0: no such limit."""
    batch_tokens: int = 4096
    """Padded-token budget of one batch: longest x sentences, on the larger side."""
    pool_pairs: int = 40_000
    """Pairs drawn, encoded and sorted by length at once."""
    eval_minutes: float = 5.0
    eval_steps: int = 0
    """Evaluate after so many updates; 0: by `eval_minutes` only."""
    eval_sentences: int = 1000
    seed: int = 1
    precision: str = "auto"
    """`bf16`, `fp32`, or `auto`: bf16 where the hardware multiplies it fast."""
    threads: int = 0
    """CPU threads; 0: all cores."""
    shard_mib: float = 0.0
    """The best weights are saved in fp16 files of at most this size; 0: in one file, fp32."""

    def __post_init__(self) -> None:
        require(self.batch_tokens >= 64, "loop.batch_tokens must be at least 64")
        require(self.pool_pairs >= 1, "loop.pool_pairs must be at least 1")
        require(
            self.precision in ("auto", "bf16", "fp32"),
            f"loop.precision must be auto, bf16 or fp32, not {self.precision!r}",
        )


@dataclass(frozen=True)
class TrainingConfig:
    """Everything about one run. `model` holds the keys of ModelConfig but the vocabulary sizes."""

    pair: str
    version: str
    data: DataSettings
    phases: tuple[Phase, ...]
    loop: LoopSettings
    optim: OptimSettings = field(default_factory=OptimSettings)
    model: dict[str, Any] = field(default_factory=dict)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        require(self.pair in DIRECTIONS, f"pair must be it-en or en-it, not {self.pair!r}")
        require(bool(self.phases) and self.phases[-1].until == 1, "the last phase must have until = 1")
        endless = not (self.loop.max_minutes > 0 or self.loop.max_steps > 0)
        require(
            not endless or self.optim.schedule == "constant",
            "loop needs max_minutes or max_steps, or optim.schedule = constant",
        )
        ends = [phase.until for phase in self.phases]
        require(ends == sorted(set(ends)), "phases must be in rising order of until")
        for phase in self.phases:
            unknown = set(phase.shares) - set(self.data.groups)
            require(not unknown, f"phase.shares names unknown group(s): {', '.join(sorted(unknown))}")
        unknown = set(self.augment.short_groups) - set(self.data.groups)
        require(not unknown, f"augment.short_groups names unknown group(s): {', '.join(sorted(unknown))}")
        unknown = set(self.model) - MODEL_KEYS
        require(not unknown, f"unknown setting(s) in [model]: {', '.join(sorted(unknown))}")

    def model_config(self, source_vocab_size: int, target_vocab_size: int) -> ModelConfig:
        """The network's settings, once the vocabularies are known."""
        return ModelConfig.from_dict(
            {"source_vocab_size": source_vocab_size, "target_vocab_size": target_vocab_size, **self.model}
        )

    def for_pair(self, pair: str) -> TrainingConfig:
        """The same run in the direction `pair`: the vocabularies change sides."""
        if pair == self.pair:
            return self
        sizes = self.data.source_vocab_size, self.data.target_vocab_size
        turned = replace(self.data, source_vocab_size=sizes[1], target_vocab_size=sizes[0])
        return replace(self, pair=pair, data=turned)

    @property
    def unused_groups(self) -> set[str]:
        """Groups that this direction does not train on."""
        return set(self.data.machine_italian) if self.pair == "en-it" else set()

    def drawn_phases(self) -> tuple[Phase, ...]:
        """The phases without `unused_groups`."""
        unused = self.unused_groups
        return tuple(
            replace(phase, shares={name: share for name, share in phase.shares.items() if name not in unused})
            for phase in self.phases
        )

    def phase_at(self, progress: float) -> int:
        """Number of the phase at `progress` (0 to 1)."""
        return next(
            (number for number, phase in enumerate(self.phases) if progress < phase.until), len(self.phases) - 1
        )

    def to_dict(self) -> dict[str, Any]:
        """The resolved settings, defaults included, for the run's card."""
        return {
            "pair": self.pair, "version": self.version, "model": dict(self.model),
            "data": self.data.to_dict(), "phases": [phase.to_dict() for phase in self.phases],
            "loop": self.loop.to_dict(), "optim": self.optim.to_dict(),
            "noise": self.noise.to_dict(), "augment": self.augment.to_dict(),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainingConfig:
        """Build from nested dictionaries, as TOML gives them.

        Raises:
            ConfigError: a key is unknown or missing, or a value is out of range.
        """
        unknown = set(values) - {"pair", "version", "data", "phases", "loop", "optim", "model", "noise", "augment"}
        require(not unknown, f"unknown section(s): {', '.join(sorted(unknown))}")
        try:
            return cls(
                pair=values["pair"],
                version=values["version"],
                data=DataSettings.from_dict(values["data"]),
                phases=tuple(Phase.from_dict(phase) for phase in values["phases"]),
                loop=LoopSettings.from_dict(values["loop"]),
                optim=OptimSettings.from_dict(values.get("optim", {})),
                model=dict(values.get("model", {})),
                noise=NoiseConfig.from_dict(values.get("noise", {})),
                augment=AugmentConfig.from_dict(values.get("augment", {})),
            )
        except KeyError as error:
            raise ConfigError(f"missing section or key: {error.args[0]}") from error

    @classmethod
    def read(cls, path: Path) -> TrainingConfig:
        """Read a TOML file. `extends = "other.toml"` takes from a file beside it what it does not say itself.

        Raises:
            ConfigError: a file is missing or is not TOML, files extend each other, or `from_dict` refuses them.
        """
        values = _values(path, ())
        try:
            return cls.from_dict(values)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error


def _values(path: Path, extended_by: tuple[Path, ...]) -> dict[str, Any]:
    """What a settings file and those that it extends say."""
    require(path not in extended_by, f"{path} extends itself")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    base = values.pop("extends", None)
    if base is None:
        return values
    require(isinstance(base, str), f"{path}: extends must be the name of a file")
    return _merged(_values(path.parent / base, (*extended_by, path)), values)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with what `over` says in its place, table by table; lists are taken whole."""
    both = {name: _merged(base[name], value) for name, value in over.items()
            if isinstance(value, dict) and isinstance(base.get(name), dict)}  # fmt: skip
    return {**base, **over, **both}
