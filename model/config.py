"""Settings of the network and of the search: frozen, checked, to and from JSON.

An unknown key is an error: a setting that is silently ignored is a wrong experiment.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Literal, Self

from model.errors import ConfigError

Cell = Literal["gru", "lstm", "rnn"]
CELLS: tuple[Cell, ...] = ("gru", "lstm", "rnn")


class JsonConfig:
    """What every settings class here shares: strict reading from plain dictionaries and JSON."""

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build from `values`.

        Raises:
            ConfigError: a key is unknown or missing, or a value is out of range.
        """
        known = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(
                f"unknown setting(s) for {cls.__name__}: {', '.join(unknown)}; known: {', '.join(sorted(known))}"
            )
        try:
            return cls(**values)
        except TypeError as error:
            raise ConfigError(f"{cls.__name__}: {error}") from error

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Like `from_dict`, from a JSON object."""
        try:
            values = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ConfigError(f"{cls.__name__} is not valid JSON: {error}") from error
        if not isinstance(values, dict):
            raise ConfigError(f"{cls.__name__} must be a JSON object, not {type(values).__name__}")
        return cls.from_dict(values)

    def to_dict(self) -> dict[str, Any]:
        """The settings as a plain dictionary, in the order of declaration."""
        return dataclasses.asdict(self)  # type: ignore[call-overload,no-any-return]

    def to_json(self) -> str:
        """The settings as indented JSON with a final newline."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"


def require(condition: bool, message: str) -> None:
    """Raise `ConfigError(message)` unless `condition` holds."""
    if not condition:
        raise ConfigError(message)


@dataclass(frozen=True)
class ModelConfig(JsonConfig):
    """Shape of one encoder-decoder.

    Sizes are in units (not bytes). `attention_heads = 0` means no attention: the decoder sees only
    the encoder's last state, the fixed-length vector of Sutskever et al. 2014 and of `stan-2018`.
    """

    source_vocab_size: int
    target_vocab_size: int
    cell: Cell = "gru"
    embedding_size: int = 256
    encoder_layers: int = 2
    encoder_hidden_size: int = 256
    """Units per direction; the memory is twice as wide when `bidirectional`."""
    bidirectional: bool = True
    decoder_layers: int = 2
    decoder_hidden_size: int = 512
    attention_heads: int = 1
    layer_norm: bool = True
    residual: bool = True
    tied_target_embeddings: bool = True
    dropout: float = 0.2
    """Probability on layer inputs, and on the read-out, while training."""

    def __post_init__(self) -> None:
        sizes = ("source_vocab_size", "target_vocab_size", "embedding_size", "encoder_layers",
                 "encoder_hidden_size", "decoder_layers", "decoder_hidden_size")  # fmt: skip
        for name in sizes:
            require(int(getattr(self, name)) >= 1, f"{name} must be at least 1, not {getattr(self, name)}")
        require(self.cell in CELLS, f"cell must be one of {', '.join(CELLS)}, not {self.cell!r}")
        require(0 <= self.dropout < 1, f"dropout must be in [0, 1), not {self.dropout}")
        require(self.attention_heads >= 0, f"attention_heads must be 0 (none) or more, not {self.attention_heads}")
        if self.attention_heads:
            fits = self.decoder_hidden_size % self.attention_heads == 0
            require(
                fits, f"decoder_hidden_size {self.decoder_hidden_size} is not divisible by {self.attention_heads} heads"
            )

    @property
    def memory_size(self) -> int:
        """Width of one encoder output."""
        return self.encoder_hidden_size * (2 if self.bidirectional else 1)


@dataclass(frozen=True)
class SearchConfig(JsonConfig):
    """How a translation is looked for. `beam = 1` is greedy search."""

    beam: int = 1
    n_best: int = 1
    """Hypotheses returned per sentence, best first; at most `beam`."""
    length_penalty: float = 1.0
    """Exponent alpha of Wu et al. 2016 (eq. 14), in the simple form sum(log p) / length**alpha."""
    max_length_factor: float = 2.0
    """At most `max_length_factor * source tokens + max_length_extra` target tokens."""
    max_length_extra: int = 10
    no_repeat_ngram: int = 0
    """Forbid any n-gram of this size to occur twice in a hypothesis; 0 switches it off."""
    max_token_run: int = 4
    """Repetition guard: no token more than this many times in a row; 0 switches it off."""
    retry: bool = True
    """Search wider where a translation has a fault that can be seen (`model.text.retry`); not of the search."""
    complete: bool = False
    """No hypothesis ends without every placeholder of the source (the first 31); see `model.search.constraints`."""
    branches: bool = False
    """The `n_best` differ in the first word that is not forced, and go on from there greedily: see `model.branches`."""

    def __post_init__(self) -> None:
        require(1 <= self.beam <= 64, f"beam must be between 1 and 64, not {self.beam}")
        require(1 <= self.n_best <= self.beam, f"n_best must be between 1 and beam ({self.beam}), not {self.n_best}")
        require(0 <= self.length_penalty <= 5, f"length_penalty must be between 0 and 5, not {self.length_penalty}")
        require(
            0.1 <= self.max_length_factor <= 10,
            f"max_length_factor must be between 0.1 and 10, not {self.max_length_factor}",
        )
        require(
            1 <= self.max_length_extra <= 200,
            f"max_length_extra must be between 1 and 200, not {self.max_length_extra}",
        )
        require(self.beam > 1 or not self.complete, "complete needs a beam")
        require(self.no_repeat_ngram >= 0, "no_repeat_ngram must be 0 (off) or more")
        require(self.max_token_run >= 0, "max_token_run must be 0 (off) or more")
