"""The corrections file that the server writes for a retraining, and what of it is usable.

A line is a JSON object with at least `id`, `source_text` and `corrected_translation`; the file's SHA-256 travels beside
it, so that a file that was cut short is never trained on.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.config import require
from model.errors import ConfigError
from model.network.seq2seq import Seq2Seq
from model.text.plan import plan_text
from model.text.preparation import clean
from model.text.tokenizer import Tokenizer
from training.adapting.adaptation import encode, log_probs
from training.run.batching import Encoded

STRANGERS = 3
"""Other sources that a correction is tried with."""


@dataclass(frozen=True)
class Correction:
    """What somebody wants a sentence to be translated as."""

    id: str
    source: str
    target: str


@dataclass(frozen=True)
class Example:
    """One trainable piece of a correction: a sentence of it, or all of it."""

    id: str
    source: str
    target: str
    ids: Encoded


@dataclass(frozen=True)
class LeftOut:
    """A correction that is not trained on, and why."""

    id: str
    why: str


def read_corrections(path: Path, sha256: str | None = None) -> list[Correction]:
    """The corrections in `path`.

    Raises:
        ConfigError: the file cannot be read, is not the one with that hash, or a line is not a correction.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    if sha256 is not None and hashlib.sha256(raw).hexdigest() != sha256:
        raise ConfigError(f"{path} is not the corrections file that was written: its SHA-256 differs")
    return [_correction(path, number, line) for number, line in enumerate(raw.decode().split("\n"), 1) if line.strip()]


def _correction(path: Path, number: int, line: str) -> Correction:
    try:
        row = json.loads(line)
        values = row["id"], row["source_text"], row["corrected_translation"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}, line {number}: not a correction ({type(error).__name__}: {error})") from error
    require(
        all(isinstance(value, str) and value for value in values), f"{path}, line {number}: an empty or wrong field"
    )
    return Correction(*values)


def examples(
    corrections: Sequence[Correction], pair: str, tokenizers: tuple[Tokenizer, Tokenizer], max_tokens: int
) -> tuple[list[Example], list[LeftOut]]:
    """What can be trained on: texts of as many sentences on both sides are parted, for so they are translated."""
    found, left_out = [], []
    for correction in corrections:
        pairs = _parted(correction, pair)
        encoded = encode(pairs, tokenizers, max_tokens)
        if None in encoded:
            left_out.append(LeftOut(correction.id, f"longer than {max_tokens} tokens on a side, or empty"))
            continue
        found += [Example(correction.id, *pair, ids) for pair, ids in zip(pairs, encoded, strict=True) if ids]
    return found, left_out


def _parted(correction: Correction, pair: str) -> list[tuple[str, str]]:
    source, target = clean(correction.source), clean(correction.target)
    languages = pair.partition("-")
    parts = _sentences(correction.source, languages[0]), _sentences(correction.target, languages[2])
    return list(zip(*parts, strict=True)) if len(parts[0]) == len(parts[1]) else [(source, target)]


def _sentences(text: str, language: str) -> list[str]:
    """Cleaned, and those of nothing but marks that cannot be seen left out."""
    return [sentence for one in plan_text(text, language).sentences if (sentence := clean(one))]


def fitting(
    model: Seq2Seq, found: Sequence[Example], others: Sequence[Encoded], seed: int, least: float
) -> tuple[list[Example], list[LeftOut]]:
    """Which of `found` are translations of their sources, as far as `model` can tell, and which are not.

    What is right is likelier after its own source than after another one, even where the model would not say it.
    Nonsense is not, nor is a sentence that belongs to another source. `others` are pairs with sources to try,
    `least` is `training.adapting.gate.Limits.least_fit`.
    """
    own = log_probs(model, [example.ids for example in found])
    rng = random.Random(seed)
    strange = [0.0] * len(found)
    for _ in range(STRANGERS):
        tried = [Encoded(rng.choice(others).source, example.ids.target) for example in found]
        strange = [sum(pair) for pair in zip(strange, log_probs(model, tried), strict=True)]
    fits = [ours - total / STRANGERS for ours, total in zip(own, strange, strict=True)]
    bad = {example.id: fit for example, fit in zip(found, fits, strict=True) if fit < least}
    why = "is hardly likelier after its source ({:+.1f} nats a token) than after others: not a translation of it?"
    return [example for example in found if example.id not in bad], [
        LeftOut(id, why.format(fit)) for id, fit in bad.items()
    ]
