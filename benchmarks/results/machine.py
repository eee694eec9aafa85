"""What a run ran on: figures of one kind of processor say nothing about another."""

from __future__ import annotations

import datetime
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from model.kernels.cores import usable_cores
from model.kernels.native import INSTRUCTIONS
from training.data.sources import commit

CPUINFO = Path("/proc/cpuinfo")
FLAGS = ("avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni")
"""Those that decide which code runs, here and in CTranslate2."""
HELD_TO_AVX2 = {
    INSTRUCTIONS: "avx2", "CT2_FORCE_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2",
}  # fmt: skip
"""Variables that keep Traghetto, CTranslate2 and PyTorch from using wider instructions."""
LIBRARIES = ("ctranslate2", "numpy", "torch", "sentencepiece")


def kind(flags: list[str]) -> str:
    """The kind of processor that `flags` make, among those that have code of their own."""
    return next((name for name in ("avx512_vnni", "avx2") if name in flags), platform.machine().lower())


def hold_to_avx2() -> None:
    """Let this process and those that it starts use no wider instructions; before any of the libraries is imported."""
    os.environ.update(HELD_TO_AVX2)


def describe() -> dict[str, Any]:
    """Processor, cores, versions, commit and date, as JSON; `held` says that it could do more than it was let."""
    try:
        model, flags = read_processor(CPUINFO.read_text(encoding="utf-8"))
    except OSError:
        model, flags = platform.processor(), []
    held = "avx512_vnni" in flags and os.environ.get(INSTRUCTIONS) == HELD_TO_AVX2[INSTRUCTIONS]
    return {
        "kind": "avx2" if held else kind(flags),
        "processor": model,
        "flags": flags,
        "held": held,
        "cores": usable_cores(),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: _version(name) for name in LIBRARIES},
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def read_processor(cpuinfo: str) -> tuple[str, list[str]]:
    """Name and flags of the first core in `cpuinfo`, as Linux writes it; of the flags only those that decide."""
    fields = dict(part for line in cpuinfo.partition("\n\n")[0].splitlines() if len(part := line.split(":", 1)) == 2)
    named = {name.strip(): value.strip() for name, value in fields.items()}
    there = set(named.get("flags", "").split())
    return named.get("model name", ""), [flag for flag in FLAGS if flag in there]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
