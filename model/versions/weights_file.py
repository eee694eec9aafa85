"""The weights of a `Seq2Seq` in a safetensors file: fp16, tied ones once, read strictly. Imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from model.config import ModelConfig
from model.errors import VersionDamaged, VersionError
from model.network.weights import Shapes, Weights, shapes, weights_of

if TYPE_CHECKING:
    from model.network.seq2seq import Seq2Seq

FLOATS = (np.float16, np.float32)
PICKLE_STARTS = (b"PK\x03\x04", b"\x80")


def write_weights(path: Path, model: Seq2Seq) -> None:
    """Write the weights of `model` in fp16.

    Raises:
        VersionError: a weight is not a finite number in fp16.
    """
    with np.errstate(over="ignore"):
        arrays = {name: array.astype(np.float16, order="C") for name, array in weights_of(model).items()}
    unfit = sorted(name for name, array in arrays.items() if not np.isfinite(array).all())
    if unfit:
        raise VersionError(f"not a finite number, or too large for fp16, in: {', '.join(unfit)}")
    save_file(arrays, path)


def read_weights(path: Path, config: ModelConfig) -> Weights:
    """What is in `path`, as it is stored: all that a network of `config` consists of, and nothing else.

    Raises:
        VersionDamaged: not a safetensors file, or the names, shapes, types or numbers in it are wrong.
    """
    found = _read(path)
    _check(path, found, shapes(config))
    return found


def _read(path: Path) -> Weights:
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(PICKLE_STARTS):
        what = f"{path.name} is a pickle or a zip, not safetensors: such files can run code and are refused"
        raise VersionDamaged(what, path.parent)
    try:
        return load_file(path)
    except (SafetensorError, TypeError, AttributeError) as error:  # the last two: of a type that NumPy has not
        what = f"{path.name} is not a whole safetensors file of fp16 or fp32 ({error}): copy or train it again"
        raise VersionDamaged(what, path.parent) from error


def _check(path: Path, found: Weights, expected: Shapes) -> None:
    problems = [f"missing {name}" for name in sorted(expected.keys() - found.keys())]
    problems += [f"unexpected {name}" for name in sorted(found.keys() - expected.keys())]
    for name in sorted(expected.keys() & found.keys()):
        array = found[name]
        if array.shape != expected[name]:
            problems.append(f"{name} has shape {list(array.shape)}, not {list(expected[name])}")
        elif array.dtype not in FLOATS:
            problems.append(f"{name} has type {array.dtype}")
        elif not np.isfinite(array).all():
            problems.append(f"{name} holds numbers that are not finite")
    if problems:
        raise VersionDamaged(f"{path.name} does not fit its config.json: {'; '.join(problems)}", path.parent)
