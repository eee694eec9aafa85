"""The weights of a `Seq2Seq` in a safetensors file: fp16, tied ones once, read strictly."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from model.config import ModelConfig
from model.errors import VersionDamaged, VersionError
from model.network.seq2seq import Seq2Seq

FLOATS = (torch.float16, torch.bfloat16, torch.float32)
PICKLE_STARTS = (b"PK\x03\x04", b"\x80")


def write_weights(path: Path, model: Seq2Seq) -> None:
    """Write the weights of `model` in fp16.

    Raises:
        VersionError: a weight is not a finite number in fp16.
    """
    tensors = {name: model.state_dict()[name].detach().to("cpu", torch.float16) for name in _stored(model)}
    unfit = sorted(name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all()))
    if unfit:
        raise VersionError(f"not a finite number, or too large for fp16, in: {', '.join(unfit)}")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)


def read_weights(path: Path, config: ModelConfig) -> Seq2Seq:
    """A model of `config` with the weights in `path`, in fp32, in evaluation mode.

    Raises:
        VersionDamaged: not a safetensors file, or the names, shapes, types or numbers in it are wrong.
    """
    found = _read(path)
    with torch.device("meta"):  # nothing is initialised: it would only be overwritten
        model = Seq2Seq(config)
    expected = {name: model.state_dict()[name] for name in _stored(model)}
    _check(path, found, expected)
    tensors = {name: tensor.float() for name, tensor in found.items()}
    if config.tied_target_embeddings:
        tensors["output.weight"] = tensors["target_embedding.weight"]
    model.load_state_dict(tensors, strict=True, assign=True)
    if config.tied_target_embeddings:
        model.output.weight = model.target_embedding.weight
    return model.eval()


def _stored(model: Seq2Seq) -> list[str]:
    """Names of the tensors that go into the file: of tied ones the first."""
    names: dict[int, str] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        names.setdefault(id(tensor), name)
    return list(names.values())


def _read(path: Path) -> dict[str, Tensor]:
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(PICKLE_STARTS):
        what = f"{path.name} is a pickle or a zip, not safetensors: such files can run code and are refused"
        raise VersionDamaged(what, path.parent)
    try:
        return load_file(path)
    except SafetensorError as error:
        what = f"{path.name} is not a whole safetensors file ({error}): copy or train it again"
        raise VersionDamaged(what, path.parent) from error


def _check(path: Path, found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    problems = [f"missing {name}" for name in sorted(expected.keys() - found.keys())]
    problems += [f"unexpected {name}" for name in sorted(found.keys() - expected.keys())]
    for name in sorted(expected.keys() & found.keys()):
        tensor, wanted = found[name], list(expected[name].shape)
        if list(tensor.shape) != wanted:
            problems.append(f"{name} has shape {list(tensor.shape)}, not {wanted}")
        elif tensor.dtype not in FLOATS:
            problems.append(f"{name} has type {tensor.dtype}")
        elif not bool(torch.isfinite(tensor).all()):
            problems.append(f"{name} holds numbers that are not finite")
    if problems:
        raise VersionDamaged(f"{path.name} does not fit its config.json: {'; '.join(problems)}", path.parent)
