"""What decodes a version on the hardware at hand, and in which number format, called its route.

    int8   CPU only: `decode.c` where it was compiled and the CPU has AVX2; else PyTorch where there is VNNI
    bf16   where the hardware multiplies it fast
    fp32   everywhere; the reference

torch is imported where PyTorch decodes, or to look for a GPU where there may be one, and nowhere else.
"""

from __future__ import annotations

import functools
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

from model.config import require
from model.kernels import native
from model.kernels.cores import usable_cores
from model.kernels.native_library import is_uncompiled
from model.search.request import Searcher
from model.versions.store import Version

log = logging.getLogger("traghetto.model")

DEVICES = ("auto", "cpu", "cuda")
GPU_FILES = (Path("/dev/nvidiactl"), Path("/dev/nvidia0"), Path("/dev/dxg"), Path("/dev/kfd"))
"""One of them is there where Linux, or Windows' Linux, has a GPU that PyTorch could use."""


@dataclass(frozen=True)
class Chosen:
    """What decodes a version."""

    searcher: Searcher
    device: str
    """`cpu` or `cuda`."""
    route: str
    program: str
    """What runs it, for people."""
    at_once: int
    """Threads that decode parts of one call at once, each of which keeps a core busy."""
    is_shared: bool = False
    """Whether several threads may call it at once, each of which keeps a core busy and decodes its call alone."""


def choose_device(name: str) -> str:
    """`cpu` or `cuda` for `auto` (a GPU if there is one), `cpu` or `cuda`.

    Raises:
        ConfigError: another name, or there is no CUDA device.
    """
    require(name in DEVICES, f"device must be auto, cpu or cuda, not {name!r}")
    if name == "cpu" or (name == "auto" and not _may_have_gpu()):
        return "cpu"
    import torch

    found = torch.cuda.is_available()
    require(found or name == "auto", "device cuda was asked for, but PyTorch sees no CUDA device here")
    return "cuda" if found else "cpu"


def _may_have_gpu() -> bool:
    return not sys.platform.startswith("linux") or any(path.exists() for path in GPU_FILES)


def choose(
    version: Version, device: str = "auto", route: str = "auto", threads: int = 0, *, shared: bool = False
) -> Chosen:
    """The fastest way to decode `version`; arguments as for `Translator.load`.

    Raises:
        ConfigError: an unknown route, or one that is not to be had on that device.
    """
    device = choose_device(device)
    if device == "cpu" and route in ("auto", "int8") and native.supports(version.config):
        if native.programs():
            decoder = native.NativeDecoder(version.config, version.weights)
            at_once = 1 if shared else threads or _usual_threads()
            return Chosen(decoder, device, "int8", f"decode.c for {decoder.program}", at_once, shared)
        if is_uncompiled():
            _warn()
    import torch

    from model.kernels.quantize import checked_route, prepare
    from model.torch_search import TorchSearcher

    if threads:
        torch.set_num_threads(threads)
    taken = checked_route(route, device)
    return Chosen(TorchSearcher(prepare(version.model, device, taken), device), device, taken, "PyTorch", 1)


@functools.cache
def _warn() -> None:
    """Once a process: it looks as if all were well, and everything takes many times as long."""
    log.warning("decode.c is not compiled, or was changed since: PyTorch translates, more slowly. Compile: make native")


def _usual_threads() -> int:
    """As many as PyTorch takes, if it is in use."""
    torch = sys.modules.get("torch")
    return usable_cores() if torch is None else int(torch.get_num_threads())
