"""What a run ran on: figures of one kind of processor say nothing about another."""

from __future__ import annotations

import datetime
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from model.kernels.cores import usable_cores
from training.data.sources import commit

CPUINFO = Path("/proc/cpuinfo")
FLAGS = ("avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni")
"""Those that decide which code runs, here and in CTranslate2."""
LIBRARIES = ("ctranslate2", "numpy", "torch", "sentencepiece")


def kind(flags: list[str]) -> str:
    """The kind of processor that `flags` make, among those that have code of their own."""
    return next((name for name in ("avx512_vnni", "avx2") if name in flags), platform.machine().lower())


def describe() -> dict[str, Any]:
    """Processor, cores, versions, commit and date, as JSON."""
    try:
        model, flags = read_processor(CPUINFO.read_text(encoding="utf-8"))
    except OSError:
        model, flags = platform.processor(), []
    return {
        "kind": kind(flags),
        "processor": model,
        "flags": flags,
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
